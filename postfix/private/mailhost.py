"""A whole private mail host: Postfix with the tracker beside it, and a sink for all it sends.

Postfix is set up by the project's own `configure`, so what holds here holds where an administrator
ran it. The database is the caller's, migrated. RuntimeError when a part does not start.
"""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from private.client import Client, Transaction
from private.ports import free_port
from private.postfix import Postfix, Settings
from private.sink import Mail, Sink
from private.tracker import Tracker

CONFIGURE = Path(__file__).resolve().parent.parent / "configure"


class MailHost:
    """Postfix, tracker and sink, from `with` to the end of the block.

    `database` is a libpq URI, `domains` the alias domains that Postfix is set up for. `outside` is
    a client address that is in no trusted network, for mail from the Internet. `hostname` is the
    machine's name as tracker and Postfix know it; one of several hosts needs its own. `socket` is
    what Postfix uses instead of the tracker's socket, if something stands between the two.
    """

    outside = "198.51.100.7"

    def __init__(
        self,
        database: str,
        domains: Sequence[str] = ("ct.example.com",),
        *,
        signer: str | None = None,
        socket: str | None = None,
        settings: Settings | None = None,
        accounts: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        hostname: str = "",
    ) -> None:
        self._stack = ExitStack()
        self._database = database
        self._tracker: dict[str, Any] = {"options": options, "hostname": hostname}
        self._postfix = {"hostname": hostname} if hostname else {}
        self._domains, self._signer, self._socket = domains, signer, socket
        self._settings, self._accounts = settings, accounts

    def __enter__(self) -> Self:
        with self._stack:
            self.sink = self._stack.enter_context(Sink())
            self.tracker = self._stack.enter_context(Tracker(self._database, **self._tracker))
            self.postfix = Postfix(
                self.sink.port, settings=self._settings, accounts=self._accounts, **self._postfix
            )
            self._stack.callback(self.postfix.close)
            self.configure()
            self.postfix.start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def configure(self, *more: str) -> str:
        """Set Postfix up for the tracker, as an administrator would; return what it said."""
        socket = self._socket or self.tracker.socket
        command = [CONFIGURE, "--config-dir", self.postfix.config, "--socket", socket]
        command += ["--listener", f"127.0.0.1:{free_port()}"]
        for domain in self._domains:
            command += ["--alias-domain", domain]
        if self._signer is not None:
            command += ["--signer", self._signer]
        done = subprocess.run(
            [*map(str, command), *more], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"configure: {done.stdout}{done.stderr}")
        return done.stdout

    def send(
        self, sender: str, recipients: Sequence[str] | str, data: bytes, *, trusted: bool = False
    ) -> Transaction:
        """Hand one message in at port 25, from the Internet or from the store's own network."""
        to = [recipients] if isinstance(recipients, str) else list(recipients)
        with Client(self.postfix.port) as client:
            if not trusted:
                client.command(f"XCLIENT ADDR={self.outside} NAME=client.example.org")
                client.command("EHLO client.example.org")
            return client.send(sender, to, data)

    def deliver(
        self,
        sender: str,
        recipients: Sequence[str] | str,
        data: bytes,
        *,
        trusted: bool = False,
        copies: int = 1,
    ) -> list[Mail]:
        """Hand one message in, and return the copies that leave for it; RuntimeError if refused."""
        before = len(self.sink.messages)
        replies = self.send(sender, recipients, data, trusted=trusted)
        if not replies.ok:
            raise RuntimeError(f"refused: {replies.final}\n{self.tracker.log_text()}")
        self.sink.wait_for(before + copies, 30.0)
        self.postfix.wait_until_queue_empty()
        return self.sink.messages[before:]
