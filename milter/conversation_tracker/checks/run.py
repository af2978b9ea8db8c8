"""Looks at everything that mail needs, and says on one line each what holds and what does not.

Each part of the installation is judged by a module of its own; here they are put together. A part
that cannot be looked at is a finding, and keeps nothing else from being looked at. No line shows a
password or an address.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from conversation_tracker.base.failure import NO, TEMPORARY, USAGE
from conversation_tracker.checks import configuration as check_configuration
from conversation_tracker.checks import database as check_database
from conversation_tracker.checks import follow as check_follow
from conversation_tracker.checks import forged_results, local_senders, verifiers
from conversation_tracker.checks import metrics as check_metrics
from conversation_tracker.checks import postfix as check_postfix
from conversation_tracker.checks import postmaster as check_postmaster
from conversation_tracker.checks import publisher as check_publisher
from conversation_tracker.checks import signer as check_signer
from conversation_tracker.checks import socket as check_socket
from conversation_tracker.checks import systemd as check_systemd
from conversation_tracker.checks import webhooks as check_webhooks
from conversation_tracker.checks.finding import CheckLine, note, wrong
from conversation_tracker.config.config import Config, ConfigError
from conversation_tracker.database.checks.identity import ask_as_service
from conversation_tracker.database.faults import DatabaseError, make_failure
from conversation_tracker.database.health import DatabaseState, read_state
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.host import read_earlier
from conversation_tracker.telemetry import follow_state
from conversation_tracker.telemetry.journal import choose_prefix

_MAIL_OWNER = "postfix"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `check` is asked for.

    Attributes:
        config: the configuration alone.
        dns: the name system, too.
        live: also send test mail.
        json: an array of objects instead of lines.
    """

    config: bool = False
    dns: bool = False
    live: bool = False
    json: bool = False


class _Report:
    """What was found so far: printed at once as lines, or at the end as JSON.

    In the journal, where a reload that fails says why, a line of what is wrong is an error.
    """

    def __init__(self, out: TextIO, environ: Mapping[str, str], *, json: bool) -> None:
        self._out, self._json = out, json
        self._prefixes = {"WRONG": choose_prefix("error", out, environ)}
        self._rows: list[dict[str, str]] = []
        self.wrongs = 0

    def add(self, subject: str, facts: Iterable[CheckLine]) -> None:
        """Add what was found about a subject, as it is found."""
        for fact in facts:
            self.wrongs += fact.verdict == "WRONG"
            if self._json:
                self._rows.append(fact.describe(subject))
            else:
                prefix = self._prefixes.get(fact.verdict, "")
                print(f"{prefix}{fact}", file=self._out, flush=True)

    def end(self) -> None:
        """Print what has not been printed."""
        if self._json:
            print(json.dumps(self._rows, indent=1), file=self._out, flush=True)


def run(
    config: Config,
    out: TextIO,
    environ: Mapping[str, str] = os.environ,
    wanted: Wanted = Wanted(),
) -> int:
    """Look at everything, and print each fact.

    Args:
        config: the configuration.
        out: where the facts go.
        environ: the environment: PATH, and MAIL_CONFIG where Postfix is not the default instance.
        wanted: what to look at, and how to tell it.

    Returns:
        The exit code: 0 nothing is wrong, 1 something is, 2 the database is newer than the program,
        75 it cannot be reached, or nothing is wrong as far as the name system answers.
    """
    report = _Report(out, environ, json=wanted.json)
    report.add("configuration", check_configuration.check(config))
    found = (0, True) if wanted.config else _look(config, environ, wanted, report)
    report.end()
    code, answered = found
    if code:
        return code
    if report.wrongs:
        return NO
    return 0 if answered else TEMPORARY


def refuse(error: ConfigError, out: TextIO) -> None:
    """Print as JSON what is wrong with a configuration that cannot be read.

    Args:
        error: its faults.
        out: where they go.
    """
    report = _Report(out, {}, json=True)
    report.add("configuration", (CheckLine("WRONG", fault) for fault in error.faults))
    report.end()


