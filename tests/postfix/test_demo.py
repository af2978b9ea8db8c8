"""`postfix/demo` shows a whole order, gives no address away, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from private import processes

from ..pages import screenshot

ROOT = Path(__file__).parents[2]
BUYER, CARRIER = "johndoe@vtex.example", "tracking@carrier.example"
PEOPLE = {BUYER, CARRIER, "receipts@payment.example"}
STORES = ("hardshop", "softshop")
IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info")
SOFT = re.compile(r"[^\s<>]+@[^\s<>]+-[0-9]{12}b\.ct\.example\.com")
HARD = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}@ct\.example\.com")
RECEIVED = re.compile(r"  Received by (.+) \((\S+)\):\n((?:  [|+].*\n)+)")
SENT = re.compile(r"  Sent by (.+):\n((?:  [|-].*\n)+)")
ROW = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d  .*$", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """Return a copy of the project that nothing but the demonstration could change."""
    with tempfile.TemporaryDirectory(prefix="project-") as directory:
        Path(directory).chmod(0o755)
        for name in ("milter", "postfix", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            copy = Path(directory) / name
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy, ignore=IGNORED)
            else:
                shutil.copy(ROOT / name, copy)
        yield Path(directory)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Return the directory in which alone the demonstration may leave anything for a while."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        Path(directory).chmod(0o755)  # servers of other users run inside
        yield Path(directory)


@pytest.fixture(scope="module")
def demo(project: Path) -> Path:
    return project / "postfix" / "demo"


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TMPDIR": str(home)}


def files(directory: Path) -> dict[str, bytes]:
    """Return all files below a directory, with what they hold."""
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def output(demo: Path, project: Path, home: Path) -> str:
    """Return what the demonstration wrote; it succeeded, said no error, and left nothing."""
    before = files(project)
    done = subprocess.run(
        [demo], env=environment(home), capture_output=True, text=True, check=False, timeout=110
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.iterdir()) == []
    assert processes.naming(str(home)) == []
    assert files(project) == before
    return done.stdout


def test_nothing_is_left_behind(output: str) -> None:
    """The fixture has looked for processes, temporary files, and changes of the source tree."""
    assert output.endswith("==> everything is stopped and removed\n")


def test_each_step_before_the_first_message_is_told(output: str) -> None:
    said = [line for line in output.splitlines() if line.startswith("==> ")]
    for word in ("installing", "PostgreSQL", "tables", "Postfix"):
        assert any(word in line for line in said)


def test_who_receives_a_message_sees_no_address_but_their_own(output: str) -> None:
    """A soft alias holds an address by the store's choice."""
    received = RECEIVED.findall(output)
    assert len(received) == 2 * 8
    for _, owner, message in received:
        shop = set(re.findall(r"orders@\w+\.example\b", message))
        shown = {each for each in PEOPLE | shop if each in SOFT.sub("(alias)", message)}
        assert shown == {owner}


def test_who_was_given_an_alias_knows_no_more(output: str) -> None:
    messages = [text for who, text in SENT.findall(output) if who.endswith(("carrier", "system"))]
    assert len(messages) == 2 * 4
    for message in messages:
        assert BUYER not in SOFT.sub("(alias)", message)


def test_changed_lines_are_marked_and_others_are_not(output: str) -> None:
    sent, received = SENT.findall(output)[0][1], RECEIVED.findall(output)[0][2]
    assert f"  - From: Carrier <{CARRIER}>\n" in sent
    assert re.search(rf"^  \+ From: Carrier <{HARD.pattern}>$", received, re.MULTILINE)
    assert f"  + To: <{BUYER}>\n" in received
    for message in (sent, received):
        assert "  | Subject: Your parcel is on its way\n" in message
    assert "\033" not in output


@pytest.mark.parametrize(("store", "form"), [("hardshop", HARD), ("softshop", SOFT)])
def test_each_store_gives_aliases_of_its_form(
    output: str, store: str, form: re.Pattern[str]
) -> None:
    asked = output.partition(f"SELECT tracker.mask('{store}'")[2].splitlines()[1]
    assert form.fullmatch(asked.strip())


