"""The audit of the whole suite: an address planted anywhere in what the program says fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
ROOT = TESTS.parent

CONFTEST = """
import importlib.util

import pytest

spec = importlib.util.spec_from_file_location("shared_conftest", {conftest!r})
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
pytest_configure, postgres = shared.pytest_configure, shared.postgres
migrated, database = shared.migrated, shared.database


@pytest.fixture
def use(request):
    return request.config.pluginmanager.get_plugin("output_capture").gathered.use


@pytest.fixture(autouse=True)
def used(request, use):
    if "unused" not in request.keywords:
        use("john@doe.example")
"""

HEAD = """
import subprocess, sys
import psycopg
WHO = "john" + "@doe.example"
OURS = "import sys, conversation_tracker;"
STORE = "INSERT INTO tracker.stores (name, alias_domain) VALUES ('s', 'ct.example')"
"""

PLANTED = {
    "programs": """
def test():
    subprocess.run([sys.executable, "-c", OURS + "print('john' + '@doe.example')"],
                   capture_output=True)
""",
    "programs, to a file": """
def test(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        code = OURS + "print('john' + '@doe.example', file=sys.stderr)"
        assert subprocess.Popen([sys.executable, "-c", code], stderr=log).wait() == 0
""",
    "programs, that are only looked at": """
import time
def test(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        code = OURS + "print('john' + '@doe.example')"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=log)
        while process.poll() is None:
            time.sleep(0.02)
""",
    "programs, to a page": """
def test(tmp_path):
    code = OURS + "open(sys.argv[2], 'w').write('john' + '@doe.example')"
    command = [sys.executable, "-c", code, "--html", str(tmp_path / "page.html")]
    assert subprocess.run(command, capture_output=True).stdout == b""
""",
    "programs, in a fork": """
import warm
def test():
    command = [sys.executable, "-m", "conversation_tracker", "timeline", "shop", "1"]
    said = warm.run(command, env={"CONVERSATION_TRACKER_CONFIG": WHO})
    assert WHO.encode() in said.stderr
""",
    "output of tests": """
def test():
    print(WHO)
""",
    "output of tests, with an address that a statement has": """
import pytest
@pytest.mark.unused
def test(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT %s::text", (WHO,))
    print(WHO)
""",
    "output of tests, with an address that the milter has in MAIL": """
import pytest, wire
@pytest.mark.unused
def test():
    with pytest.raises(AttributeError):
        wire.Wire.mail(None, WHO.encode())
    print(WHO)
""",
    "output of tests, with an address that the milter has in RCPT": """
import pytest, wire
@pytest.mark.unused
def test():
    with pytest.raises(AttributeError):
        wire.Wire.rcpt(None, WHO.encode())
    print(WHO)
""",
    "milter replies": """
import packets
def test():
    packets.reply_of(b"y", b"550 5.1.1 who is " + WHO.encode())
""",
    "SMTP replies": """
import socket, threading
from private.client import Client
def test():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 hello\\r\\n")
                connection.recv(100)
                connection.sendall(b"250 " + WHO.encode() + b"\\r\\n")
                connection.recv(100)
        thread = threading.Thread(target=answer)
        thread.start()
        Client(server.getsockname()[1]).close()
        thread.join()
""",
    "notifications": """
def test(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_notify('tracker_messages', 'john' || '@doe.example')")
""",
    "database logs": """
def test(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN RAISE WARNING '%', 'john' || '@doe.example'; END $$")
""",
    "refusals": """
def test(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
        connection.execute("SELECT tracker.mask('s', '1', 'jane@roe.example')")
        connection.execute("INSERT INTO tracker.refusals (order_id, digest, subject, reply)"
                           " SELECT id, 'x', 'for Jane@roe.example', '' FROM tracker.orders")
""",
    "nothing": """
def test(database):
    subprocess.run([sys.executable, "-c", OURS + "print('jane@roe.example')"], capture_output=True)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
        connection.execute("SELECT tracker.mask('s', '1', %s)", (WHO,))
""",
}


def run(folder: Path, files: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on files of tests, with our capture of output."""
    conftest = CONFTEST.format(conftest=str(TESTS / "conftest.py"))
    (folder / "conftest.py").write_text(conftest)
    for name, text in files.items():
        (folder / name).write_text(HEAD + text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = unused\n")
    path = [ROOT / "milter", ROOT / "postfix"]
    path += [TESTS / "database", TESTS / "milter", TESTS / "audit"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("where", PLANTED)
def test_an_address_planted_anywhere_fails_the_run(where: str, tmp_path: Path) -> None:
    done = run(tmp_path, {"test_planted.py": PLANTED[where]})
    if where == "nothing":
        assert done.returncode == 0, done.stdout
        assert "searched for 1 addresses" in done.stdout
        return
    assert done.returncode == 1, done.stdout
    source, address = where.partition(",")[0], "doe.example"
    if where == "refusals":
        address = "roe.example"
    assert f"{source} (test_planted.py::test) names j" in done.stdout
    assert f"@{address}: " in done.stdout
    assert "1 failed, 1 passed" in done.stdout


# Each waits for the other: so they run in two processes.
MEET = """
import pathlib, pytest, time
def meet(own, other):
    here = pathlib.Path(__file__).parent
    (here / own).touch()
    give_up = time.monotonic() + 60
    while not (here / other).exists():
        assert time.monotonic() < give_up
        time.sleep(0.02)
"""
SAYS = """
@pytest.mark.unused
def test():
    meet("one", "two")
    print("\\udce9", WHO)
"""
USES = """
def test():
    meet("two", "one")
"""
DIES = """
import os
def test():
    meet("two", "one")
    os.kill(os.getpid(), 9)
"""


MANY = """
def test_many_are_notified(postgres, migrated):
    uri = postgres.create_database("long", template=migrated)
    with psycopg.connect(uri, autocommit=True) as connection:
        for _ in range(200):
            connection.execute("SELECT pg_notify('tracker_messages', repeat('x', 7900))")

def test_another_database_is_dropped(database):
    pass
"""


def test_notifications_that_nobody_took_yet_hold_up_no_other_database(tmp_path: Path) -> None:
    done = run(tmp_path, {"test_many.py": MANY}, "--timeout=100")
    assert done.returncode == 0, done.stdout
    assert "200 notifications" in done.stdout


def test_what_one_process_says_is_searched_for_what_another_uses(tmp_path: Path) -> None:
    files = {"test_says.py": MEET + SAYS, "test_uses.py": MEET + USES}
    done = run(tmp_path, files, "-n2", "--dist=loadfile")
    assert done.returncode == 1, done.stdout
    assert "output of tests (test_says.py::test) names john@doe.example" in done.stdout
    assert "searched for 1 addresses in: 1 output of tests" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 failed, 2 passed")


def test_a_process_that_breaks_down_fails_the_run(tmp_path: Path) -> None:
    """It may have said anything."""
    files = {"test_one.py": MEET + SAYS, "test_two.py": MEET + DIES}
    done = run(tmp_path, files, "-n2", "--dist=loadfile")
    assert done.returncode == 1, done.stdout
    assert "nobody knows what the process gw" in done.stdout
