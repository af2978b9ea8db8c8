"""A mail host to set up with somebody else's programs, and what is tried on each.

What is tried is the case files of tests/postfix: they hold every copy and every row of the timeline
against what must be there, and look for everybody's address in all that leaves. RuntimeError or
AssertionError tell what went wrong.
"""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from tests.postfix.casefile import read
from tests.postfix.player import Player
from tests.postfix.signer import Signer
from tests.postfix.stage import ACCOUNT, DOMAIN, OTHER_DOMAIN, Shop, Stage, populated

from conversation_tracker.checks import run as checks
from conversation_tracker.config.config import load
from private import processes
from private.mailhost import MailHost
from private.postgres import Postgres
from private.sink import Mail

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "postfix" / "cases"
ID = "mx.example.com"
# An order's conversation in both directions, several recipients, a bounce, and forgeries.
CONVERSATION = (
    "one-store-names-order-by-header",
    "one-buyer-answers-partner",
    "one-partner-to-store",
    "several-store-to-buyer-and-partner",
    "several-orders-and-stores",
    "bounce-one",
    "bounce-answered-from-a-sender",
    "loop-from-outside",
    "pass-forged",
)


@dataclass
class Bench:
    """The servers that all set-ups share."""

    postgres: Postgres
    migrated: str


@dataclass
class Site:
    """One set-up: its stage, and what else is to be looked at once mail has passed."""

    stage: Stage
    signer: Signer | None = None
    uri: str = ""
    seen: int = 0
    _unsigned: list[str] = field(default_factory=list)

    @property
    def host(self) -> MailHost:
        """The mail host."""
        return self.stage.host

    def play(self, *names: str) -> None:
        """Play case files, and see that every copy that left bears a good signature."""
        for name in names:
            Player(self.stage, read(CASES / f"{name}.case")).play()
        if self.signer is not None:
            self.look_at_signatures()

    def look_at_signatures(self) -> None:
        """See that each mail with an alias in From was signed, and the signature is good."""
        assert self.signer is not None
        found = [mail for mail in self.host.sink.messages if _is_ours(mail)]
        assert found, "no copy left"
        bad = [mail for mail in found if not self.signer.verifies(mail.data)]
        assert not bad, f"{len(bad)} of {len(found)} copies bear no good signature"

    def check(self, verdict: str = "WRONG") -> list[str]:
        """Run `check`, and return what it finds wrong, or its lines with another verdict."""
        out = io.StringIO()
        environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(self.host.postfix.config)}
        checks.run(load(self.host.tracker.config, {}), out, environ)
        return [line for line in out.getvalue().splitlines() if line.startswith(verdict)]

    def complains(self, words: str) -> bool:
        """Return whether `check` finds something wrong, in these words."""
        return any(words in line for line in self.check())

    def refuses(self, words: str) -> bool:
        """Return whether `configure` refuses to set up Postfix as it is now, in these words."""
        try:
            self.host.configure()
        except RuntimeError as error:
            return words in str(error)
        return False

    @contextmanager
    def followed(self) -> Iterator[Path]:
        """Follow Postfix's log; give what it says of that."""
        with tempfile.TemporaryDirectory(prefix="conversation-tracker-follow-") as home:
            said = Path(home) / "said"
            command = [sys.executable, "-m", "conversation_tracker", "-c"]
            command += [str(self.host.tracker.config), "follow", "--state", f"{home}/state"]
            command += ["--log", str(self.host.postfix.log)]
            environ = {**os.environ, "MAIL_CONFIG": str(self.host.postfix.config)}
            with said.open("wb") as file:
                process = subprocess.Popen(command, stderr=file, env=environ)
            try:
                processes.until(lambda: '"following"' in said.read_text(), 20.0)
                yield said
            finally:
                process.terminate()
                process.wait(20)

    def shop(self, **columns: object) -> Shop:
        """Return a store that nobody used before."""
        return self.stage.shop(**columns)


@contextmanager
def set_up(
    bench: Bench,
    *,
    milters: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    signer: Signer | None = None,
    behind: str = "",
    issuer: str = "soft",
    hostname: str = "",
) -> Iterator[Site]:
    """Set up a mail host, by the project's own `configure`.

    Args:
        bench: the servers it uses.
        milters: those before the tracker.
        settings: of main.cf.
        options: lines of the tracker's configuration.
        signer: an OpenDKIM behind the tracker.
        behind: another milter behind it, as Postfix names it.
        issuer: what the stores' issuer_mask is.
        hostname: the machine's name as Postfix and the tracker know it.
    """
    own = {"local_header_rewrite_clients": "permit_sasl_authenticated", **(settings or {})}
    if milters:
        own["smtpd_milters"] = ", ".join(milters)
    with ExitStack() as stack:
        uri, connection = stack.enter_context(populated(bench.postgres, bench.migrated))
        connection.execute("UPDATE tracker.stores SET issuer_mask = %s", (issuer,))
        host = stack.enter_context(
            MailHost(
                uri,
                (DOMAIN, OTHER_DOMAIN),
                signer=behind or (signer.socket if signer is not None else None),
                accounts={ACCOUNT[0]: ACCOUNT[1]},
                options=options,
                settings=own,
                hostname=hostname,
            )
        )
        yield Site(Stage(host, connection), signer, uri)


def _is_ours(mail: Mail) -> bool:
    author = b" ".join(mail.header("From")).lower()
    return bool(mail.header("X-Conversation-Hops")) and DOMAIN.encode() in author


def count_recorded(uri: str) -> int:
    """Count the messages that are recorded."""
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT count(*) FROM tracker.messages").fetchone()
    assert row is not None
    return int(row[0])