@pytest.mark.parametrize("store", STORES)
def test_timeline_has_each_message_and_the_bounce(output: str, store: str) -> None:
    timeline = output.partition(f"\nThe timeline of order 1234567890123-01 of {store}\n")[2]
    rows = ROW.findall(timeline.partition("===")[0])
    assert [row.split()[2] for row in rows] == [
        "outbound", "outbound", "outbound", "inbound", "outbound", "outbound", "outbound",
    ]  # fmt: skip
    assert [row.endswith(" accepted") for row in rows] == [True] * 6 + [False]
    assert rows[-1].endswith(" bounced 5.2.2")
    assert "@" not in "".join(rows)


class Kept:
    """A demonstration that goes on running; `said` is what it wrote so far."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self._log = process, log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        found = lambda: re.search(pattern, self.said, re.MULTILINE)  # noqa: E731
        assert processes.until(lambda: found() or self.process.poll() is not None, 100.0)
        match = found()
        assert match is not None, self.said
        return match

    def advised(self, start: str) -> str:
        """Run the command it printed that begins like this, as a shell does."""
        command = self.wait_for(rf"^    ({start}.*)$")[1]
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def kept(demo: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A demonstration with --keep, whose own mails have all been played."""
    log = tmp_path_factory.mktemp("kept") / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [demo, "--keep"], env=environment(home), stdout=file, stderr=file, text=True
        ) as process,
    ):
        kept = Kept(process, log)
        try:
            kept.wait_for("^    psql '[^']*' -c 'SELECT role")
            yield kept
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_a_kept_demonstration_shows_its_orders_in_a_browser(kept: Kept) -> None:
    """With the whole of each text, which the publisher has read meanwhile."""
    address = kept.wait_for(screenshot.ADDRESS.pattern)[1]

    def look() -> str:
        with urlopen(address, timeout=30) as answer:
            return str(answer.read().decode())

    assert processes.until(lambda: "We will write to" in look(), 60.0, 0.5)
    page = look()
    assert "Your parcel goes back" in page
    assert not any(each in page for each in PEOPLE)


def test_the_picture_in_the_readme_can_be_taken_anew(kept: Kept) -> None:
    """By `tests/docs --picture`, from the same demonstration."""
    address = kept.wait_for(screenshot.ADDRESS.pattern)[1]
    taken = screenshot.take(address)
    for each in (taken, screenshot.FILE.read_bytes()):
        assert (each[:4], each[8:12]) == (b"RIFF", b"WEBP")
        assert 10_000 < len(each) < 200_000
    shown = screenshot.FILE.relative_to(ROOT)
    assert f"]({shown})" in (ROOT / "README.md").read_text()


def test_advice_of_a_kept_demonstration_works(kept: Kept, home: Path) -> None:
    """The mail sent as advised arrives and is recorded; Ctrl-C then ends and removes all."""
    assert "250 2.0.0 Ok: queued" in kept.advised("swaks ")
    kept.wait_for("^  Received by me@buyer.example:$")
    assert "outbound   partner" in kept.advised(r"\S*conversation-tracker -c ")
    assert "Hello" in kept.advised(r"psql \S+support@")
    assert BUYER in kept.advised(r"psql \S+postgres@")
    kept.process.send_signal(signal.SIGINT)
    assert kept.process.wait(60) == 0
    assert kept.said.endswith("==> everything is stopped and removed\n")
    assert list(home.iterdir()) == []
    assert processes.naming(str(home)) == []


def test_interrupted_installation_leaves_nothing(demo: Path, home: Path) -> None:
    with subprocess.Popen(
        [demo], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "installing the program" in process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "demo: interrupted\n")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--what"], 2, "demo: unknown option: --what (see --help)\n"),
        (["--help"], 0, ""),
    ],
)
def test_usage(demo: Path, arguments: list[str], code: int, line: str) -> None:
    done = subprocess.run([demo, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, line)


def test_others_than_root_are_told_why_not(demo: Path) -> None:
    done = subprocess.run([demo], capture_output=True, text=True, check=False, user="nobody")
    assert done.returncode == 1
    assert "must be run by root" in done.stderr
    assert done.stderr.count("\n") == 1
