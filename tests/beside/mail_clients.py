"""People's mail programs, driven without a screen of their own: mutt, s-nail, Emacs.

Each reads one mail of a mailbox file, answers to all or sends it on, and hands in by SMTP.
"""

import os
import pty
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Protocol

from tests.postfix.mailclient import Person

from private.sink import Mail

ANSWER = "Thank you."
_PATIENCE = 30.0


class Client(Protocol):
    """A mail program; `command` starts it."""

    command: ClassVar[str]

    def answer_all(self, mail: Mail) -> None:
        """Answer everybody whom a mail shows."""

    def redirect(self, mail: Mail, to: str) -> None:
        """Send a mail on as it is (RFC 5322 section 3.6.6)."""


class _Home:
    """The home directory of whoever uses a program, with the mail in a mailbox file."""

    def __init__(self, person: Person, port: int) -> None:
        self.person, self.port = person, port
        self.host = f"pc.{person.address.partition('@')[2]}"
        self.home = Path(tempfile.mkdtemp(prefix="conversation-tracker-client-"))
        self.environ = {"HOME": str(self.home), "PATH": os.defpath, "TERM": "xterm"}
        self.environ |= {"LC_ALL": "C.UTF-8", "MAIL": str(self.home / "mail")}

    def put(self, mail: Mail) -> Path:
        """Write a mail into the mailbox file."""
        path = self.home / "mail"
        data = mail.data.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
        path.write_bytes(b"From x@x Mon Jan  5 11:00:00 2026\n" + data + b"\n")
        return path

    def run(self, command: list[str], said: str = "") -> None:
        """Run a program to its end; RuntimeError, with what it said, where it fails."""
        done = subprocess.run(
            command,
            input=said,
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout[-500:]}{done.stderr[-1000:]}")

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.home)


class Mutt(_Home):
    """mutt, which wants a terminal."""

    command = "mutt"

    def answer_all(self, mail: Mail) -> None:
        """Answer by `g`."""
        self._type(mail, [(b"q:Quit", b"g"), (b"y:Send", b"y"), (b"ail sent", b"q")])

    def redirect(self, mail: Mail, to: str) -> None:
        """Send on by `b`."""
        steps = [(b"q:Quit", b"b"), (b"to:", f"{to}\r".encode()), (b"yes", b"y")]
        self._type(mail, [*steps, (b"ounced", b"q")])

    def _type(self, mail: Mail, steps: list[tuple[bytes, bytes]]) -> None:
        editor = self.home / "editor"
        editor.write_text(f'#!/bin/sh\nsed -i "1i {ANSWER}" "$1"\n')
        editor.chmod(0o755)
        person = self.person
        (self.home / "muttrc").write_text(
            f'set from="{person.address}" realname="{person.name}" use_envelope_from=yes\n'
            f'set smtp_url="smtp://127.0.0.1:{self.port}/" hostname="{self.host}"\n'
            "set ssl_force_tls=no ssl_starttls=no\n"
            f'set editor="{editor}" abort_unmodified=no fast_reply=yes include=yes copy=no\n'
            f'set user_agent=yes header_cache="" record="" folder="{self.home}" move=no\n'
        )
        command = ["mutt", "-n", "-F", "muttrc", "-f", str(self.put(mail))]
        _type_into(command, self.home, self.environ, steps)


class Snail(_Home):
    """s-nail, which is mailx on many systems."""

    command = "s-nail"

    def answer_all(self, mail: Mail) -> None:
        """Answer by `reply`."""
        self._run(mail, f"reply 1\n{ANSWER}\n~m 1\n~.\n")

    def redirect(self, mail: Mail, to: str) -> None:
        """Send on by `resend`."""
        self._run(mail, f"resend 1 {to}\n")

    def _run(self, mail: Mail, said: str) -> None:
        settings = ["v15-compat=yes", f"mta=smtp://127.0.0.1:{self.port}", "smtp-auth=none"]
        settings += [f"from={self.person.mailbox}", f"smtp-hostname={self.host}"]
        options = [word for each in settings for word in ("-S", each)]
        command = ["s-nail", "-:/", "-#", *options, "-f", str(self.put(mail))]
        self.run(command, f"{said}xit\n")


class Emacs(_Home):
    """Emacs' message-mode, which Gnus, Rmail, mu4e and notmuch write with."""

    command = "emacs"

    def answer_all(self, mail: Mail) -> None:
        """Answer by `message-wide-reply`."""
        self._run(
            mail,
            "(rfc2047-decode-region (point-min) (point-max)) (message-wide-reply)"
            f' (goto-char (point-max)) (insert "{ANSWER}\\n")'
            " (message-yank-original) (message-send-and-exit)",
        )

    def redirect(self, mail: Mail, to: str) -> None:
        """Send on by `message-resend`."""
        self._run(mail, f'(message-resend "{to}")')

    def _run(self, mail: Mail, said: str) -> None:
        path = self.home / "mail.eml"
        path.write_bytes(mail.data.replace(b"\r\n", b"\n"))
        person = self.person
        (self.home / "run.el").write_text(
            f"""(require 'message) (require 'smtpmail)
(setq user-mail-address "{person.address}" user-full-name "{person.name}"
      mail-host-address "{self.host}" message-signature nil
      message-send-mail-function 'smtpmail-send-it smtpmail-stream-type 'plain
      smtpmail-smtp-server "127.0.0.1" smtpmail-smtp-service {self.port})
(with-current-buffer (find-file-noselect "{path}") {said})
"""
        )
        self.run(["emacs", "-Q", "--batch", "-l", "run.el"])


ALL = (Mutt, Snail, Emacs)


def _type_into(
    command: list[str], home: Path, environ: dict[str, str], steps: Iterable[tuple[bytes, bytes]]
) -> None:
    """Run a program on a terminal; once it shows some words, type what stands beside them.

    TimeoutError, with what it showed, where it does not, or does not end.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execvpe(command[0], command, environ)
    end = time.monotonic() + _PATIENCE
    try:
        for words, keys in steps:
            _wait_for(terminal, words, end)
            os.write(terminal, keys)
        _wait_for(terminal, None, end)
    except BaseException:
        os.kill(child, 9)
        raise
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def _wait_for(terminal: int, words: bytes | None, end: float) -> None:
    """Read until the words are there, None for the end."""
    seen = b""
    while words is None or words not in seen:
        if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError(f"no {words!r} within {seen[-800:]!r}")
        try:
            read = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody has the other end any more
            read = b""
        if not read and words is None:
            return
        if not read:
            raise TimeoutError(f"ended without {words!r}: {seen[-800:]!r}")
        seen += read
