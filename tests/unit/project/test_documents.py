"""The documentation says what there is: every command, option, column, function and file."""

import argparse
import re
import subprocess
from pathlib import Path

import pytest

from conversation_tracker.cli import main as cli
from conversation_tracker.config.options import SECTIONS
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.telemetry.counters import Metrics
from conversation_tracker.telemetry.events import Event
from conversation_tracker.telemetry.exporter import Tracked

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SQL = ROOT / "milter" / "conversation_tracker" / "database" / "sql"
PAGES = sorted(DOCS.glob("*.[1-8]"))
ROOT_TEXTS = "README CHANGELOG CONTRIBUTING SECURITY".split()
TEXTS = [*(ROOT / f"{name}.md" for name in ROOT_TEXTS), *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")


def rendered(page: Path) -> str:
    """Return a manual page as plain text; whatever groff says of it is an error."""
    command = ["groff", "-mandoc", "-ww", "-Tascii", "-P-cbou", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.replace("-\n", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_manual_renders_without_warning(page: Path) -> None:
    text = rendered(page)
    assert text.startswith("CONVERSATION-TRACKER")
    for section in ("NAME", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"):
        assert f"\n{section}\n" in text


def commands() -> dict[str, argparse.ArgumentParser]:
    [subparsers] = (
        action
        for action in cli._make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subparsers.choices)


def manual_entry(name: str) -> str:
    """Return what the manual page says of a command."""
    source = (DOCS / "conversation-tracker.1").read_text().replace(".It Xo\n.Cm", ".It Cm")
    start = re.search(rf"^\.It Cm {name}$|^\.It Cm {name} ", source, re.MULTILINE)
    assert start is not None
    return re.split(r"^\.(?:It Cm|S[hs]) ", source[start.end() :], flags=re.MULTILINE)[0]


def synopsis(name: str) -> str:
    """Return the line, or lines, in which a command's arguments are."""
    source = (DOCS / "conversation-tracker.1").read_text()
    found = re.search(rf"^\.It Cm {name}\b.*$|^\.Cm {name}\n(?:.*\n)*?\.Xc", source, re.MULTILINE)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("name", commands())
def test_manual_has_every_command_with_its_options(name: str) -> None:
    actions, entry = commands()[name]._actions, manual_entry(name)
    options = {each for action in actions for each in action.option_strings}
    documented = {f"-{each}" for each in re.findall(r"\bFl (-[\w-]+)", entry)}
    assert documented == options - {"-h", "--help"}
    for action in actions:
        assert action.option_strings or str(action.metavar) in synopsis(name)


OPTIONS = {name: option for options in SECTIONS.values() for name, option in options.items()}


@pytest.mark.parametrize("name", OPTIONS)
def test_manual_has_every_option_of_the_configuration_with_its_default(name: str) -> None:
    source = (DOCS / "conversation-tracker.conf.5").read_text()
    entry = source.partition(f"\n.It Cm {name}\n")[2].partition("\n.It ")[0]
    default = OPTIONS[name].default
    if default is None:
        assert f"\n.Dl {name} = " in entry
    elif default == "":
        assert "Default: empty" in entry
    else:
        assert f"Default:\n.Li {default}" in entry


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_each_page_begins_with_for_whom_it_is_and_how_long_it_takes(page: Path) -> None:
    _title, _, text = page.read_text().partition("\n\n")
    first = " ".join(text.partition("\n\n")[0].split())
    assert first.startswith("For "), first
    assert re.search(r"\b[Mm]inutes\b|look things up", first), first


@pytest.mark.parametrize("document", TEXTS, ids=lambda path: path.name)
def test_links_lead_to_headings(document: Path) -> None:
    """A heading's anchor is its words in lower case, without signs, with - between them."""
    for target, anchor in re.findall(r"\[[^\]]*\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        page = document.parent / target if target else document
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        known = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in known, anchor


@pytest.mark.parametrize(
    ("document", "heading", "said"),
    [
        ("README.md", "In one picture", ["![", "](docs/order.webp)"]),
        ("README.md", "Support answers without leaking", ["answers it", "alias", "`unnamed_mail"]),
        ("docs/administrator.md", "How support answers", ["Answer", "to the alias", "'reject'"]),
        (
            "docs/privacy.md",
            "What cannot be masked",
            ["names, postal", "pictures of text", "encrypted mail", "other addresses"],
        ),
        ("docs/privacy.md", "Backups, and who was erased", ["--list", "--again", "restore"]),
    ],
)
def test_what_people_must_know_is_told(document: str, heading: str, said: list[str]) -> None:
    text = (ROOT / document).read_text()
    [section] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert [each for each in said if each not in section] == []


@pytest.mark.parametrize("document", TEXTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", TEXTS, ids=lambda path: path.name)
def test_commands_shown_are_commands_there_are(document: Path) -> None:
    known = commands()
    for line in document.read_text().splitlines():
        for name in re.findall(r"(?:[$#] |-- |`)conversation-tracker (?:-c \w+ )?(\w+)", line):
            assert name in known, line


def test_names_that_contributors_are_sent_to_are_there() -> None:
    """Each `NAME` in `file`, and every file, in the tables of where a line goes."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    paths = {
        name: place
        for row in rows
        for name in re.findall(r"`([\w/]+/[\w.]+)`", row)
        for place in [ROOT / "milter" / "conversation_tracker" / name, ROOT / name]
        if place.is_file()
    }
    named = {
        (name, file)
        for row in rows
        for names, file in re.findall(r"((?:`[A-Za-z_]\w+`(?:, | and )?)+) in `([\w/]+\.py)`", row)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert len(named) > 20
    assert {file for _, file in named} <= paths.keys()
    assert [
        f"{name} in {file}"
        for name, file in sorted(named)
        if not re.search(
            rf"^\s*(?:(?:def|class) )?{name}\b(?: ?[:=(]|$)", paths[file].read_text(), re.MULTILINE
        )
    ] == []


def test_files_that_contributors_are_sent_to_are_there() -> None:
    """Each path in CONTRIBUTING.md, from the root or below the package; and each bare name."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, capture_output=True, text=True, check=False)
    there = set(done.stdout.split()) or {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".tox" not in path.parts
    }
    folders = {str(parent) for path in there for parent in Path(path).parents}
    names = {Path(path).name for path in there | folders}
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`([\w./-]*\w/?)`", text)
    paths = {each for each in named if re.search(r"\.(?:py|sql|md|case|conf|[15])$|\w/", each)}
    assert len(paths) > 100
    package = "milter/conversation_tracker/"
    assert [
        each
        for each in sorted(paths)
        if not {each.rstrip("/"), package + each.rstrip("/")} & (there | folders)
        and ("/" in each or each not in names)
        and f"{package}database/sql/{each.rstrip('/')}" not in there | folders
        and f"tests/unit/{each}" not in there
        and not any(sign in each for sign in ("NNNN", "....", ".venv", ".ci/"))
    ] == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: path.name)
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    """By their paths, with or without an ending; dots stand for whatever is there."""
    for each in re.findall(r"`(tests/[^`\s]*)`", page.read_text()):
        pattern = each.rstrip("/").replace("...", "*")
        assert any(next(ROOT.glob(one), None) for one in (pattern, f"{pattern}.py")), each


def test_every_subject_of_check_is_described() -> None:
    """In the table of docs/monitoring.md, as `check --json` names it."""
    source = (SQL.parents[1] / "checks" / "run.py").read_text()
    table = (DOCS / "monitoring.md").read_text().partition("| `subject` |")[2].partition("\n\n")[0]
    described = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(described) > 8
    assert set(described) == set(re.findall(r"report\.add\(\s*\"(\w+)\"", source))


def columns(table: str) -> dict[str, str]:
    """Return the columns of a table, as all migrations leave it, with the rest of their lines."""
    paths = [SQL / "baseline.sql", *sorted((SQL / "migrations").glob("*.sql"))]
    source = "".join(path.read_text() for path in paths)
    body = source.partition(f"CREATE TABLE tracker.{table} (")[2].partition("\n);")[0]
    found = dict(re.findall(r"^    ([a-z_]+) (?=[a-z])(.*)$", body, re.MULTILINE))
    for change in re.findall(
        rf"^ALTER TABLE tracker\.{table}\b(.*?);$", source, re.DOTALL | re.MULTILINE
    ):
        found |= dict(re.findall(r"\bADD COLUMN ([a-z_]+) (.*)$", change, re.MULTILINE))
    return found


def described_columns(table: str) -> dict[str, str]:
    """Return the columns in a table's own section of docs/sql.md, each with its default."""
    text = (DOCS / "sql.md").read_text().partition(f"\n## tracker.{table}\n")[2]
    rows = re.compile(r"^\| `(\w+)` \| [\w\[\]]+ \| (.*?) \|", re.MULTILINE)
    return dict(rows.findall(text.partition("\n## ")[0]))


def test_every_column_of_webhooks_is_described() -> None:
    assert described_columns("webhooks").keys() == columns("webhooks").keys()


def test_every_column_of_stores_is_described_with_its_default() -> None:
    described = described_columns("stores")
    expected = columns("stores")
    assert described.keys() == expected.keys()
    for name, definition in expected.items():
        default = re.search(r"DEFAULT '?([^',]+)'?", definition)
        assert described[name].strip("`") == (default[1] if default else described[name])


@pytest.mark.parametrize("table", ["orders", "unmaskings", "lookups"])
def test_columns_that_are_described_exist(table: str) -> None:
    text = (DOCS / "sql.md").read_text().partition(f"### tracker.{table}\n")[2].partition("\n#")[0]
    named = set(re.findall(r"`(\w+)`", text)) - {"tracker_service", "find_orders"}
    assert named <= columns(table).keys()
    assert len(named) >= 5


DESCRIBED = {"mask", "close_order", "unmask", "erase", "erase_again", "export_person"}
DESCRIBED |= {"grant_store", "revoke_store", "may_read"}
DESCRIBED |= {"find_orders", "events"}
DESCRIBED |= {"conversation", "attachment", "page", "search"}


def test_functions_are_described_as_they_are_declared() -> None:
    source = "".join(path.read_text() for path in (SQL / "repeatable").glob("*.sql"))
    source = re.sub(r"\(\n\s+", "(", source)
    text = (DOCS / "sql.md").read_text()
    described = re.findall(r"^### tracker\.(\w+)\((.*)\) → (\w+)$", text, re.MULTILINE)
    assert {name for name, _, _ in described} == DESCRIBED
    for name, arguments, result in described:
        assert f"CREATE OR REPLACE FUNCTION tracker.{name}({arguments})" in source
        declared = source.partition(f"CREATE OR REPLACE FUNCTION tracker.{name}({arguments})")[2]
        declared = declared.partition("LANGUAGE")[0]
        result = {"table": "TABLE"}.get(result, result)
        assert f"RETURNS {result}\n" in declared or f"RETURNS {result} " in declared


def test_every_metric_is_described_with_its_labels() -> None:
    text = (DOCS / "monitoring.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    row = re.compile(r"^\| `(\w+)` \| ([^|]*?) ?\|", re.MULTILINE)
    described = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in row.findall(text)}
    metrics = Metrics()
    metrics.share()
    known: dict[str, set[str]] = {}
    for family in Tracked(metrics).collect():
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        known[name] = {label for sample in family.samples for label in sample.labels}
    assert described == known


def test_every_reply_is_a_symptom_in_troubleshooting() -> None:
    """As the client sees it; what `check` is told of its probe is none."""
    text = (DOCS / "troubleshooting.md").read_text()
    known = [each for each in vars(replies).values() if isinstance(each, Reply)]
    assert len(known) > 15
    assert [str(each) for each in known if "Probe" not in each.text and str(each) not in text] == []


def test_events_to_watch_are_events_there_are() -> None:
    known = {event.value for event in Event}
    text = (DOCS / "monitoring.md").read_text()
    for name in re.findall(r"`([a-z]+-[a-z]+)`", text.partition("## Metrics")[0]):
        assert name in known, name
