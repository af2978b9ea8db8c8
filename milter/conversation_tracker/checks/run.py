"""Looks at everything that mail needs, and says on one line each what holds and what does not.

Each part of the installation is judged by a module of its own; here they are put together. A part
that cannot be looked at is a finding, and keeps nothing else from being looked at. No line shows a
password or an address.
"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import TextIO

from conversation_tracker.checks import database as check_database
from conversation_tracker.checks import follow as check_follow
from conversation_tracker.checks import forged_results
from conversation_tracker.checks import metrics as check_metrics
from conversation_tracker.checks import postfix as check_postfix
from conversation_tracker.checks import postmaster as check_postmaster
from conversation_tracker.checks import signer as check_signer
from conversation_tracker.checks import socket as check_socket
from conversation_tracker.checks import systemd as check_systemd
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.config import Config
from conversation_tracker.database.faults import DatabaseError, make_failure
from conversation_tracker.database.health import DatabaseState, read_state
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.telemetry import follow_state

_MAIL_OWNER = "postfix"


def run(config: Config, out: TextIO, environ: Mapping[str, str] = os.environ) -> int:
    """Look at everything, and print each fact.

    Args:
        config: the configuration.
        out: where the facts go.
        environ: the environment: PATH, and MAIL_CONFIG where Postfix is not the default instance.

    Returns:
        The exit code: 0 nothing is wrong, 1 something is, 75 the database cannot be reached.
    """
    wrongs = 0

    def say(facts: Iterator[CheckLine]) -> None:
        nonlocal wrongs
        for fact in facts:
            wrongs += fact.verdict == "WRONG"
            print(fact, file=out, flush=True)

    say(iter([ok(f"the configuration {config.path} is read")]))
    state, facts = _check_database(config)
    say(facts)
    settings, facts = _read_settings(environ)
    owner = settings.get_value("mail_owner") if settings is not None else _MAIL_OWNER
    say(check_socket.check(config.socket, check_socket.find_user(owner)))
    say(facts)
    if settings is not None:
        say(_check_postfix(config, settings, state))
    say(check_systemd.check())
    say(check_follow.check(follow_state.find_place(environ), time.time()))
    say(check_metrics.check(config.metrics))
    if state is None:
        return os.EX_TEMPFAIL
    return 1 if wrongs else 0


def _check_database(config: Config) -> tuple[DatabaseState | None, Iterator[CheckLine]]:
    try:
        state = read_state(config.database)
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
    config: Config, settings: postfix_settings.Settings, state: DatabaseState | None
) -> Iterator[CheckLine]:
    known = state if state is not None and state.fault is None else None
    domains = known.domains if known is not None else frozenset[str]()
    host = check_postfix.read_host(settings, config.socket, domains)
    yield from check_postfix.check(host)
    if known is None:
        yield note("the alias domains are in the database: Postfix's routes were not looked at")
        return
    yield from check_postmaster.check(config.postmaster, domains)
    yield from check_postfix.check_table(host)
    yield from forged_results.check(
        settings, config.socket, config.authserv_id, domains, known.secret
    )
    yield from check_signer.check(settings, config.socket, domains)
