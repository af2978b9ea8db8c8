"""The command `signer`: sets up an OpenDKIM that signs what leaves in the alias domains.

A stock OpenDKIM signs for internal hosts only, and verifies as well. This one is an instance of its
own behind the tracker, which signs for whoever the client is and nothing but the alias domains.
"""

import argparse
import grp
import os
import re
from collections.abc import Sequence
from pathlib import Path

from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.milters import list_names, read_milters, write_address
from conversation_tracker.postfix.names import name_command, read_domain
from conversation_tracker.postfix.signing import HOME, SELECTOR
from installer import socket_directory
from installer.command_line import Misused, Parser, run_program
from installer.machine import Failed, Machine
from installer.signing import keys, service, tables
from installer.signing.places import USER, Places

_PACKAGES = ["opendkim", "openssl"]
_SOCKET = "/var/spool/postfix/conversation-tracker-signer/signer.sock"
_UNIT = "/etc/systemd/system/conversation-tracker-signer.service"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MILTERS = ("smtpd_milters", "non_smtpd_milters")
_ABOUT = """\
Sets up an OpenDKIM of its own that signs what leaves in the alias domains: a key of 2048 bits for
each, its tables, a unit. Prints the record to publish for each key. Run again, it changes nothing;
further domains are added to those there are. Postfix is told by postfix/configure --signer, once
the record is published."""
_CODES = """\
Exit codes: 0 done, 1 failed or refused (the reason is the last line), 2 usage, 130 interrupted."""
_VALUES = (
    (
        "--selector", "NAME",
        f"the key's name in the DNS (default: the one there is, or {SELECTOR}); another name makes"
        " another key, and the one before stays where it is",
    ),
    ("--config-dir", "DIR", f"where keys and tables go (default {HOME})"),
    ("--socket", "PATH", f"where it listens (default {_SOCKET})"),
    ("--unit", "FILE", f"its unit (default {_UNIT})"),
)  # fmt: skip
_LISTS = (
    (
        "--domain", "DOMAIN",
        "an alias domain to sign for; may be repeated; those of an earlier run stay",
    ),
)  # fmt: skip
_FLAGS = (
    ("--remove", "stop it and remove its unit and tables; the keys stay"),
    ("--dry-run", "show every change, make none"),
)


def make_parser() -> Parser:
    """Make the parser of the command line."""
    parser = Parser("signer", "[OPTION]... --domain DOMAIN", _ABOUT, _CODES)
    parser.add_options(_LISTS, _VALUES, _FLAGS)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    return run_program("signer", lambda: _run(make_parser().parse_args(arguments)))


def _run(given: argparse.Namespace) -> None:
    places = _read_places(given)
    domains = _read_domains(given, places)
    if os.geteuid() != 0 and not given.dry_run:
        raise Failed("must be run by root")
    machine = Machine(given.dry_run)
    if given.remove:
        _remove(machine, places)
    else:
        _set_up(machine, places, domains)


def _read_places(given: argparse.Namespace) -> Places:
    found = {
        name: Path(getattr(given, name) or usual)
        for name, usual in (("config_dir", HOME), ("socket", _SOCKET), ("unit", _UNIT))
    }
    for name, path in found.items():
        if not path.is_absolute() or any(c.isspace() or c in ":#;,%" for c in str(path)):
            option = name.replace("_", "-")
            raise Misused(f"--{option} {path}: write an absolute path of plain characters")
    return Places(found["config_dir"], found["socket"], found["unit"])


def _read_domains(given: argparse.Namespace, places: Places) -> dict[str, str]:
    """Return the selector of each domain, those of an earlier run first."""
    earlier = tables.read_domains(places)
    if given.selector and not _NAME.fullmatch(given.selector):
        raise Misused(f"--selector {given.selector}: write letters, digits and -")
    wanted = dict(earlier)
    for text in given.domain:
        domain = read_domain(text)
        if domain is None:
            raise Misused(
                f"--domain {text}: is no domain name (write an international one in its xn-- form)"
            )
        wanted[domain] = given.selector or earlier.get(domain, SELECTOR)
    for domain in wanted:
        above = next((each for each in wanted if domain.endswith(f".{each}")), None)
        if above is not None:
            raise Misused(f"alias domain {domain} is inside alias domain {above}")
    if not wanted and not given.remove:
        raise Misused("--domain is missing")
    return wanted


def _set_up(machine: Machine, places: Places, domains: dict[str, str]) -> None:
    _check_group()
    socket_directory.check(places.socket.parent, USER)
    machine.step("Packages")
    stock = service.is_stock_there()
    machine.install_packages(_PACKAGES, wanted=[])
    if not stock:
        service.stop_stock(machine)
    machine.step("Keys")
    changed = False
    for domain, name in domains.items():
        changed |= keys.make_key(machine, places, domain, name)
    machine.step("Tables")
    changed |= tables.write_tables(machine, places, domains)
    records = [keys.publish(machine, places, domain, name) for domain, name in domains.items()]
    machine.step("Service")
    socket_directory.make(machine, places.socket.parent, USER)
    changed |= service.write_unit(machine, places)
    service.start(machine, places, changed=changed)
    service.see_signatures(machine, places, domains)
    _say_what_next(machine, places, records)


def _check_group() -> None:
    try:
        grp.getgrnam(socket_directory.GROUP)
    except KeyError:
        raise Failed(
            f"there is no group {socket_directory.GROUP}: install Postfix first; nothing was done"
        ) from None


def _say_what_next(machine: Machine, places: Places, records: list[str]) -> None:
    machine.step("Next")
    machine.say("Publish in the DNS, each on one line:\n")
    for record in records:
        machine.say(f"  {record}")
    machine.say(
        f"\nOnce the name servers have it, let Postfix use the signer, and look at both:\n\n"
        f"  {name_command('configure')} --signer unix:{places.socket}\n"
        f"  postfix reload\n"
        f"  conversation-tracker check --dns"
    )


def _remove(machine: Machine, places: Places) -> None:
    _refuse_if_used(places)
    machine.step("Service")
    service.remove(machine, places)
    machine.step("Tables")
    for path in (*places.tables, places.configuration):
        machine.run("rm", "-f", path)
    machine.say(f"still there: the keys in {places.keys}, their records, the package opendkim")


def _refuse_if_used(places: Places) -> None:
    """Refuse while Postfix asks it: all mail would wait."""
    try:
        found = postfix_settings.read_settings(os.environ)
    except postfix_settings.Unreadable:
        return
    ours = list_names(write_address(f"unix:{places.socket}", found) or "")
    everywhere = [None, *found.services]
    lists = [found.get_value(name, each) for each in everywhere for name in _MILTERS]
    for text in lists:
        if any(write_address(each.address, found) in ours for each in read_milters(text)):
            raise Failed(
                f"Postfix still asks it: run {name_command('configure')} --signer none, and postfix"
                " reload, first; nothing was done"
            )
