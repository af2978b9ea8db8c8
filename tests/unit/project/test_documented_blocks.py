"""Each block of the documentation is of a known kind, and what it names is there.

What can be run against private instances is run: `tests/database/integrators/test_documented.py`.
"""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from conversation_tracker.cli import main as cli
from conversation_tracker.config.config import load

from ...pages.blocks import ROOT, Block, blocks, pages

ALL = [each for page in pages() for each in blocks(page)]
# Programs of a real host that a machine for tests need not have.
ELSEWHERE = {"cd", "conversation-tracker-configure"}
INSTALLED = {"conversation-tracker-setup": "postfix/installer/setup.py"}
FILES = ("conversation-tracker.conf", "opendkim", "pgbouncer.ini", "postgresql.conf")
FILES += ("prometheus.yml", "unit", "zone", "pg_hba.conf", "patroni.yml", "environment")
FILES += ("pg_ident.conf", "nginx.conf", "apache.conf")
PROGRAMS = (".php", ".js", ".py", ".sh")  # tests/database/integrators/test_integrating.py runs them


def of(kind: str, about: str = "") -> list[Block]:
    return [each for each in ALL if each.kind == kind and each.about.startswith(about)]


def name(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_and_statements_are_of_a_known_kind(page: Path) -> None:
    """See `tests/pages/blocks.py` for the comment to put before a block."""
    assert [
        each.place
        for each in blocks(page)
        if not each.kind and (each.looks_like_commands or page.name == "README.md")
    ] == []


def test_what_is_found_is_what_stands_there(tmp_path: Path) -> None:
    page = ROOT / "docs" / "sql.md"
    assert len(list(blocks(page))) >= 5
    example = tmp_path / "x.md"
    example.write_text(
        '1. a\n\n   <!-- root: x -->\n\n       apt install x   # for y\n       psql -c "a\n'
        '         b"\n\ntext\n\n    => SELECT 1;\n     1\n'
        "    => SELECT x;  -- as y\n    ERROR:  no\n"
    )
    one, two = blocks(example)
    assert (one.kind, one.about, one.line) == ("root", "x", 5)
    assert one.commands() == ["apt install x", 'psql -c "a b"']
    assert (two.kind, two.looks_like_commands) == ("", True)
    assert list(two.statements()) == [("SELECT 1", "", ""), ("SELECT x", "y", "no")]


@pytest.mark.parametrize("block", [*of("run"), *of("root")], ids=name)
def test_every_command_and_its_options_exist(block: Block) -> None:
    programs = {
        check(command) for line in block.commands() for command in re.split(r" (?:&&|\|) ", line)
    }
    if block.about:
        said = (ROOT / block.about).read_text()
        assert any(Path(each).name in said for each in programs), block.about


def check(command: str) -> str:
    """Hold a command against its program, and return which that is."""
    words = shlex.split(re.sub(r" [<>]\S+", "", command))
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    if words[0] == "runuser":
        words = words[words.index("--") + 1 :]
    program, *arguments = words
    if program == "conversation-tracker":
        assert block_is_parsed(arguments), command
    elif "/" in program and not program.startswith("."):
        options = {each.partition("=")[0] for each in arguments if each.startswith("--")}
        if program != "tests/run":
            assert options - words_of_help(program) == set(), command
        assert os.access(ROOT / program, os.X_OK)
    elif program in INSTALLED:
        source = (ROOT / INSTALLED[program]).read_text()
        shared = (ROOT / "postfix" / "installer" / "options.py").read_text()
        options = [each for each in arguments if each.startswith("--")]
        assert all(f'"{each}"' in source + shared for each in options), command
    elif program.startswith(".venv/bin/"):
        assert Path(program).name in {"python", "pip"}, command  # what every new one has
    elif program not in ELSEWHERE:
        assert shutil.which(program), command
    return program


def block_is_parsed(arguments: list[str]) -> bool:
    cli._make_parser().parse_args(arguments)
    return True


@cache
def words_of_help(program: str) -> set[str]:
    done = subprocess.run([ROOT / program, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--[\w-]+", done.stdout))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_within_the_text_have_options_there_are(page: Path) -> None:
    """Such as `conversation-tracker expire --dry-run`; what stands for anything is passed over."""
    parser = cli._make_parser()
    [commands] = (each.choices for each in parser._actions if isinstance(each.choices, dict))
    for said in re.findall(r"`conversation-tracker ([^`]*)`", " ".join(page.read_text().split())):
        found = re.match(r"(?:-c \w+ )?(\w+)", said)
        if found is None:
            continue
        options = set(re.findall(r"(?<!\S)--[\w-]+", said))
        known = {each for action in commands[found[1]]._actions for each in action.option_strings}
        assert options <= known, said


@pytest.mark.parametrize("block", of("file"), ids=name)
def test_files_are_such_as_their_program_takes(block: Block, tmp_path: Path) -> None:
    if Path(block.about).suffix in PROGRAMS:
        assert block.page.name == "integrating.md"
        return
    assert block.about in FILES
    file = tmp_path / block.about
    if block.about == "conversation-tracker.conf":
        needed = "" if "socket =" in block.text else "socket = unix:/run/x/milter.sock\n"
        needed += "" if "database =" in block.text else "database = postgresql:///x\n"
        begins = "" if "[tracker]" in block.text else "[tracker]\n"
        file.write_text(f"{begins}{needed}{block.text}")
        load(file, {}, isatty=False)
    elif block.about == "prometheus.yml":
        shutil.copy(
            ROOT / "docs" / "monitoring" / "alerts.yml",
            tmp_path / "conversation-tracker-alerts.yml",
        )
        file.write_text(block.text)
        subprocess.run(["promtool", "check", "config", file], check=True, capture_output=True)
    elif block.about == "nginx.conf":
        lines = [line for line in block.text.splitlines() if line]
        assert all(line.endswith((";", "{", "}")) for line in lines)
        assert block.text.count("{") == block.text.count("}")
    elif block.about == "apache.conf":
        begun = re.findall(r"(?m)^ *<(\w+)", block.text)
        assert begun
        assert begun == re.findall(r"(?m)^ *</(\w+)>", block.text)[::-1]
    elif block.about in ("pg_hba.conf", "pg_ident.conf"):
        fields = 3 if block.about == "pg_ident.conf" else 4
        assert all(len(line.split()) >= fields for line in block.text.splitlines() if line)
    elif block.about == "pgbouncer.ini":
        parser = configparser.ConfigParser(inline_comment_prefixes=";")
        parser.read_string(block.text)
        assert "pgbouncer" in parser
