"""A configuration directory of Postfix as Debian ships it, of one test's own; no Postfix runs."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import warm

from .answering import answering

CONFIGURE = Path(__file__).parents[2] / "postfix" / "configure"
# Debian 12 and 13.
SHIPPED = (Path("/usr/share/postfix/master.cf.dist"), Path("/etc/postfix/master.cf.proto"))
DOMAIN = "ct.example.com"
LISTENER = "127.0.0.1:10027"
OURS = "unix:conversation-tracker/milter.sock"
MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8 [::1]/128
inet_protocols = all
queue_directory = {queue}
"""


def _read_shipped() -> bytes:
    return next(path for path in SHIPPED if path.exists()).read_bytes()


class Configuration:
    """Postfix's configuration directory, and what `configure` makes of it."""

    def __init__(self, home: Path) -> None:
        """Make the directory, and a queue directory beside it, in `home`."""
        self.queue = home / "spool"
        self.directory = home / "etc"
        self.queue.mkdir()
        self.directory.mkdir()
        (self.directory / "main.cf").write_text(MAIN_CF.format(queue=self.queue))
        (self.directory / "master.cf").write_bytes(_read_shipped())
        self._aged()

    @contextmanager
    def signed(self) -> Iterator[None]:
        """Have a milter answer at `unix:d/s` in the queue directory."""
        (self.queue / "d").mkdir()
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.queue / "d" / "s"))
        server.listen()
        with answering(server):
            yield

    @property
    def socket(self) -> str:
        """The tracker's socket, as the tracker has it."""
        return f"unix:{self.queue}/conversation-tracker/milter.sock"

    def postconf(self, *arguments: str) -> str:
        """Run postconf on the directory and return what it says."""
        command = ["postconf", "-c", str(self.directory), *arguments]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self._aged()
        return said

    def set(self, *settings: str) -> None:
        """Set parameters of main.cf, `name=value`, and of services, `name/type/parameter=value`."""
        for setting in settings:
            mode = "-P" if "/" in setting.partition("=")[0] else "-e"
            self.postconf(mode, setting)

    def value(self, parameter: str) -> str:
        """Return a parameter of main.cf, or of a service, as it is written."""
        return self.postconf("-Ph" if "/" in parameter else "-h", parameter)

    def options(self, service: str) -> dict[str, str]:
        """Return the parameters of a service."""
        lines = self.postconf("-P", service).splitlines()
        pairs = (line.partition(" =") for line in lines)
        return {name.rpartition("/")[2]: value.strip() for name, _, value in pairs}

    def configure(
        self, *options: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `configure` with these options besides the directory."""
        command = [str(CONFIGURE), "--config-dir", str(self.directory), *options]
        done = warm.run(command, env=env)
        self._aged()
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    def configured(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `configure` for the example domain; it must succeed."""
        done = self.configure("--socket", self.socket, "--alias-domain", DOMAIN, *options)
        assert done.returncode == 0, done.stderr
        return done

    def files(self) -> dict[str, bytes]:
        """Return what every file of the directory holds."""
        return {path.name: path.read_bytes() for path in sorted(self.directory.iterdir())}

    def put(self, files: Mapping[str, bytes]) -> None:
        """Have these files in the directory and no other."""
        for name in self.files().keys() - files.keys():
            (self.directory / name).unlink()
        for name, data in files.items():
            (self.directory / name).write_bytes(data)
        self._aged()

    def answer(self, table: str, key: str) -> str:
        """Return what one of our tables, a regular expression table, says to a key."""
        command = ["postmap", "-q", key, f"regexp:{self.directory / table}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.stdout.rstrip("\n")

    def _aged(self) -> None:
        """Make the files look old: Postfix waits before it reads what was written just now."""
        for path in self.directory.glob("m*.cf"):
            os.utime(path, (1, 1))


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Configuration]:
    """Postfix as Debian ships it, beside a signer."""
    configuration = Configuration(tmp_path)
    with configuration.signed():
        yield configuration


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Configuration]:
    """Make further such configurations."""
    return lambda: Configuration(tmp_path_factory.mktemp("postfix"))
