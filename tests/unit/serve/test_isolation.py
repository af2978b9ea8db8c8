"""What the parent makes of ends and words: verdicts, and what is kept until it can be written."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conversation_tracker.config.config import Config, load
from conversation_tracker.milter.isolated_filter import MEMORY, TRIAL, WORD
from conversation_tracker.milter.suspects import Suspicion
from conversation_tracker.milter.trial import OUT_OF_MEMORY
from conversation_tracker.serve import child
from conversation_tracker.serve import isolation as module
from conversation_tracker.serve.isolation import Isolation
from conversation_tracker.telemetry.in_flight import NOBODY

A, B = bytes([1] * 32), bytes([2] * 32)


class Parent:
    """An isolation whose processes are only numbers."""

    def __init__(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config, self.isolation = config, Isolation()
        self.pids = iter(range(2**30, 2**30 + 100))
        self.started: list[int] = []
        self.killed: list[tuple[int, int]] = []
        self.now = 1000.0
        monkeypatch.setattr(child, "start", self._start)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(module.os, "kill", lambda *what: self.killed.append(what))

    def _start(self, _work: Any) -> int:
        self.started.append(next(self.pids))
        return self.started[-1]

    def look(self) -> None:
        """Look, with no workers."""
        self.isolation.look({}, self.config)

    def tried(self, digest: bytes, code: int) -> Suspicion:
        """Let a suspect be tried, and its process end; give what is known then."""
        self.asks(digest)
        self.isolation.listen()
        before = len(self.started)
        self.look()
        assert self.isolation.handle_exit(self.started[before], code)
        return self.isolation.suspects.state(digest)

    def asks(self, digest: bytes) -> None:
        """Say what a worker says that has a suspect."""
        ours, theirs = module.socket.socketpair()
        word = WORD.pack(TRIAL, 7, digest, b"Q1")
        module.socket.send_fds(self.isolation.say, [word], [theirs.fileno()])
        ours.close()
        theirs.close()

    def writes(self, code: int) -> None:
        """Let the process that writes end."""
        assert self.isolation.handle_exit(self.isolation._writer, code)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parent]:
    """The parent's part alone."""
    file = tmp_path / "conf"
    file.write_text(f"[tracker]\ndatabase = postgresql:///x\nsocket = unix:{tmp_path}/s\n")
    parent = Parent(load(file, {}), monkeypatch)
    yield parent
    parent.isolation.forget()
    parent.isolation.say.close()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, Suspicion.CLEARED),
        (75, Suspicion.SUSPECTED),
        (70, Suspicion.SUSPECTED),
        (-signal.SIGKILL, Suspicion.SUSPECTED),
        (-signal.SIGTERM, Suspicion.SUSPECTED),
        (-signal.SIGSEGV, Suspicion.CONDEMNED),
        (-signal.SIGABRT, Suspicion.CONDEMNED),
        (OUT_OF_MEMORY, Suspicion.CONDEMNED),
    ],
)
def test_only_what_the_message_did_is_a_verdict(
    parent: Parent, code: int, state: Suspicion
) -> None:
    parent.isolation._suspect(A, "Q1")
    assert parent.tried(A, code) == state


def test_all_in_flight_in_a_worker_that_ended_are_suspects(parent: Parent) -> None:
    in_flight = parent.isolation.in_flight
    in_flight.use(3)
    with in_flight.mark(A, "Q1"), in_flight.mark(NOBODY):
        parent.isolation.suspect_worker(7, 3, 1)
    assert parent.isolation._pending == {A: Suspicion.SUSPECTED}
    assert in_flight.list_marks(3) == []
    with in_flight.mark(B):
        parent.isolation.suspect_worker(7, 3, 0)  # it was asked to end, and did
    assert parent.isolation.suspects.state(B) == Suspicion.UNKNOWN


def test_trials_take_turns_and_the_condemned_gets_none(parent: Parent) -> None:
    for digest in (A, A, B):
        parent.asks(digest)
    parent.isolation.listen()
    parent.look()
    parent.look()
    [first] = parent.started
    parent.isolation.handle_exit(first, -signal.SIGSEGV)
    parent.look()
    trials = [pid for pid in parent.started if pid != parent.isolation._writer]
    assert len(trials) == 2
    assert parent.isolation._trial is not None
    assert parent.isolation._trial.case.digest == B


def test_what_cannot_be_written_is_kept_and_the_condemned_stays_so(parent: Parent) -> None:
    parent.isolation._find(A, Suspicion.CONDEMNED)
    parent.look()
    parent.isolation._find(A, Suspicion.SUSPECTED)
    parent.isolation._find(B, Suspicion.SUSPECTED)
    parent.writes(75)
    parent.look()
    assert parent.isolation._writer == 0
    parent.now += 10
    parent.look()
    assert parent.isolation._writing == {A: Suspicion.CONDEMNED, B: Suspicion.SUSPECTED}
    parent.writes(0)
    assert (parent.isolation._writing, parent.isolation._pending) == ({}, {})


def test_a_trial_that_hangs_where_nothing_is_in_flight_is_ended(parent: Parent) -> None:
    parent.isolation._suspect(A, "Q1")
    parent.asks(A)
    parent.isolation.listen()
    parent.look()
    pid = parent.isolation._trial.pid if parent.isolation._trial else 0
    assert parent.killed == []
    parent.now += module._lifetime_seconds() + 1
    parent.look()
    assert parent.killed == [(pid, signal.SIGKILL)]
    parent.isolation.handle_exit(pid, -signal.SIGKILL)
    assert parent.isolation.suspects.state(A) == Suspicion.SUSPECTED


def test_a_worker_out_of_memory_is_named_and_its_message_suspected(parent: Parent) -> None:
    parent.isolation.say.send(WORD.pack(MEMORY, 77, A, b"Q1"))
    parent.isolation.say.send(b"nonsense")
    assert parent.isolation.listen() == [77]
    assert parent.isolation.suspects.state(A) == Suspicion.SUSPECTED
    assert parent.isolation.listen() == []


def sockets() -> set[str]:
    """Return what names the sockets of this process; others than a test's may end meanwhile."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(str(each.readlink()))
    return {each for each in found if each.startswith("socket:")}


def test_what_nobody_can_hold_is_given_back(parent: Parent) -> None:
    """More suspects than may wait: their connections are closed, and their workers say 451."""
    before = sockets()
    for number in range(module._QUEUE + 10):
        parent.asks(number.to_bytes(32, "big"))
        parent.isolation.listen()
    assert len(parent.isolation._waiting) == module._QUEUE
    assert len(sockets() - before) == module._QUEUE
