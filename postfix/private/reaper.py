"""Ends servers and removes their temporary directory when the process that started them is gone.

The reaper is a small process in a session of its own, so Ctrl-C does not reach it. It waits on a
pipe from its owner; when the pipe closes, for whatever reason, it ends the servers whose process
ids it has and removes the directory. That covers a normal end, an exception, a second Ctrl-C and
SIGKILL alike. A server that does not end on its gentle signal is killed; nothing is reported then.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from private import processes

_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from private import reaper; reaper.main()"


class Reaper:
    """A temporary directory and servers, none of which outlives this process.

    `directory` is the path, below `parent` if one is given, with mode 0755 since servers of other
    users live in it.
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        name = f"conversation-tracker-{prefix}-"
        self.directory = Path(tempfile.mkdtemp(prefix=name, dir=parent))
        self.directory.chmod(0o755)
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE, root, str(self.directory)],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        gentle: int = signal.SIGTERM,
    ) -> "subprocess.Popen[bytes]":
        """Start a server in the foreground, as the leader of a session of its own.

        `log` gets its output, `user` runs it (this process must be root then), `gentle` is the
        signal its process group gets when we are gone. Call `end` or `forget` once it is finished.
        Raises OSError when it cannot be started.
        """
        identity: dict[str, object] = {"user": user, "group": user, "extra_groups": []}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=environment,
                start_new_session=True,
                **(identity if user else {}),  # type: ignore[call-overload]
            )
        self._send(f"watch {process.pid} {int(gentle)}")
        return process  # type: ignore[no-any-return]

    def end(self, process: "subprocess.Popen[bytes]", gentle: int, timeout: float = 10.0) -> None:
        """End a server started here by the signal `gentle`, by SIGKILL after `timeout` seconds."""
        processes.end_group(process.pid, gentle, timeout)
        process.wait()
        self.forget(process)

    def forget(self, process: "subprocess.Popen[bytes]") -> None:
        """Leave a server alone: it has ended, and its process id may be someone else's."""
        self._send(f"forget {process.pid} 0")

    def close(self) -> None:
        """End all servers that still run and remove the directory; a second call does nothing."""
        pipe = self._pipe
        if not pipe.closed:
            pipe.close()
            self._process.wait()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _send(self, line: str) -> None:
        self._pipe.write(line.encode() + b"\n")
        self._pipe.flush()


def main() -> None:
    """Wait until standard input ends; then end the servers and remove `sys.argv[2]`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, int] = {}
    for line in sys.stdin.buffer:
        verb, process, gentle = line.split()
        if verb == b"watch":
            watched[int(process)] = int(gentle)
        else:
            watched.pop(int(process), None)
    for leader, signal_number in watched.items():
        processes.end_group(leader, signal_number)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
