"""The command line of `configure`, and what it asks for in Postfix's terms.

What an earlier run was asked for is read from Postfix's configuration, and stays.
"""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import names
from conversation_tracker.postfix.host import DEFAULT_LISTENER, Earlier, Host, read_earlier
from conversation_tracker.postfix.milters import read_socket, write_address
from conversation_tracker.postfix.settings import Settings, find_tool, run_tool
from conversation_tracker.postfix.ways_past import UNSEEN

_ABOUT = """\
Has Postfix ask Conversation Tracker about all mail, and send mail for the alias domains through the splitter.
Shows each change as `setting: old -> new`. Run again, it changes nothing. Reload Postfix afterwards."""  # noqa: E501
_CODES = """\
Exit codes: 0 done, 1 refused (mail would pass unmasked; nothing is changed), 2 usage."""


# Options with one value, and options that may be repeated: name, value, help.
_VALUES = (
    ("--socket", "SOCKET", "where the tracker listens: unix:/path or inet:PORT@HOST"),
    (
        "--signer", "MILTER",
        "the DKIM signer, after the tracker, in place of the one before; it must run. That of an"
        " earlier run stays, and goes with the name `none`",
    ),
    (
        "--authserv-id", "NAME",
        "remove Authentication-Results in this name from what clients send, before any milter"
        " sees it; that of an earlier run stays, and goes with the name `none`",
    ),
    (
        "--listener", "HOST:PORT",
        f"where the splitter hands mail back (default {DEFAULT_LISTENER})",
    ),
    ("--config-dir", "DIR", "Postfix's configuration directory (default: its own)"),
)  # fmt: skip
_LISTS = (
    (
        "--alias-domain", "DOMAIN",
        "a domain of aliases; may be repeated; those of an earlier run stay",
    ),
    (
        "--service", "NAME/TYPE",
        "a service of master.cf with smtpd_milters of its own: add the tracker there too",
    ),
    (
        "--exempt", "NAME",
        "a service (NAME/TYPE), smtpd_milter_maps or smtpd_proxy_filter whose mail need not"
        " pass the tracker: do not refuse it; those of an earlier run stay, and go with the name"
        " `none`",
    ),
)  # fmt: skip


class Misused(Exception):
    """The command line, or Postfix's configuration, is none that we can work on."""


class _ConfigureParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misused(message)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line; what it refuses raises Misused."""
    parser = _ConfigureParser(
        prog="configure",
        usage="configure [OPTION]... --socket SOCKET --alias-domain DOMAIN",
        description=_ABOUT,
        epilog=_CODES,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, value, about in _VALUES:
        parser.add_argument(name, metavar=value, default="", help=about)
    for name, value, about in _LISTS:
        parser.add_argument(name, metavar=value, default=[], action="append", help=about)
    parser.add_argument("--remove", action="store_true", help="take all of it out again")
    parser.add_argument("--dry-run", action="store_true", help="only show the changes")
    return parser


def read_domain(text: str) -> str:
    """Read an alias domain; raises Misused for what is none."""
    domain = names.read_domain(text)
    if domain is None:
        raise Misused(f"{text} is no domain name (write an international one in its xn-- form)")
    return domain


def find_directory(given: str) -> Path:
    """Find Postfix's configuration directory, the given one or its own; raises Misused."""
    text = given or os.environ.get("MAIL_CONFIG") or _ask_directory()
    directory = Path(text.strip()).resolve()
    if not all(os.access(directory / name, os.R_OK) for name in ("main.cf", "master.cf")):
        raise Misused(f"no main.cf and master.cf in {directory}")
    return directory


def _ask_directory() -> str:
    return run_tool([*find_tool("postconf", os.environ), "-h", "config_directory"]).stdout


def settle(given: argparse.Namespace, settings: Settings, domains: list[str]) -> Host:
    """Translate what was asked for, now and by an earlier run, into Postfix's terms.

    Args:
        given: the command line.
        settings: Postfix's configuration.
        domains: the alias domains asked for now.

    Raises:
        Misused: an option is missing, or is none that we can work on.
    """
    earlier = read_earlier(settings)
    domains += earlier.domains
    if not given.remove and not (given.socket or earlier.milter):
        raise Misused("--socket is missing")
    if not given.remove and not domains:
        raise Misused("--alias-domain is missing")
    for name in given.service:
        if settings.find(name) is None:
            raise Misused(f"--service {name}: master.cf has no such service")
    host = Host(
        settings=settings,
        socket=_read_socket(given.socket or earlier.milter, settings),
        domains=tuple(dict.fromkeys(domains)),
        listener=given.listener or DEFAULT_LISTENER,
        signer=_read_signer(given.signer or earlier.signer, settings),
        old_signer=_read_signer(earlier.signer, settings),
        authserv_id=_read_name(given.authserv_id, earlier),
        joined=tuple(given.service),
        exempt=_read_exempt(given.exempt, earlier, settings),
        changed=earlier.changed,
        old_listener=earlier.listener,
        old_milter=earlier.milter,
    )
    if host.signer == host.ours:
        raise Misused("the signer and the tracker have one socket")
    return host


def _read_socket(text: str, settings: Settings) -> Socket:
    socket = read_socket(text, settings) if text else Socket("unix")
    if socket is None:
        raise Misused(f"--socket {text}: write unix:/path or inet:PORT@HOST")
    return socket


def _read_signer(text: str, settings: Settings) -> str:
    address = write_address(text, settings) if text not in ("", "none") else ""
    if address is None:
        raise Misused(f"--signer {text}: write unix:/path, inet:PORT@HOST or inet:HOST:PORT")
    return address


def _read_exempt(given: list[str], earlier: Earlier, settings: Settings) -> tuple[str, ...]:
    """Join what is exempt now with what was before, as far as it is still there."""
    for name in given:
        if name not in ("none", *UNSEEN) and settings.find(name) is None:
            raise Misused(
                f"--exempt {name}: neither a service of master.cf nor {' nor '.join(UNSEEN)}"
            )
    kept = [name for name in earlier.exempt if name in UNSEEN or settings.find(name) is not None]
    wanted = given if "none" in given else [*kept, *given]
    return tuple(dict.fromkeys(name for name in wanted if name != "none"))


def _read_name(given: str, earlier: Earlier) -> str:
    name = given or earlier.authserv_id
    if not names.is_word(name):
        raise Misused(f"--authserv-id {name}: write one word, such as mx.example.com")
    return "" if name == "none" else name
