"""Policy servers that Postfix asks at RCPT: postgrey, and policyd-spf behind a table for DNS."""

import shutil
from pathlib import Path

from beside.program import Program, answers
from private.ports import free_port
from private.postfix import Postfix


class Postgrey(Program):
    """Postgrey, which defers whom it does not know for a second; `port` is where it answers."""

    name, user = "postgrey", "postgrey"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._known = self.folder("known")

    def command(self) -> list[str | Path]:
        command: list[str | Path] = ["postgrey", f"--inet=127.0.0.1:{self.port}"]
        command += [f"--dbdir={self._known}", f"--user={self.user}", f"--group={self.user}"]
        return [*command, "--delay=1", "--auto-whitelist-clients=1"]

    def runs_as(self) -> str | None:
        return None

    def ready(self) -> bool:
        return answers(self.port)()


# Runs the real program with a table in the place of DNS: there is no name server here.
_RUNNER = """
import runpy, sys
import spf
records = dict(line.split(" ", 1) for line in open(sys.argv[1]).read().splitlines())
def look_up(name, kind, *_, **__):
    text = records.get(name.rstrip("."))
    return [((name, kind), (text.encode(),))] if text and kind == "TXT" else []
spf.DNSLookup = look_up
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_RULES = "TestOnly = 1\nHELO_reject = False\n"


class SpfPolicy(Program):
    """policyd-spf, which Postfix itself starts; `records` are domains' SPF records.

    It prepends what it found to the mail, as Authentication-Results in the name `authserv_id`, or,
    where that is "", as Received-SPF.
    """

    name, user = "policyd-spf", "policyd-spf"

    def __init__(self, records: dict[str, str], authserv_id: str = "") -> None:
        super().__init__()
        self.directory.chmod(0o755)
        table = _write_records(records)
        how = f"Header_Type = AR\nAuthserv_Id = {authserv_id}\n" if authserv_id else ""
        self._words = [
            str(self.write("runner.py", _RUNNER)),
            str(self.write("records", table)),
            "/usr/bin/policyd-spf",
            str(self.write("policyd-spf.conf", _RULES + how)),
        ]

    def start(self) -> None:
        """Do nothing: Postfix starts it for each connection."""

    def stop(self) -> None:
        """Do nothing: it ends with Postfix."""

    def serve(self, postfix: Postfix, before: str) -> None:
        """Have Postfix ask it about all but what the restrictions `before` let in."""
        python = shutil.which("python3", path="/usr/bin")
        postfix.add_master(
            f"policyd-spf unix - n n - 0 spawn user={self.user}"
            f" argv={python} {' '.join(self._words)}"
        )
        asked = "reject_unauth_destination, check_policy_service unix:private/policyd-spf"
        postfix.configure({"smtpd_recipient_restrictions": f"{before}, {asked}"})
        postfix.restart()


class SpfMilter(Program):
    """pyspf-milter, the same as a milter; `socket` is where it answers."""

    name = user = "pyspf-milter"

    def __init__(self, records: dict[str, str], authserv_id: str) -> None:
        super().__init__()
        self._path = self.socket_folder() / "spf.sock"
        self.socket = f"unix:{self._path}"
        rules = f"{_RULES}Authserv_Id = {authserv_id}\nSocket = local:{self._path}\n"
        rules += f"PidFile = {self.directory}/pid\nUserID = {self.user}:postfix\n"
        rules += "InternalHosts = 192.0.2.1\nUMask = 007\n"
        self._words: list[str | Path] = ["/usr/bin/python3", self.write("runner.py", _RUNNER)]
        self._words += [self.write("records", _write_records(records)), "/usr/bin/pyspf-milter"]
        self._words.append(self.write("spf.conf", rules))

    def command(self) -> list[str | Path]:
        return self._words

    def runs_as(self) -> str | None:
        return None

    def ready(self) -> bool:
        return self._path.exists()


def _write_records(records: dict[str, str]) -> str:
    return "".join(f"{domain} {record}\n" for domain, record in records.items())
