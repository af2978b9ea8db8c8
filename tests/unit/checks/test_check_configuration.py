"""`check --config` looks at the configuration alone; `--json` tells what it found to programs."""

import grp
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversation_tracker.checks import configuration
from conversation_tracker.checks import run as check
from conversation_tracker.checks.finding import CheckLine, note
from conversation_tracker.cli import main as cli
from conversation_tracker.config.config import Config, load

URI = "postgresql://tracker:verysecret@db.example/x"
KEYWORDS = "host=db.example password='very secret'"


def write(path: Path, database: str, *lines: str) -> Config:
    """Write a configuration, and read it."""
    text = [f"database = {database}", "socket = unix:/nowhere/milter.sock", *lines]
    path.write_text("\n".join(["[tracker]", *text, ""]))
    return load(path, {})


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def verdicts(config: Config) -> list[str]:
    return [fact.verdict for fact in configuration.check(config)]


@pytest.mark.parametrize("uri", [URI, KEYWORDS, "postgresql://db.example/x?password=a&user=b"])
def test_a_password_that_others_can_read_is_wrong(open_directory: Path, uri: str) -> None:
    path = open_directory / "tracker.conf"
    config = write(path, uri)
    for mode, expected in ((0o644, "WRONG"), (0o604, "WRONG"), (0o600, "ok")):
        path.chmod(mode)
        assert verdicts(config) == ["ok", expected]
    path.chmod(0o644)
    [_, fact] = configuration.check(config)
    assert fact.advice == f"chgrp conversation-tracker {path}; chmod 0640 {path}"
    path.chmod(0o604)
    path.parent.chmod(0o700)
    assert verdicts(config)[1] == "ok"
    assert "secret" not in "".join(map(str, configuration.check(config)))


def test_a_password_that_a_group_can_read_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "tracker.conf"
    config = write(path, URI)
    path.chmod(0o640)
    if os.geteuid() == 0:
        shutil.chown(path, group=grp.getgrgid(0).gr_name)
        assert verdicts(config) == ["ok", "ok"]
        shutil.chown(path, group="nogroup")
    assert verdicts(config) == ["ok", "WRONG"]


def test_without_a_password_anybody_may_read_it(tmp_path: Path) -> None:
    config = write(tmp_path / "tracker.conf", "postgresql:///conversation_tracker")
    (tmp_path / "tracker.conf").chmod(0o666)
    assert verdicts(config) == ["ok"]


def test_to_trust_everybody_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "tracker.conf"
    for networks, expected in (("10.0.0.0/8 ::/0", "WRONG"), ("0.0.0.0/0", "WRONG")):
        [_, fact] = configuration.check(write(path, "dbname=x", f"trusted_networks = {networks}"))
        assert fact.verdict == expected
        assert networks.split()[-1] in fact.what


def test_the_configuration_alone_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither database nor Postfix is asked: there are none here."""
    path = tmp_path / "tracker.conf"
    write(path, "postgresql://127.0.0.1:1/none")
    assert cli.main(["-c", str(path), "check", "--config"]) == 0
    assert capsys.readouterr().out == f"ok      the configuration {path} is read\n"
    write(path, "postgresql://127.0.0.1:1/none", "trusted_networks = ::/0")
    assert cli.main(["-c", str(path), "check", "--config", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [set(row) for row in found] == [{"subject", "level", "text", "advice"}] * 2
    assert [(row["subject"], row["level"]) for row in found] == [
        ("configuration", "ok"),
        ("configuration", "wrong"),
    ]
    assert found[1]["advice"] == "name the networks of those systems alone"


def test_a_faulty_configuration_is_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tracker.conf"
    path.write_text("[tracker]\nworkers = many\n")
    assert cli.main(["-c", str(path), "check", "--json"]) == 2
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert {row["level"] for row in found} == {"wrong"}
    assert len(found) == len(said.err.splitlines()) == 3
    assert cli.main(["-c", str(path), "check"]) == 2
    assert capsys.readouterr().out == ""


def test_what_is_not_ascii_is_json_wherever_it_is_written(tmp_path: Path) -> None:
    """Elsewhere than in UTF-8 standard output writes its own escapes, which are no JSON."""
    path = tmp_path / "caf\u00e9-\U0001f600.conf"
    write(path, "dbname=x")
    command = [sys.executable, "-m", "conversation_tracker", "-c", str(path), "check"]
    done = subprocess.run(
        [*command, "--config", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    [row] = json.loads(done.stdout)
    assert row["text"] == f"the configuration {path} is read"


def test_no_object_names_an_address() -> None:
    fact = note("somebody@example.org is there", "write to somebody@example.org")
    assert "example.org" not in json.dumps(fact.describe("dns"))
    assert CheckLine("WRONG", "a", "b").describe("x") == {
        "subject": "x", "level": "wrong", "text": "a", "advice": "b",
    }  # fmt: skip


def test_what_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    config = write(tmp_path / "tracker.conf", URI)
    (tmp_path / "tracker.conf").unlink()
    out = io.StringIO()
    assert check.run(config, out, {}, check.Wanted(config=True)) == 0
    assert "note    who may read the password" in out.getvalue()
