"""The log: its vocabulary, the shape of a line, and that no address ever gets into one."""

import inspect
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime

import psycopg
import pytest
import structlog
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.telemetry import log_setup as logs
from conversation_tracker.telemetry.events import Event, Log, log
from conversation_tracker.telemetry.formatting import make_processors

ADDRESS = "john.doe@example.com"
MESSAGE = {
    "queue_id": "4XyZ",
    "outcome": "accepted",
    "orders": ("shop/1001",),
    "recipients": 2,
    "direction": "inbound",
    "size": 4096,
    "ms": 12.3456,
}


@pytest.fixture(autouse=True)
def _restored():
    """Leave the process's logging as it was."""
    out, handlers, level = log._out, logging.root.handlers[:], logging.root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    log._out = out
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()


@pytest.fixture
def stream():
    """The stream of a log in JSON."""
    stream = io.StringIO()
    logs.configure("json", stream)
    return stream


def only(stream: io.StringIO) -> dict[str, object]:
    """Return the one line of the log, decoded."""
    (line,) = stream.getvalue().splitlines()
    decoded = json.loads(line)
    assert isinstance(decoded, dict)
    return decoded


class UniqueViolation(psycopg.Error):
    """An error of the database as psycopg raises it: its text quotes the row."""

    sqlstate = "23505"


def violation() -> UniqueViolation:
    """Return an error whose text holds an address, raised where a local variable holds it too."""
    address = ADDRESS
    try:
        raise UniqueViolation(f"duplicate key\nDETAIL:  Key (address)=({address}) already exists.")
    except UniqueViolation as error:
        return error


# The shape of a line


def test_a_line_is_one_json_object_in_stable_order(stream):
    """Time, level and event come first, then the fields in the order of the signature."""
    log.message(**MESSAGE)
    assert re.fullmatch(
        r'\{"at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","event":"message",'
        r'"queue_id":"4XyZ","outcome":"accepted","reply":"","orders":\["shop/1001"\],'
        r'"recipients":2,"direction":"inbound","size":4096,"ms":12\.3\}\n',
        stream.getvalue(),
    )


def test_time_is_utc(stream):
    """The time of a line is now, in UTC."""
    log.stopping(signal="SIGTERM")
    at = datetime.fromisoformat(str(only(stream)["at"]))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60


def test_console_is_one_line_for_people():
    """The console's line is KEY=VALUE without empty fields; what has spaces is quoted."""
    stream = io.StringIO()
    logs.configure("console", stream)
    log.refused_recipient(reply="550 5.1.1 Unknown\nalias", queue_id="4XyZ")
    assert re.fullmatch(
        r'\S+Z info     refused-recipient queue_id=4XyZ reply="550 5.1.1 Unknown\\nalias"\n',
        stream.getvalue(),
    )


@pytest.mark.parametrize("format", ["json", "console"])
@given(text=st.text(st.characters()))
def test_any_text_makes_one_line_of_ascii(format, text):
    """Line ends, controls and lone surrogates in a field neither break the line nor fail."""
    stream = io.StringIO()
    logs.configure(format, stream)
    log.refused_recipient(reply=text, queue_id=text, listener=text)
    line = stream.getvalue()
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.endswith("\n")


@pytest.mark.parametrize("exc", [BrokenPipeError, ValueError])
def test_a_line_that_cannot_be_written_is_lost(exc):
    """A stream that is gone or closed does not make the caller fail."""

    class Gone(io.StringIO):
        def write(self, _text):
            raise exc

    logs.configure("json", Gone())
    log.message(**MESSAGE)


