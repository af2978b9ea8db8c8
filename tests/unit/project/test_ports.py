"""Loopback ports: no two processes are given the same, even if neither listens yet."""

import subprocess
import sys
from pathlib import Path

import private
from private.ports import HIGHEST, LOWEST, free_port

_MANY = """
import sys
sys.path.insert(0, sys.argv[1])
from private.ports import free_port
print(*[free_port() for _ in range(450)], flush=True)
sys.stdin.read()
"""


def test_processes_are_given_different_ports_and_each_only_once() -> None:
    root = Path(private.__file__).parent.parent
    command = [sys.executable, "-c", _MANY, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, **pipes, text=True) as one,
        subprocess.Popen(command, **pipes, text=True) as two,
    ):
        given = [int(port) for each in (one, two) for port in each.stdout.readline().split()]
        given.append(free_port())
        one.communicate()
        two.communicate()
    assert len(set(given)) == len(given) == 901
    assert all(LOWEST <= port < HIGHEST for port in given)
