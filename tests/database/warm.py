"""Runs commands of the package in forks of a process that has imported all of it.

To start Python and to import takes a command several times as long as to do its work, and the
tests run hundreds of them. `run` does what `subprocess.run` does with captured output, in a process
of the command's own with arguments, environment and streams of its own. What a fork cannot show
(that each command imports what it needs, terminals, closed streams) is for a real process.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import NoReturn

SOURCES = Path(__file__).parents[2] / "milter"
PACKAGE = "conversation_tracker"
_PROGRAMS = {"configure": f"{PACKAGE}.cli.configure"}
_ENDS = (signal.SIGHUP, signal.SIGTERM)  # what a child ignores if its parent does
_MOST = 1 << 20  # octets of a command with its environment


def run(
    command: Sequence[str | bytes | Path],
    *,
    input: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> "subprocess.CompletedProcess[bytes]":
    """Run `python -m MODULE ...`, or a program of ours, to its end.

    Args:
        command: the whole command line.
        input: what it reads.
        env: its environment; that of this process if not given.
        timeout: seconds after which it is killed, with subprocess.TimeoutExpired.
    """
    words = [os.fsdecode(word) for word in command]
    program = _PROGRAMS.get(Path(words[0]).name)
    module, arguments = (program, words[1:]) if program else (words[2], words[3:])
    assert program or words[1] == "-m", words
    ignored = [each for each in _ENDS if signal.getsignal(each) is signal.SIG_IGN]
    environ = dict(os.environ if env is None else env)
    asked = json.dumps([module, [words[0], *arguments], environ, ignored])
    with ExitStack() as stack:
        outputs = [os.pipe() for _ in ("stdout", "stderr")]
        for each, _ in outputs:
            stack.callback(os.close, each)
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        with open(os.memfd_create("stdin"), "w+b") as given:  # noqa: PTH123
            given.write(input)
            given.seek(0)
            connection.connect(_address())
            streams = [given.fileno(), *(written for _, written in outputs)]
            socket.send_fds(connection, [asked.encode()], streams)
        for _, each in outputs:
            os.close(each)
        process = int(connection.recv(100))
        try:
            out, err = _read([each for each, _ in outputs], timeout)
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(words, timeout) from None
        return subprocess.CompletedProcess(command, int(connection.recv(100)), out, err)


def _read(pipes: list[int], timeout: float) -> list[bytes]:
    """Read pipes until nobody writes to any; TimeoutError after so many seconds."""
    deadline = time.monotonic() + timeout
    found, live = dict.fromkeys(pipes, b""), set(pipes)
    while live:
        ready, _, _ = select.select(live, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        for each in ready:
            data = os.read(each, 1 << 16)
            found[each] += data
            if not data:
                live.discard(each)
    return list(found.values())


@cache
def _address() -> str:
    """Start the process that forks, once for this process; return where it answers."""
    address = f"\0{PACKAGE}-warm-{os.getpid()}-{time.monotonic_ns()}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), "LC_ALL": "C.UTF-8"}
    # It ends when the pipe to it does, which is when this process ends.
    server = subprocess.Popen(
        [sys.executable, __file__, address.removeprefix("\0")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    atexit.register(server.kill)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return address


# In the process that forks -----------------------------------------------------------------------


def _serve(address: str) -> None:
    for each in pkgutil.walk_packages([str(SOURCES / PACKAGE)], f"{PACKAGE}."):
        if not each.name.endswith(".__main__"):
            importlib.import_module(each.name)
    gc.freeze()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(f"\0{address}")
        server.listen(16)
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(connection)
            connection.close()
            _reap()


def _end_with_stdin() -> None:
    os.read(0, 1)
    os._exit(0)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _answer(connection: socket.socket) -> NoReturn:
    """Run what is asked in a process of its own, and tell its id and then how it ended."""
    asked, streams, _, _ = socket.recv_fds(connection, _MOST, 3)
    process = os.fork()
    if process == 0:
        connection.close()
        _become(*json.loads(asked), streams)
    for each in streams:
        os.close(each)
    connection.send(b"%d" % process)
    _, status = os.waitpid(process, 0)
    connection.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(
    module: str,
    arguments: list[str],
    environment: dict[str, str],
    ignored: list[int],
    streams: list[int],
) -> NoReturn:
    """Be a fresh Python that runs a module as its program."""
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors)  # noqa: PTH123, SIM115
        for number, mode, errors in (
            (0, "r", "surrogateescape"),
            (1, "w", "surrogateescape"),
            (2, "w", "backslashreplace"),
        )
    )
    sys.argv = arguments
    gc.unfreeze()
    code = _outcome(module)
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        code = 120
    sys.stderr.flush()
    os._exit(code)


def _outcome(module: str) -> int:
    """Run the module; return the exit code that Python would give."""
    try:
        if module == PACKAGE:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        raise SystemExit(importlib.import_module(module).main())
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
