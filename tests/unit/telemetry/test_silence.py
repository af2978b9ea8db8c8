"""Whatever fails, and wherever: no reply, log line or error of ours quotes what failed."""

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from conversation_tracker.cli import commands
from conversation_tracker.cli import main as cli
from conversation_tracker.milter.admission import Admission
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.session import Session
from conversation_tracker.telemetry import log_setup as logs
from conversation_tracker.telemetry.events import log
from leak_audit import named

JOHN = "john@doe.example"


def plain() -> None:
    raise ValueError(f"what is {JOHN}?")


def caused() -> None:
    try:
        plain()
    except ValueError as error:
        raise RuntimeError(JOHN) from error


def meanwhile() -> None:
    try:
        plain()
    except ValueError:
        {}[JOHN]


def noted() -> None:
    error = TypeError(JOHN)
    error.add_note(f"while {JOHN} was read")
    raise error


def grouped() -> None:
    raise ExceptionGroup(JOHN, [ValueError(JOHN)])


def undecodable() -> None:
    (JOHN.encode() + b"\xff").decode("utf-8")


def refused() -> None:
    raise psycopg.errors.CheckViolation(f"DETAIL:  Failing row contains (1, {JOHN}).")


FAULTS = [plain, caused, meanwhile, noted, grouped, undecodable, refused]


class Context:
    """Stands for libmilter's; keeps the reply."""

    def __init__(self) -> None:
        self.replies: list[tuple[Any, ...]] = []

    def getsymval(self, name: str) -> str:
        return "4ZJXYz0abcz1" if name == "i" else ""

    def setreply(self, *reply: Any) -> None:
        self.replies.append(reply)


@pytest.fixture(params=["json", "console"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """The log, with other libraries' logging at every level."""
    out, handlers, level = log._out, logging.root.handlers[:], logging.root.level
    pool = logging.getLogger("psycopg.pool")
    stream, pool_level = io.StringIO(), pool.level
    logs.configure(request.param, stream)
    logging.root.setLevel(logging.DEBUG)
    pool.setLevel(logging.DEBUG)
    yield stream
    log._out = out
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    pool.setLevel(pool_level)
    structlog.reset_defaults()


def session(monkeypatch: pytest.MonkeyPatch, method: str, fault: Callable[[], None]) -> Session:
    """Return a session within a transaction, whose filter fails."""

    def fail(*_: object, **__: object) -> None:
        fault()

    filter = Filter(None, lambda: None)  # type: ignore[arg-type]
    monkeypatch.setattr(Filter, method, fail)
    monkeypatch.setattr(Session, "filter", filter, raising=False)
    monkeypatch.setattr(Session, "trusts", staticmethod(lambda _client: False), raising=False)
    monkeypatch.setattr(Session, "admission", Admission(), raising=False)
    return Session(Context())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_the_end_of_a_message(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None]
) -> None:
    made = session(monkeypatch, "decide", fault)
    made.envfrom(f"<{JOHN}>".encode())
    made.header("Subject", f"for {JOHN}".encode())
    made.eom()
    said = stream.getvalue()
    assert said.count("\n") == 1
    assert "test_silence.py" in said
    assert made._context.replies == [("451", "4.3.0", "Temporary failure, try again later")]
    assert named(said, [JOHN]) == []
    assert "doe" not in said


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_a_recipient(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None]
) -> None:
    made = session(monkeypatch, "accept_recipient", fault)
    made.envfrom(b"<>")
    made.envrcpt(f"<{JOHN}>".encode())
    assert made._context.replies == [("451", "4.3.0", "Temporary failure, try again later")]
    assert "doe" not in stream.getvalue()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_libraries_log_of_a_fault(stream: io.StringIO, fault: Callable[[], None]) -> None:
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL):
        try:
            fault()
        except Exception as error:
            logging.getLogger("psycopg.pool").log(level, "at %s", f"<{JOHN}>", exc_info=error)
    assert stream.getvalue().count("\n") == 4
    assert "doe" not in stream.getvalue()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_command(
    fault: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    config = tmp_path / "conversation-tracker.conf"
    config.write_text("[tracker]\ndatabase = postgresql:///x\nsocket = unix:/run/x.sock\n")

    def fail(*_: object) -> int:
        fault()
        return 0

    monkeypatch.setattr(commands, "timeline", fail)
    assert cli.main(["-c", str(config), "timeline", "shop", "1"]) == 75
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "conversation-tracker: a fault of the program, please report it: "
    )
    assert printed.err.count("\n") == 1
    assert "doe" not in printed.out + printed.err
