"""The whole suite is overheard: an address planted anywhere in what the program says fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent

CONFTEST = """
import importlib.util

import pytest

spec = importlib.util.spec_from_file_location("shared_conftest", {conftest!r})
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
pytest_configure, postgres = shared.pytest_configure, shared.postgres
migrated, database = shared.migrated, shared.database


@pytest.fixture(autouse=True)
def used(request):
    request.config.pluginmanager.get_plugin("ears").gathered.use("john@doe.example")
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
    "output of tests": """
def test():
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


@pytest.mark.parametrize("where", PLANTED)
def test_an_address_planted_anywhere_fails_the_run(where: str, tmp_path: Path) -> None:
    conftest = CONFTEST.format(conftest=str(TESTS / "conftest.py"))
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_planted.py").write_text(HEAD + PLANTED[where])
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = [ROOT / "milter", ROOT / "postfix", TESTS / "milter", TESTS / "overheard"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
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