def test_lines_of_threads_do_not_mix(stream):
    """Each line is written with one call, so that all are whole."""
    threads = [
        threading.Thread(target=lambda: [log.message(**MESSAGE) for _ in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 400
    assert {line["queue_id"] for line in lines} == {"4XyZ"}


def test_standard_error_is_the_default(capsys):
    """Without a stream the log goes to standard error as it is now."""
    logs.configure("json")
    log.database_back(seconds=2.04)
    assert json.loads(capsys.readouterr().err)["seconds"] == 2.0


def test_structlog_itself_goes_the_same_way(stream):
    """A logger that bypasses `log` has the same form and the same net."""
    structlog.get_logger().info("elsewhere", text=ADDRESS)
    assert list(only(stream).values())[1:] == ["info", "elsewhere", "<address>"]


# The journal


def journal(path, monkeypatch, *, named=None):
    """Return a stream that systemd says, by device and inode, leads to the journal."""
    stream = path.open("w", encoding="utf-8")
    status = os.fstat(stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", named or f"{status.st_dev}:{status.st_ino}")
    return stream


def test_the_journal_is_told_the_priority_of_each_line(tmp_path, monkeypatch):
    """What it takes off the line leaves JSON, with the level in it too."""
    with journal(tmp_path / "log", monkeypatch) as stream:
        logs.configure("json", stream)
        log.worker_started(pid=1)
        log.order_locked(queue_id="4XyZ")
        log.config_refused(faults=["x"])
        log.gave_up(restarts=5)
        logging.getLogger("x").warning("y")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>", "<2>", "<4>"]
    levels = [json.loads(line[3:])["level"] for line in lines]
    assert levels == ["info", "warning", "error", "critical", "warning"]


@pytest.mark.parametrize("named", ["1:2", "nonsense"])
def test_what_leads_elsewhere_has_no_priorities(tmp_path, monkeypatch, named):
    """A service's children inherit the variable; their own streams are none of the journal's."""
    with journal(tmp_path / "log", monkeypatch, named=named) as stream:
        logs.configure("json", stream)
        log.worker_started(pid=1)
    assert (tmp_path / "log").read_text().startswith('{"at":')


def test_a_stream_without_a_descriptor_is_no_journal(stream, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    logs.configure("json", stream)
    log.worker_started(pid=1)
    assert only(stream)["event"] == "worker-started"


def test_a_commands_complaint_has_its_priority_too(tmp_path):
    """A service that cannot start says why in one line; the journal shows it as an error."""
    missing = tmp_path / "missing.conf"
    command = [sys.executable, "-m", "conversation_tracker", "-c", str(missing), "serve"]
    shell = 'exec 2>"$0"; JOURNAL_STREAM=$(stat -Lc %d:%i "$0") exec "$@"'
    done = subprocess.run(["sh", "-c", shell, tmp_path / "log", *command], check=False)
    assert done.returncode == 2
    assert (tmp_path / "log").read_text().startswith(f"<3>conversation-tracker: {missing}: ")


def test_the_timers_complaint_has_its_priority_too(tmp_path):
    """The line of `expire` comes after what it counted, not by way of all commands."""
    config = tmp_path / "tracker.conf"
    config.write_text("[tracker]\ndatabase = host=/nowhere\nsocket = inet:1@127.0.0.1\n")
    command = [sys.executable, "-m", "conversation_tracker", "-c", str(config), "expire"]
    shell = 'exec 2>"$0"; JOURNAL_STREAM=$(stat -Lc %d:%i "$0") exec "$@"'
    done = subprocess.run(["sh", "-c", shell, tmp_path / "log", *command], check=False)
    assert done.returncode == 75
    said = (tmp_path / "log").read_text()
    assert said.startswith("<3>conversation-tracker: the database cannot be reached: ")


# The vocabulary


@pytest.mark.parametrize(
    ("call", "level", "fields"),
    [
        (
            lambda: log.refused_recipient(reply="550 5.1.1", listener="smtpd"),
            "info",
            {
                "event": "refused-recipient",
                "queue_id": "",
                "reply": "550 5.1.1",
                "listener": "smtpd",
            },
        ),
        (
            lambda: log.database_unreachable(psycopg.OperationalError(ADDRESS)),
            "warning",
            {"event": "database-unreachable", "error": "psycopg.OperationalError", "frames": []},
        ),
        (
            lambda: log.order_locked(queue_id="4ZJXYz0abcz1"),
            "warning",
            {"event": "order-locked", "queue_id": "4ZJXYz0abcz1"},
        ),
        (lambda: log.alias_domains(count=3), "info", {"event": "alias-domains", "count": 3}),
        (
            lambda: log.ready(socket="inet:127.0.0.1:8890", workers=2, version="1.0"),
            "info",
            {"event": "ready", "socket": "inet:127.0.0.1:8890", "workers": 2, "version": "1.0"},
        ),
        (
            lambda: log.stopping(signal="SIGTERM"),
            "info",
            {"event": "stopping", "signal": "SIGTERM"},
        ),
        (lambda: log.worker_started(pid=7), "info", {"event": "worker-started", "pid": 7}),
        (
            lambda: log.worker_died(pid=7, status=-9, restarts=1),
            "error",
            {"event": "worker-died", "pid": 7, "status": -9, "restarts": 1},
        ),
        (
            lambda: log.worker_overdue(pid=7, reason="overdue", queue_id="4ZJXYz0abcz1"),
            "error",
            {
                "event": "worker-overdue",
                "pid": 7,
                "reason": "overdue",
                "queue_id": "4ZJXYz0abcz1",
            },
        ),
        (
            lambda: log.suspected(queue_id="4ZJXYz0abcz1"),
            "warning",
            {"event": "suspected", "queue_id": "4ZJXYz0abcz1"},
        ),
        (
            lambda: log.condemned(queue_id="4ZJXYz0abcz1", status=-11),
            "error",
            {"event": "condemned", "queue_id": "4ZJXYz0abcz1", "status": -11},
        ),
        (lambda: log.webhooks(), "info", {"event": "webhooks"}),
        (
            lambda: log.webhook_failing(webhook=7, host="a.example", said="500"),
            "warning",
            {"event": "webhook-failing", "webhook": 7, "host": "a.example", "said": "500"},
        ),
        (
            lambda: log.webhook_back(webhook=7, host="a.example"),
            "info",
            {"event": "webhook-back", "webhook": 7, "host": "a.example"},
        ),
        (
            lambda: log.webhook_dead(webhook=7, host="a.example", count=3, said="timeout"),
            "error",
            {
                "event": "webhook-dead",
                "webhook": 7,
                "host": "a.example",
                "count": 3,
                "said": "timeout",
            },
        ),
        (
            lambda: log.webhook_gone(webhook=7, host="a.example"),
            "warning",
            {"event": "webhook-gone", "webhook": 7, "host": "a.example"},
        ),
        (lambda: log.gave_up(restarts=5), "critical", {"event": "gave-up", "restarts": 5}),
        (
            lambda: log.config_reloaded(path="/etc/x"),
            "info",
            {"event": "config-reloaded", "path": "/etc/x"},
        ),
        (
            lambda: log.config_refused(faults=["x: a@example.com"]),
            "error",
            {"event": "config-refused", "faults": ["x: <address>"]},
        ),
        (
            lambda: log.config_unsafe(faults=["x: a@example.com"]),
            "error",
            {"event": "config-unsafe", "faults": ["x: <address>"]},
        ),
        (
            lambda: log.expire(
                orders=1,
                addresses=2,
                messages=3,
                refusals=7,
                removed=5,
                domains=6,
                made=["2026-12"],
                dropped=["2024-10", "2024-11"],
                unpublished=8,
                feed_dropped=["2026-09"],
                ms=4.44,
                dry_run=True,
            ),
            "info",
            {
                "event": "expire",
                "orders": 1,
                "addresses": 2,
                "messages": 3,
                "refusals": 7,
                "removed": 5,
                "domains": 6,
                "made": ["2026-12"],
                "dropped": ["2024-10", "2024-11"],
                "unpublished": 8,
                "feed_dropped": ["2026-09"],
                "ms": 4.4,
                "dry_run": True,
            },
        ),
    ],
)
def test_every_event_has_its_fields(stream, call, level, fields):
    """Each method gives one line with its own event, level and fields, and no others."""
    call()
    line = only(stream)
    del line["at"]
    assert line.pop("level") == level
    assert line == fields


def test_the_vocabulary_is_closed():
    """Each event has its method, and no method takes fields that its signature does not name."""
    methods = dict(inspect.getmembers(Log, inspect.isfunction))
    assert {name for name in methods if not name.startswith("_")} == {
        event.name.lower() for event in Event
    }
    for method in methods.values():
        kinds = {parameter.kind for parameter in inspect.signature(method).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds
        assert inspect.Parameter.VAR_POSITIONAL not in kinds
    with pytest.raises(TypeError):
        log.message(**MESSAGE, sender=ADDRESS)


# Exceptions


def test_an_error_is_logged_without_its_text(stream):
    """Type, SQLSTATE and frames are logged; the text and local values are not."""
    log.error(Event.ERROR, violation(), queue_id="4XyZ")
    line = only(stream)
    assert line["event"] == "error"
    assert line["queue_id"] == "4XyZ"
    assert line["error"] == f"{__name__}.UniqueViolation"
    assert line["sqlstate"] == "23505"
    (frame,) = line["frames"]
    assert re.fullmatch(r"telemetry/test_logs\.py:\d+:violation", frame)
    assert not re.search("john|example|duplicate|DETAIL", stream.getvalue())


def test_causes_are_named_without_their_texts(stream):
    """What led to an error is logged by type and place, the nearest first."""
    try:
        try:
            raise OSError(111, ADDRESS)
        except OSError as error:
            raise violation() from error
    except UniqueViolation as error:
        failure = RuntimeError(ADDRESS)
        failure.__cause__ = error
    log.error(Event.DATABASE_UNREACHABLE, failure)
    line = only(stream)
    assert line["error"] == "RuntimeError"
    assert line["frames"] == []
    nearest, furthest = line["causes"]
    assert re.fullmatch(r"\S+UniqueViolation at telemetry/test_logs\.py:\d+:violation", nearest)
    assert re.fullmatch(r"ConnectionRefusedError at telemetry/test_logs\.py:\d+:test_\w+", furthest)
    assert "john" not in stream.getvalue()


def test_a_hidden_context_stays_hidden(stream):
    """`raise ... from None` means that the context does not matter."""
    try:
        try:
            raise KeyError(ADDRESS)
        except KeyError:
            raise OSError(13, ADDRESS) from None
    except OSError as error:
        log.error(Event.ERROR, error)
    line = only(stream)
    assert line["errno"] == 13
    assert "causes" not in line


def test_deep_tracebacks_are_cut(stream):
    """Endless recursion gives its innermost frames only."""

    def deeper():
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    log.error(Event.ERROR, caught.value)
    assert len(only(stream)["frames"]) == 20


def test_circular_causes_end(stream):
    """Two errors that name each other as cause are no endless loop."""
    one, other = ValueError(ADDRESS), KeyError(ADDRESS)
    one.__cause__, other.__cause__ = other, one
    log.error(Event.ERROR, one)
    assert only(stream)["causes"] == ["KeyError", "ValueError"] * 2 + ["KeyError"]


def test_uncaught_errors_are_logged_without_their_text(stream, capfd):
    """Nothing that nobody caught, in any thread, prints its text."""

    class Broken:
        def __del__(self):
            raise violation()

    def fail():
        raise violation()

    logs.catch_uncaught()
    error = violation()
    sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Broken()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["error"] for line in lines] == [f"{__name__}.UniqueViolation"] * 3
    assert "john" not in stream.getvalue() + "".join(capfd.readouterr())


# The net


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ADDRESS, "<address>"),
        ("550 5.1.1 <john@example.com>: unknown", "550 5.1.1 <address> unknown"),
        ("Key (address)=(john@example.com) already", "Key <address> already"),
        ("see mailto:john%40example.com now", "see <address> now"),
        ('to "john doe"@example.com twice', "to <address> twice"),
        ('to "john \\"d\\" doe"@example.com twice', "to <address> twice"),
        ("john@[192.0.2.1] jörg@bücher.example", "<address> <address>"),
        ("root@localhost", "<address>"),
        ("a@b.test\nc@d.test", "<address>\n<address>"),
        ("no address @ all, 40% off", "no address @ all, 40% off"),
        ("@Milter.noreply", "@Milter.noreply"),
        ('say "hello" to him', 'say "hello" to him'),
        ("", ""),
    ],
)
@pytest.mark.parametrize("format", ["json", "console"])
def test_what_looks_like_an_address_is_replaced(format, text, expected):
    """Every word with an @ inside is replaced, in texts and in lists of them; others stay."""
    stream = io.StringIO()
    logs.configure(format, stream)
    log.message(**MESSAGE | {"reply": text, "orders": (text, "x")})
    line = stream.getvalue()
    if format == "json":
        assert json.loads(line)["reply"] == expected
        assert json.loads(line)["orders"] == [expected, "x"]
    assert not re.search(r"john|example\.com|\bc@", line)


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.floats(), st.binary(), st.emails(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner), st.tuples(inner), st.dictionaries(st.emails(), inner)
        ),
    ),
    st.emails(),
)
def test_the_net_reaches_every_depth(value, address):
    """Whatever type a field has, no line has a word with an @ inside it."""
    line = {"event": f"saw {address}", "value": [value, {address: address}, object()]}
    for step in make_processors("json"):
        line = step(None, "info", line)
    assert address not in line
    for word in json.loads(line)["event"].split():
        assert "@" not in word


