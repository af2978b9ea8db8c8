"""A private Postfix.

It lives in a temporary directory with configuration, queue, data and log of its own, listens on
loopback ports only, and sends everything to one loopback port (a sink): even a wrong transport
cannot leave the machine, since its client's own address is bound to loopback. The machine's own
/etc/postfix is never read or written. Postfix's master must start as root: PermissionError if not.
RuntimeError, with the log, when it does not start.
"""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from private import processes
from private.accounts import Accounts
from private.defaults import DIRECTORIES, MASTER, QUEUES, defaults
from private.ports import free_port
from private.server import Server

Settings = Mapping[str, str | int]


class Postfix(Server):
    """One Postfix instance.

    `sink_port` is where all mail goes; without it recipients get 450. `mynetworks` and
    `relay_domains` are lists as in main.cf, `accounts` the passwords of users who may authenticate
    at the submission port, `settings` any further main.cf parameters. `port` and `submission_port`
    (for mynetworks and the authenticated; {daemon_name} is `submission`) accept mail; `directory`
    is where sockets for it may lie; `config` is its configuration directory. XCLIENT is believed
    from loopback, so a test can speak as any client. When it is stopped mail stays in its queue;
    when it is started again every process has the configuration as it is then.
    """

    _name = "Postfix"

    def __init__(
        self,
        sink_port: int | None = None,
        *,
        hostname: str = "mail.example.com",
        mynetworks: str = "127.0.0.0/8",
        relay_domains: str = "",
        accounts: Mapping[str, str] | None = None,
        settings: Settings | None = None,
    ) -> None:
        if os.geteuid() != 0:
            raise PermissionError("a private Postfix needs root: its master starts as root")
        self.port, self.submission_port = free_port(), free_port()
        super().__init__("postfix")
        self.config = self.directory / "config"
        self.log = self.directory / "mail.log"
        self._accounts: Accounts | None = None
        own = {"myhostname": hostname, "mynetworks": mynetworks, "relay_domains": relay_domains}
        try:
            self._write_main(defaults(self.directory, sink_port) | own | dict(settings or {}))
            self._write_master(authenticate="no" if accounts is None else "yes")
            if accounts is not None:
                self._accounts = Accounts(self.directory / "accounts", accounts)
        except BaseException:
            self._reaper.close()
            raise

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._settle()
        return self._reaper.spawn(
            [Path(self.postconf("daemon_directory")) / "master", "-c", self.config, "-d"],
            log=self.directory / "master.out",
            environment=self._environment(),
        )

    def reload(self) -> None:
        """Make the instance read its configuration again; busy processes keep the old one."""
        before = self.log_text().count("reload -- version")
        self._settle()
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)
        processes.until(lambda: self.log_text().count("reload -- version") > before, 10.0)

    def close(self) -> None:
        """Stop the instance if it runs and remove all it had."""
        try:
            self.stop()
        finally:
            if self._accounts is not None:
                self._accounts.close()
                self._accounts = None
            super().close()

    def postconf(self, name: str) -> str:
        """Return the value in force of one main.cf parameter."""
        return self._run("postconf", "-hx", name).strip()

    def configure(self, settings: Settings) -> None:
        """Set main.cf parameters; `restart` or `reload` makes them count."""
        self._run("postconf", "-e", *[f"{name}={value}" for name, value in settings.items()])
        self._settle()

    def add_main(self, text: str) -> None:
        """Append a fragment to main.cf as it stands."""
        self._append("main.cf", text)

    def add_master(self, text: str) -> None:
        """Append a fragment, services with their options, to master.cf as it stands."""
        self._append("master.cf", text)

    def edit_master(self, service: str, settings: Settings) -> None:
        """Set options (-o) of one service, named as in `postconf -P`: "NAME/TYPE"."""
        edits = [f"{service}/{name}={value}" for name, value in settings.items()]
        self._run("postconf", "-P", "-e", *edits)
        self._settle()

    @property
    def smtpd(self) -> str:
        """The first smtpd's name for `edit_master`."""
        return f"127.0.0.1:{self.port}/inet"

    @property
    def submission(self) -> str:
        """The second smtpd's name for `edit_master`."""
        return f"127.0.0.1:{self.submission_port}/inet"

    def flush(self) -> None:
        """Make the queue manager try all deferred mail now."""
        self._run("postqueue", "-f")

    def queue(self) -> list[dict[str, Any]]:
        """Return what is in the queue, one dictionary per message as `postqueue -j` gives them."""
        return [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]

    def holds_mail(self) -> bool:
        """Whether any file is in the queue, be it one that is just written.

        That costs a hundredth of what `queue` does, which runs a program for it. A message that
        changes queues meanwhile may not be seen, as with `queue`.
        """
        folders = (os.walk(self.directory / "queue" / name) for name in QUEUES)
        return any(files for folder in folders for _, _, files in folder)

    def wait_until_queue_empty(self, timeout: float = 20.0) -> None:
        """Wait until all mail has gone; TimeoutError, with the reasons, after `timeout` seconds."""
        empty = 0

        def settled() -> bool:
            nonlocal empty
            empty = 0 if self.holds_mail() else empty + 1
            return empty > 1

        if not processes.until(settled, timeout, interval=0.01):
            log = self.log_text()[-3000:]
            raise TimeoutError(f"mail is left in the queue: {self.queue()}\n{log}")

    def wait_for_log(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Return the first match of a regular expression in the log; TimeoutError without one."""
        if not processes.until(lambda: re.search(pattern, self.log_text()), timeout):
            raise TimeoutError(f"the mail log never said {pattern!r}")
        match = re.search(pattern, self.log_text())
        assert match is not None
        return match

    def _write_main(self, settings: Settings) -> None:
        """Make the directories as Postfix's own installer does, and write main.cf."""
        for name, owner, group, mode in DIRECTORIES:
            path = self.directory / name
            path.mkdir()
            shutil.chown(path, owner, group)
            path.chmod(mode)
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        self._append("main.cf", "".join(lines))

    def _write_master(self, authenticate: str) -> None:
        master = MASTER.format(
            port=self.port, submission_port=self.submission_port, authenticate=authenticate
        )
        self._append("master.cf", master)

    def _append(self, name: str, text: str) -> None:
        with (self.config / name).open("a") as file:
            file.write(f"\n{text.rstrip()}\n")
        self._settle()

    def _settle(self) -> None:
        """Date the configuration back: Postfix waits seconds before it reads a new one."""
        past = time.time() - 60
        for path in self.config.iterdir():
            os.utime(path, (past, past))

    def _run(self, program: str, *arguments: str) -> str:
        """Run one of Postfix's commands on this instance; RuntimeError when it fails."""
        done = subprocess.run(
            [f"/usr/sbin/{program}", "-c", str(self.config), *arguments],
            env=self._environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr}{self.log_text()}")
        return done.stdout

    def _complaint(self) -> str:
        """Return what is wrong with the configuration: early errors go to a terminal or nowhere."""
        ours, theirs = pty.openpty()
        command = ["/usr/sbin/postfix", "-c", str(self.config), "check"]
        try:
            subprocess.run(command, env=self._environment(), stderr=theirs, check=False)
            os.write(theirs, b"\n")
            return os.read(ours, 4096).decode(errors="replace") + self.log_text()
        finally:
            os.close(theirs)
            os.close(ours)

    def _environment(self) -> dict[str, str]:
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "LC_ALL": "C", "MAIL_CONFIG": str(self.config)}

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
        ):
            greeting = connection.recv(512)
            connection.sendall(b"QUIT\r\n")
            return greeting.startswith(b"220 ")
        return False
