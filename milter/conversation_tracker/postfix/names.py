"""Names: what an administrator may give or types, and made-up ones; domains, commands, aliases."""

import re
from pathlib import Path

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,200}}\Z)(?:{_LABEL}\.)+{_LABEL}")
_NO_WORD = re.compile(r'[\s\x00-\x1f\x7f;"/]')
_OF_PACKAGES = "/usr/lib/python3/"  # where Debian's packages have their modules
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost):[0-9]+")


def read_domain(text: str) -> str | None:
    """Read an alias domain, in lower case; None if it is no domain name."""
    domain = text.lower().removesuffix(".")
    return domain if _DOMAIN.fullmatch(domain) else None


def is_word(text: str) -> bool:
    """Whether a text can be the name of a verifier (authserv-id) to Postfix's tables."""
    return _NO_WORD.search(text) is None


def is_loopback(text: str) -> bool:
    """Whether a text is HOST:PORT on this host only."""
    return _LOOPBACK.fullmatch(text) is not None


def name_command(script: str, module: Path = Path(__file__)) -> str:
    """Return what an administrator types to run a script of `postfix/`.

    Args:
        script: its name there: configure, install or signer.
        module: a file of the program: the Debian package has those scripts under other names.
    """
    if not str(module).startswith(_OF_PACKAGES):
        return f"postfix/{script}"
    return f"conversation-tracker-{'setup' if script == 'install' else script}"


def list_authors(domain: str) -> tuple[str, str]:
    """Return an alias of each form: hard, soft.

    Args:
        domain: the alias domain.
    """
    return f"{'0' * 32}@{domain}", f"somebody@signer-probe.invalid-000000000000b.{domain}"
