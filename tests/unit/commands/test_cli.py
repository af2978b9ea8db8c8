"""The command line without a database: arguments, configuration, pages, errors, quick starts."""

import io
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors
from psycopg.pq import DiagnosticField

from conversation_tracker import __version__
from conversation_tracker.base import failure
from conversation_tracker.cli import commands
from conversation_tracker.cli import main as cli
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import make_failure
from conversation_tracker.database.person import erasing
from conversation_tracker.support import order_commands
from conversation_tracker.support.export.archive import open_archive
from conversation_tracker.support.file import write_file

ROOT = Path(__file__).parents[3] / "milter"
ALIAS = f"{'0' * 32}@ct.example.com"
CONFIG = "[tracker]\ndatabase = postgresql:///x\nsocket = unix:/tmp/x.sock\n"
ALL = [
    "serve", "migrate", "expire", "mask", "unmask", "timeline", "explain", "close", "erase",
    "export", "check", "follow", "publish", "webhooks",
]  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration that is right; nothing listens where it points."""
    path = tmp_path / "tracker.conf"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["--frobnicate", "check"], "unrecognized arguments"),
        (["-c"], "expected one argument"),
        (["-c", "", "check"], "-c/--config: is no file's name"),
        (["mask", "shop", "1"], "required: ADDRESS"),
        (["mask", "shop", "1", "a@example.org", "--rol", "buyer"], "unrecognized arguments"),
        (["mask", "shop\0", "1", "a@example.org"], "STORE: holds a control character"),
        (["mask", "sh\udcf6p", "1", "a@example.org"], "STORE: is not UTF-8"),
        (["mask", " ", "1", "a@example.org"], "STORE: is empty"),
        (
            ["mask", "shop", "1", "a@example.org", "\udcff\x1b[2J\n"],
            "unrecognized arguments: \\udcff",
        ),
        (["erase", "-x@example.org"], "unrecognized arguments: [with an at sign]"),
        (["mask", "shop", "1", "x", "--role", "a@example.org"], "invalid choice: [with"),
        (["unmask", ALIAS], "required: --reason"),
        (["unmask", ALIAS, "--reason", ""], "--reason: is empty"),
        (["timeline", "shop", "1", "--json", "--html", "x"], "not allowed with argument"),
        (["timeline", "shop", "1", "--html", "a\0b"], "--html: is no file's name"),
        (["explain", "x.eml"], "required: --rcpt"),
        (["webhooks"], "required: ACTION"),
        (["webhooks", "send"], "ACTION: invalid choice: 'send'"),
        (["webhooks", "retry", "x"], "ID: is no number"),
        (["webhooks", "retry", "-1"], "ID: is no number"),
        (["webhooks", "retry", "9" * 19], "ID: is no number"),
        (["explain", "--rcpt", ALIAS], "required: MESSAGE.eml"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("conversation-tracker: ")
    assert said in printed.err
    assert "@" not in printed.err
    assert printed.err.rstrip("\n").isprintable()


def test_the_version_and_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"conversation-tracker {__version__}\n"
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {command} " in shown for command in ALL)


@pytest.mark.parametrize("command", ALL)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"usage: conversation-tracker {command}" in capsys.readouterr().out


def test_a_number_that_looks_like_an_option_follows_two_dashes(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(order_commands, "mask", lambda *given: asked.append(given) or ALIAS)
    assert cli.main(["-c", config, "mask", "shop", "-7", "a@example.org"]) == 0
    assert cli.main(["-c", config, "mask", "--", "shop", "-x7", "a@example.org"]) == 0
    assert [given[2] for given in asked] == ["-7", "-x7"]
    assert capsys.readouterr().out == f"{ALIAS}\n{ALIAS}\n"


def test_every_fault_of_the_configuration_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.conf"
    path.write_text("[tracker]\nsocket = nowhere\nworkers = many\n")
    assert cli.main(["-c", str(path), "check"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"conversation-tracker: {path}: [tracker] ") for line in lines)


@pytest.mark.parametrize("path", ["/nonexistent/x.conf", "/", "/nonexistent/\udcff\n.conf"])
def test_a_configuration_that_cannot_be_read(capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert cli.main(["-c", path, "check"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_interrupt_is_no_traceback(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_given: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasing, "erase", interrupt)
    monkeypatch.setattr(cli, "_discard_output", lambda: None)
    assert cli.main(["-c", config, "erase", "a@example.org"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["--version", "erase"])
def test_only_serve_needs_libmilter(config: str, command: str) -> None:
    """The libraries of `serve` are not even looked for; a wrong address ends `erase` early."""
    code = (
        "import sys; sys.modules.update(milter=None, Milter=None);"
        "from conversation_tracker.cli.main import main; code = main(sys.argv[1:]);"
        "assert 'psycopg_pool' not in sys.modules; sys.exit(code)"
    )
    arguments = ["-c", config, command] + (["nobody"] if command == "erase" else [])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == (2 if command == "erase" else 0), done.stderr


def test_serve_without_libmilter_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "tracker.conf"
    path.write_text(CONFIG.replace("/tmp/x.sock", f"{tmp_path}/x.sock"))
    code = (
        "import sys; sys.modules['milter'] = None;"
        "from conversation_tracker.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-c", str(path), "serve"],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"serve needs pymilter" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def raised(kind: type[psycopg.Error], text: str, function: str = "tracker.mask") -> psycopg.Error:
    """Return what the driver makes of a RAISE in a function of the database."""
    info = {
        DiagnosticField.MESSAGE_PRIMARY: text.encode(),
        DiagnosticField.SOURCE_FUNCTION: b"exec_stmt_raise",
        DiagnosticField.CONTEXT: f"PL/pgSQL function {function}(text) line 7 at RAISE".encode(),
    }
    return kind(text, info=info)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (raised(errors.NoDataFound, "no such alias"), 1, "no such alias"),
        (raised(errors.ObjectNotInPrerequisiteState, "has expired"), 1, "has expired"),
        (raised(errors.ProgramLimitExceeded, "participant_limit"), 1, "participant_limit"),
        (raised(errors.InvalidParameterValue, "role must be"), 2, "role must be"),
        (raised(errors.NoDataFound, "s3cret", "public.theirs"), 75, "may quote an address"),
        (errors.InvalidTextRepresentation("s3cret"), 75, "may quote an address"),
        (errors.InsufficientPrivilege("permission denied"), 2, "permission denied"),
        (errors.UndefinedTable("no relation"), 75, "the database is not migrated (no relation)"),
        (errors.InvalidSchemaName("no schema"), 75, "the database is not migrated"),
        (errors.LockNotAvailable("lock timeout"), 75, "the database cannot do this now"),
        (errors.ReadOnlySqlTransaction("read-only"), 75, "the database cannot do this now"),
        (psycopg.OperationalError("refused\n\tfor s3cret"), 75, "be reached: refused for ***"),
        (psycopg.InterfaceError("closed"), 75, "the database cannot be reached: closed"),
    ],
)
def test_what_the_database_says_has_an_exit_code(
    error: psycopg.Error, code: int, said: str
) -> None:
    found = make_failure(error, "postgresql://u:s3cret@db.example/x")
    assert found.code == code
    assert said in str(found)
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("conninfo", "said"),
    [
        ("postgresql://u:s3cret@db.example/x", "password s3cret is wrong"),
        ("postgresql://u:s3%40cret@db.example/x", "password s3@cret is wrong"),
        # Written wrongly: libpq cuts the password, and takes its end for a host or a port.
        ("postgresql://u:p@s3cret@db.example/x", "failed to resolve host 's3cret@db.example'"),
        ("postgresql://u:s3cret/y@db.example/x", 'invalid integer value "s3cret" for "port"'),
        ("postgresql://db.example/x?user=u&password=s3cret", "s3cret?"),
        ("host=db.example password = s3cret", "s3cret?"),
        (r"host=db.example password='s3 c\'ret'", "s3 c'ret?"),
    ],
)
def test_no_part_of_the_password_is_shown(conninfo: str, said: str) -> None:
    found = str(make_failure(psycopg.OperationalError(said), conninfo))
    assert not re.search("s3|cret", found)
    assert "***" in found


@pytest.mark.parametrize(
    "conninfo",
    ["postgresql://u:s3%cret@h/x", "postgresql://u:s3 cret@[h/x", "password=a s3cret", "port=x y"],
)
def test_a_connection_string_that_is_none_is_wrong_usage(conninfo: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        Connection.connect(conninfo)
    found = make_failure(caught.value, conninfo)
    assert found.code == 2
    assert "cret" not in str(found)
    assert "libpq understands" in str(found)


@given(st.text())
def test_a_complaint_is_one_line_of_visible_characters(text: str) -> None:
    line = failure.one_line(text)
    assert line.isprintable()
    assert len(line) <= 500


def test_sudo_says_who_asks_and_else_the_account() -> None:
    assert order_commands.find_actor({"SUDO_USER": "anna", "USER": "root"}) == "anna"
    assert order_commands.find_actor({"SUDO_USER": "\udcff"}) == "?"
    assert order_commands.find_actor({"USER": "invented"}) not in ("", "invented")


# What is written to a file


def test_a_page_is_whole_or_the_former_one_stays(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "half"
        raise RuntimeError

    path = tmp_path / "page.html"
    path.write_text("former")
    with pytest.raises(RuntimeError):
        write_file(path, pieces())
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 60 + ".html")
    former = os.umask(0)
    try:
        write_file(path, ["text \udcff"])
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "text ?"


@pytest.mark.parametrize("flags", [os.O_TMPFILE, os.O_DIRECTORY])
def test_a_name_may_be_as_long_as_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int
) -> None:
    """Its octets are counted by the file system, and those of what it is written as first."""
    monkeypatch.setattr(os, "O_TMPFILE", flags)
    path = tmp_path / ("\U0001f4e6" * 62 + ".zip")
    write_file(path, ["page"])
    with open_archive(path) as archive:
        archive.add_octets("x", b"x", datetime.now(UTC))
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_page_whose_writer_is_killed(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "half" * 100_000
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        write_file(tmp_path / "page.html", pieces())
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_page_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("precious")
    link.symlink_to(target)
    write_file(link, ["page"])
    assert (target.read_text(), link.read_text()) == ("precious", "page")


def test_a_page_for_an_open_descriptor_is_added_to_what_it_leads_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "stdout"
    target.write_text("before ")
    with target.open("a") as opened:
        link.symlink_to(f"/proc/self/fd/{opened.fileno()}")  # as /dev/stdout is
        write_file(link, ["page"])
    assert (target.read_text(), link.is_symlink()) == ("before page", True)


# Messages to explain


def test_a_message_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_MESSAGE_LIMIT", 10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 11)))
    with pytest.raises(failure.Failure, match="more than 10 octets"):
        commands._read_message(Path("-"))


def test_an_empty_message_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.eml"
    path.write_bytes(b"\n")
    with pytest.raises(failure.Failure, match="empty"):
        commands._read_message(path)
