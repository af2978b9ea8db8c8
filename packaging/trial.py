"""Mail through an installed package, inside a booted root: sent, received, counted, looked at.

Run by packaging/check and packaging/boot as `/usr/bin/python3 -IB trial.py WHAT`:

    host      have this host's Postfix hand all mail to a server of ours
    relay     run that server
    first     the store's first mail: its copy is masked, and the timeline says `sent`
    again     the same for another order
    flow      send mail without a pause until the file `stop` is there; note what was answered 250
    count     each message that was answered 250 was received once, masked
    zsh       a zsh completes the commands by what the package has

Exit code 0, or 1 with the reason on standard error. Everything is noted in /var/lib/trial.
"""

import json
import os
import pty
import re
import select
import signal
import smtplib
import socketserver
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

HOME = Path("/var/lib/trial")
RECEIVED, STOP, LEDGER = HOME / "received", HOME / "stop", HOME / "ledger.json"
RELAY_PORT = 2525
STORE, BUYER, DOMAIN = "orders@store.example.com", "john.doe@customer.example", "ct.example.com"
ALIAS = re.compile(rf"[0-9a-f]{{32}}@{re.escape(DOMAIN)}")
PATIENCE = 60  # seconds


class Refuse(Exception):
    """What was promised does not hold."""


# The server that all mail is handed to ------------------------------------------------------------


class Handler(socketserver.StreamRequestHandler):
    """One SMTP session; each message is a file: MAIL and RCPT lines, an empty line, the message."""

    def handle(self) -> None:
        """Answer until QUIT."""
        self.say("220 relay.example ESMTP")
        envelope: list[bytes] = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.say("221 bye")
                return
            if verb in (b"EHLO", b"HELO"):
                self.say("250 relay.example")
                continue
            if verb in (b"MAIL", b"RSET"):
                envelope = []
            if verb in (b"MAIL", b"RCPT"):
                envelope.append(line)
            if verb == b"DATA":
                self.say("354 go on")
                self.keep(envelope)
            self.say("250 ok")

    def keep(self, envelope: list[bytes]) -> None:
        """Read a message, and note it."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        name = f"{time.time_ns()}-{self.client_address[1]}"
        new = RECEIVED / f".{name}"
        new.write_bytes(b"".join([*envelope, b"\r\n", *lines]))
        new.rename(RECEIVED / name)

    def say(self, line: str) -> None:
        """Send a line."""
        self.wfile.write(f"{line}\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    """The server."""

    allow_reuse_address = True
    daemon_threads = True


def host() -> None:
    """Have Postfix hand all mail to the server."""
    run("postconf", "-e", f"relayhost=[127.0.0.1]:{RELAY_PORT}")
    run("postfix", "reload")


def relay() -> None:
    """Run the server that all mail is handed to."""
    RECEIVED.mkdir(parents=True, exist_ok=True)
    with Server(("127.0.0.1", RELAY_PORT), Handler) as server:
        server.serve_forever()


# What is sent ---------------------------------------------------------------------------------


def send(order: str, subject: str) -> tuple[int, str]:
    """Hand the store's mail for an order to Postfix as its system does; return the last reply."""
    message = EmailMessage()
    message["From"], message["To"] = f"Orders <{STORE}>", f"<{BUYER}>"
    message["Subject"], message["X-Order-Id"] = subject, order
    message["Message-ID"] = f"<{subject}.{time.time_ns()}@store.example.com>"
    message.set_content(f"Thank you, {BUYER}. Questions: {STORE}.\n")
    try:
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
            client.send_message(message, STORE, [BUYER])
        return 250, "ok"
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return code, text.decode("ascii", "replace")
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        return error.smtp_code, said if isinstance(said, str) else said.decode("ascii", "replace")
    except OSError as error:
        return 0, str(error)


def first(order: str = "1001") -> None:
    """Send an order's first mail, and see its copy and its state."""
    code, text = send(order, f"first-{order}")
    if code != 250:
        raise Refuse(f"the first mail was answered {code} {text}")
    look_at(wait("the first mail's copy", lambda: find(f"first-{order}")))
    wait("sent in the timeline", lambda: is_sent(order))
    print(f"order {order}: received masked; sent in the timeline")


def again() -> None:
    """Send another order's mail, and see the same."""
    first(f"again-{time.time_ns()}")


def is_sent(order: str) -> bool:
    """Whether all of the order's mail is known to have been sent."""
    said = ask_program("timeline", "mystore", order, "--json")
    return set(re.findall(r'"state": *"(\w+)"', said)) == {"sent"}


def find(subject: str) -> bytes:
    """Return the message received with this subject, or nothing."""
    for path in RECEIVED.glob("[0-9]*"):
        text = path.read_bytes()
        if f"\nSubject: {subject}\r\n".encode() in text:
            return text
    return b""