def _look(
    config: Config, environ: Mapping[str, str], wanted: Wanted, report: _Report
) -> tuple[int, bool]:
    """Look at everything besides the configuration.

    Returns:
        The exit code that the database's state alone asks for, 0 for none; and whether the name
        system answered all that was asked.
    """
    state, facts = _check_database(config)
    report.add("database", facts)
    settings, facts = _read_settings(environ)
    owner = settings.get_value("mail_owner") if settings is not None else _MAIL_OWNER
    report.add("socket", check_socket.check(config.socket, check_socket.find_user(owner)))
    report.add("postfix", facts)
    if settings is not None:
        _check_postfix(config, settings, state, report)
    report.add("units", check_systemd.check())
    report.add("follower", check_follow.check(follow_state.find_place(environ), time.time()))
    if state is not None and state.fault is None:
        report.add("publisher", check_publisher.check(state))
        report.add("webhooks", check_webhooks.check(state.webhooks, datetime.now(UTC)))
    report.add("metrics", check_metrics.check(config.metrics))
    answered = True
    if wanted.dns and settings is not None:
        answered = _ask_names(config, settings, _list_domains(settings, state), report)
    if wanted.live and settings is not None and state is not None:
        _send_test(config, settings, state, report)
    return _find_code(state), answered


def _find_code(state: DatabaseState | None) -> int:
    if state is None:
        return TEMPORARY
    return USAGE if state.fault is not None and state.fault.kind == "newer" else 0


def _send_test(
    config: Config, settings: postfix_settings.Settings, state: DatabaseState, report: _Report
) -> None:
    from conversation_tracker.checks.live import check as check_live

    domains = sorted({store.alias_domain for store in state.stores if store.active})
    report.add("live", check_live.check(config, settings, next(iter(domains), "")))


def _ask_names(
    config: Config,
    settings: postfix_settings.Settings,
    domains: Mapping[str, bool],
    report: _Report,
) -> bool:
    """Ask the name system; return whether it answered."""
    from conversation_tracker.checks.dns import check as check_dns
    from conversation_tracker.checks.dns.names import NameSystem

    names = NameSystem()
    report.add("dns", check_dns.check(names, settings, config.socket, domains))
    return not names.failures


def _list_domains(
    settings: postfix_settings.Settings, state: DatabaseState | None
) -> dict[str, bool]:
    """Return the alias domains, and whether soft aliases are made there."""
    if state is None or state.fault is not None:
        return dict.fromkeys(read_earlier(settings).domains, True)
    hard = {store.alias_domain for store in state.stores} - {
        store.alias_domain for store in state.stores if store.soft
    }
    return {domain: domain not in hard for domain in state.domains}


def _check_database(config: Config) -> tuple[DatabaseState | None, Iterator[CheckLine]]:
    try:
        state = ask_as_service(lambda: read_state(config.database))
    except DatabaseError as error:
        said = make_failure(error, config.database)
        mend = "start it, or correct `database` in the configuration"
        return None, iter([wrong(str(said), mend)])
    return state, check_database.check(state)


def _read_settings(
    environ: Mapping[str, str],
) -> tuple[postfix_settings.Settings | None, Iterator[CheckLine]]:
    try:
        return postfix_settings.read_settings(environ), iter(())
    except postfix_settings.Unreadable as error:
        mend = "install Postfix, or mend its configuration, and run check as root"
        return None, iter([wrong(f"Postfix cannot be looked at: {error}", mend)])


def _check_postfix(
    config: Config,
    settings: postfix_settings.Settings,
    state: DatabaseState | None,
    report: _Report,
) -> None:
    known = state if state is not None and state.fault is None else None
    domains = known.domains if known is not None else frozenset[str]()
    host = check_postfix.read_host(settings, config.socket, domains)
    report.add("postfix", check_postfix.check(host))
    report.add("postfix", check_postfix.check_version(host))
    if known is None:
        why = "the alias domains are in the database: Postfix's routes were not looked at"
        report.add("postfix", [note(why)])
        return
    report.add("postmaster", check_postmaster.check(config.postmaster, domains))
    report.add("postfix", check_postfix.check_table(host))
    senders = {domain for store in known.stores for domain in store.sender_domains}
    report.add("postfix", local_senders.check(settings, senders))
    forged = forged_results.check(
        settings, config.socket, config.authserv_id, domains, known.secret
    )
    report.add("verifiers", verifiers.check(settings, config.socket, config.authserv_id))
    report.add("verifiers", forged)
    report.add("signer", check_signer.check(settings, config.socket, domains))