def test_the_net_takes_time_with_the_length_only(stream):
    """A long text that looks like an address all along is no trap."""
    for text in ("a" * 200_000 + "@", "@" * 200_000, '"' * 200_000 + "@", "a@ " * 60_000):
        within(5, lambda text=text: log.refused_recipient(reply=text))


# Other libraries


def test_other_libraries_log_the_same_way(stream):
    """The standard library's logging gives the same lines, from warnings on."""
    other = logging.getLogger("some.library")
    other.info("pool %r is ready", "pool-1")
    other.warning("error connecting in %r: %s", "pool-1", psycopg.OperationalError("refused\nmore"))
    line = only(stream)
    del line["at"]
    assert line == {
        "level": "warning",
        "event": "library",
        "logger": "some.library",
        "text": "error connecting in 'pool-1': refused",
    }


@pytest.mark.parametrize(
    "report",
    [
        lambda logger: logger.warning("discarded: %s", violation()),
        lambda logger: logger.error(violation()),
        lambda logger: logger.error("for %(address)s", {"address": ADDRESS}),
        lambda logger: logger.error("failed: %r", f"x\nDETAIL: {ADDRESS}"),
        lambda logger: logger.error("failed\nfor john"),
        lambda logger: logger.error("%d for one", ADDRESS),
        lambda logger: logger.error("failed", exc_info=violation()),
        lambda logger: logger.critical(f"failed for {ADDRESS}", stack_info=True),
        lambda logger: logger.log(35, ADDRESS),
        lambda logger: logger.log(99, ADDRESS),
    ],
)
def test_other_libraries_show_no_address(stream, capfd, report):
    """Neither a message, its arguments nor its traceback brings an address into the log."""
    logs.configure("json", stream)  # anew, since the test runner has put its handlers back
    report(logging.getLogger("some.library"))
    line = only(stream)
    assert line["event"] == "library"
    assert line["level"] in ("warning", "error", "critical")
    assert "john" not in stream.getvalue() + "".join(capfd.readouterr())


def test_another_library_is_brief(stream):
    """A message without end is cut."""
    logging.getLogger("x").error("y" * 10_000)
    assert only(stream)["text"] == "y" * 500


def test_configuring_again_replaces(stream):
    """A second call changes the stream and adds no second line."""
    second = io.StringIO()
    logs.configure("json", second)
    logging.getLogger("x").error("y")
    log.worker_started(pid=1)
    assert stream.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 2
