"""The private PostgreSQL keeps its data, keeps to itself, and leaves nothing behind.

Of what all private servers have in common too: when one counts as there.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import private
from private import processes
from private.postgres import Postgres
from private.server import listens

STARTER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from private.postgres import Postgres
server = Postgres(fsync=False)
server.start()
print(server.directory, server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres(fsync=False) as server:
        yield server


def answer(uri: str, query: str = "SELECT 1") -> object:
    with psycopg.connect(uri) as connection:
        row = connection.execute(query.encode()).fetchone()  # bytes: no literal is needed
        assert row is not None
        return row[0]


@pytest.mark.parametrize("tcp", [False, True])
def test_it_answers_on_its_socket_and_on_loopback(server: Postgres, tcp: bool) -> None:
    assert answer(server.uri(tcp=tcp)) == 1


def test_it_lets_any_role_in(server: Postgres) -> None:
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    assert answer(server.uri(user="reader"), "SELECT current_user") == "reader"


def test_a_database_made_from_a_template_has_what_the_template_has(server: Postgres) -> None:
    with psycopg.connect(server.create_database("pattern")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    copy = server.create_database("copy", template="pattern")
    assert answer(copy, "SELECT n FROM t") == 7
    with psycopg.connect(copy):
        server.drop_database("copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        answer(copy)


def test_two_servers_do_not_meet(server: Postgres) -> None:
    with Postgres(fsync=False) as other:
        assert other.port != server.port
        other.create_database("only_here")
        assert answer(other.uri("only_here")) == 1
    with pytest.raises(psycopg.OperationalError):
        answer(server.uri("only_here"))


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_committed_data_outlives_restart_and_kill(server: Postgres, end: str) -> None:
    with psycopg.connect(server.create_database(end)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    if end == "kill":
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            answer(server.uri(end))
        server.start()
    else:
        server.restart("immediate")
    assert answer(server.uri(end), "SELECT n FROM t") == 7


def test_a_closed_server_leaves_no_process_and_no_directory() -> None:
    with Postgres(settings={"max_connections": "7"}) as server:
        assert answer(server.uri(), "SHOW max_connections") == "7"
        assert answer(server.uri(), "SHOW fsync") == "on"
        directory, port = server.directory, server.port
    assert not directory.exists()
    assert not processes.naming(str(directory))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")


def test_a_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    server = Postgres(fsync=False, settings={"no_such_setting": "1"})
    with pytest.raises(RuntimeError, match="no_such_setting"), server:
        pytest.fail("it started")
    assert not server.directory.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_with_the_process_that_started_it(number: int) -> None:
    """Even if that is killed, no process is left after a few seconds, and no directory."""
    command = [sys.executable, "-c", STARTER, str(Path(private.__file__).parent.parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as starter:
        assert starter.stdout is not None
        directory, leader = starter.stdout.readline().split()
        assert processes.naming(directory)
        starter.send_signal(number)
        starter.wait(10)
    assert processes.until(lambda: not processes.naming(directory), 10.0)
    assert not processes.family(int(leader))
    assert processes.until(lambda: not Path(directory).exists(), 5.0)


def test_a_socket_listens_once_it_takes_connections_and_not_when_it_has_its_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    assert not listens(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert path.exists()
        assert not listens(path)
        server.listen()
        assert listens(path)
    assert not listens(path)