def look_at(message: bytes) -> None:
    """See that a copy goes to the buyer, shows them themselves only, and the store by an alias."""
    text = message.decode("ascii", "replace")
    envelope, _, content = text.partition("\r\n\r\n")
    headers = content.partition("\r\n\r\n")[0]
    if f"RCPT TO:<{BUYER}>" not in envelope:
        raise Refuse(f"a copy went elsewhere: {envelope}")
    if not re.search(rf"^MAIL FROM:<bounce-{ALIAS.pattern}>", envelope):
        raise Refuse(f"the envelope sender is no bounce address of ours: {envelope}")
    if not re.search(rf"^From: .*@([\w.-]+\.)?{re.escape(DOMAIN)}>", headers, re.MULTILINE):
        raise Refuse(f"From is no alias:\n{headers}")
    if f"<{STORE}>" in headers or "X-Order-Id" in headers:
        raise Refuse(f"the copy is not masked:\n{headers}")


# Mail that flows ------------------------------------------------------------------------------


def flow() -> None:
    """Send mail for many orders until told to stop; what is not taken is sent again."""
    taken, refused, longest, since = [], Counter[str](), 0.0, time.monotonic()
    number = 0
    while not STOP.exists():
        number += 1
        subject = f"flow-{number:06}"
        while (answer := send(f"flow-{number // 50}", subject))[0] != 250:
            if 500 <= answer[0] < 600:
                raise Refuse(f"mail was refused for good: {answer}")
            refused[f"{answer[0]} {answer[1][:60]}"] += 1
            time.sleep(0.1)
        longest, since = max(longest, time.monotonic() - since), time.monotonic()
        taken.append(subject)
    LEDGER.write_text(json.dumps({"taken": taken, "refused": refused, "longest": longest}), "utf-8")


def count() -> None:
    """Compare what was taken with what was received."""
    ledger = json.loads(LEDGER.read_text("utf-8"))
    taken = set(ledger["taken"])

    def list_received() -> Counter[str]:
        found = Counter[str]()
        for path in RECEIVED.glob("[0-9]*"):
            message = path.read_bytes()
            if subject := re.search(rb"\nSubject: (flow-\d+)\r\n", message):
                found[subject[1].decode()] += 1
        return found

    wait("what was taken", lambda: list_received().keys() >= taken)
    for path in RECEIVED.glob("[0-9]*"):
        look_at(path.read_bytes())
    received = list_received()
    # Of a client that saw no answer the same mail may come twice.
    doubled = {subject for subject, times in received.items() if times > 1 and subject in taken}
    if len(doubled) > sum(ledger["refused"].values()):
        raise Refuse(f"{len(doubled)} messages were received twice")
    waited = ", ".join(f"{times} times {answer}" for answer, times in ledger["refused"].items())
    print(
        f"mail that flowed: {len(taken)} taken, all received masked, {len(doubled)} twice;"
        f" told to come again: {waited or 'never'}; the longest wait was {ledger['longest']:.1f} s"
    )


# Beside all that ------------------------------------------------------------------------------


def wait(what: str, ask: Callable[[], Any]) -> Any:
    """Wait for an answer that is true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (answer := ask()):
        if time.monotonic() > end:
            raise Refuse(f"{what}: not there after {PATIENCE} s")
        time.sleep(0.5)
    return answer


def run(*command: str) -> str:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        raise Refuse(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ask_program(*arguments: str) -> str:
    """Run the program as its user."""
    return run("runuser", "-u", "conversation-tracker", "--", "conversation-tracker", *arguments)


# Completion ---------------------------------------------------------------------------------------


def complete() -> None:
    """Type the beginning of a word to a zsh at a terminal, and see the rest of it there."""
    for typed, rest in (
        (b"conversation-tracker time\t", b"timeline"),
        (b"conversation-tracker-setup --al\t", b"--alias-domain"),
    ):
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.defpath, "TERM": "dumb"})
        try:
            os.write(terminal, b"autoload -Uz compinit && compinit -u -D && echo re''ady\n")
            read_until(terminal, b"ready")
            os.write(terminal, typed)
            read_until(terminal, rest)
        finally:
            os.close(terminal)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def read_until(terminal: int, words: bytes) -> None:
    """Read what a terminal shows until the words are there."""
    shown, end = b"", time.monotonic() + PATIENCE
    while words not in shown:
        if time.monotonic() > end:
            raise Refuse(f"{words.decode()} is not shown: {shown.decode(errors='replace')}")
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 4096)


def main(what: str) -> int:
    """Do what is asked for."""
    HOME.mkdir(parents=True, exist_ok=True)
    steps = {
        "host": host, "relay": relay, "first": first, "again": again, "flow": flow, "count": count,
        "zsh": complete,
    }  # fmt: skip
    try:
        steps[what]()
    except Refuse as error:
        print(f"trial: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
