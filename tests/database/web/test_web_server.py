"""`conversation-tracker web` as a process: its socket, its end, and bad weather."""

import asyncio
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from web_client import Answer, Web
from web_orders import CUSTOMER, Orders

from conversation_tracker.config.socket import Socket
from conversation_tracker.web.listener import Listener
from conversation_tracker.web.server import make_server
from private.postgres import Postgres


@pytest.fixture(scope="module")
def orders(postgres: Postgres, shared: str) -> Iterator[Orders]:
    """Return a database with one order."""
    found = Orders(postgres, shared)
    found.add_store("shop")
    found.open("shop", "1001")
    found.write("shop", "1001")
    yield found
    found.close()


@pytest.fixture(scope="module")
def uri(orders: Orders) -> str:
    """Return the database for a role that may read it."""
    return orders.add_reader("shop")


@contextmanager
def locked(orders: Orders) -> Iterator[None]:
    """Keep everybody waiting who reads an order."""
    with orders.connection.transaction(force_rollback=True):
        orders.connection.execute("LOCK TABLE tracker.orders IN ACCESS EXCLUSIVE MODE")
        yield


def run_web(config: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "conversation_tracker", "-c", str(config), "web"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


# The socket


def test_the_socket_is_for_the_directorys_group_alone_and_goes_with_it(
    tmp_path: Path, uri: str
) -> None:
    home = tmp_path / "run"
    home.mkdir()
    os.chown(home, -1, 65534)
    home.chmod(0o2750)
    with Web(home, uri) as web:
        found = web.socket.stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == 65534
        assert not Path(f"{web.socket}.tmp").exists()
        assert web.get("/orders/shop/1001").status == 200
        assert web.end() == 0
        assert not web.socket.exists()


def test_a_stale_socket_is_replaced(tmp_path: Path, uri: str) -> None:
    with Web(tmp_path, uri) as web:
        web.end(signal.SIGKILL)
        assert web.socket.exists()
        web.start()
        assert web.get("/orders/shop/1001").status == 200


def test_two_instances_do_not_take_each_others_socket(tmp_path: Path, uri: str) -> None:
    with Web(tmp_path / "one", uri) as one:
        another = Web(tmp_path / "two", uri, listen=f"unix:{one.socket}")
        done = run_web(another.config)
        assert done.returncode == os.EX_TEMPFAIL
        assert "give each instance a listen of its own" in done.stderr
        assert one.get("/orders/shop/1001").status == 200


def test_what_it_cannot_listen_on_is_said_in_one_line(tmp_path: Path, uri: str) -> None:
    (tmp_path / "file").write_text("x")
    for where, said in (
        (f"unix:{tmp_path}/no/web.sock", f"there is no directory {tmp_path}/no"),
        (f"unix:{tmp_path}/file", "is there and no socket"),
        ("inet:8080@0.0.0.0", "is not this host alone"),
        ("inet:8080@example.com", "is not this host alone"),
        ("nowhere", "is neither unix:/PATH nor inet:PORT@HOST"),
    ):
        done = run_web(Web(tmp_path / "web", uri, listen=where).config)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert said in line
    assert (tmp_path / "file").read_text() == "x"


def test_a_port_that_is_taken_is_temporary(tmp_path: Path, uri: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_web(Web(tmp_path, uri, listen=f"inet:{port}@127.0.0.1").config)
    assert done.returncode == os.EX_TEMPFAIL
    assert "cannot listen on" in done.stderr


# Its end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_whoever_is_connected(tmp_path: Path, uri: str, number: int) -> None:
    with Web(tmp_path, uri) as web:
        idle, begun = web.connect(), web.connect()
        idle.connect()
        begun.connect()
        begun.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        kept = web.connect()
        kept.request("GET", "/orders/shop/1001")
        kept.getresponse().read()
        began = time.monotonic()
        assert web.end(number) == 0
        assert time.monotonic() - began < 15
        assert web.events("stopping")[0]["signal"] == signal.Signals(number).name
        for each in (idle, begun, kept):
            each.close()


def test_it_ends_though_the_database_hangs(tmp_path: Path, migrated: str) -> None:
    with Postgres(fsync=False) as server:
        from conversation_tracker.database.migrate import migrate

        there = server.create_database("hangs")
        migrate(there)
        with Web(tmp_path, there) as web:
            assert web.get("/").status == 200
            with server.frozen():
                asking = web.connect()
                asking.request("GET", "/orders/shop/1001")
                time.sleep(0.5)
                began = time.monotonic()
                assert web.end() == 0
                assert time.monotonic() - began < 15
                asking.close()


def test_an_answer_that_is_under_way_comes_to_its_end(
    tmp_path: Path, orders: Orders, uri: str
) -> None:
    with Web(tmp_path, uri) as web:
        with locked(orders):
            found: list[Answer] = []
            asking = threading.Thread(
                target=lambda: found.append(web.get("/orders/shop/1001?format=json"))
            )
            asking.start()
            time.sleep(0.3)
            assert web._process is not None
            web._process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        asking.join(30)
        assert [answer.status for answer in found] == [200]
        assert web.wait() == 0


# The configuration


def test_it_takes_a_new_configuration_and_refuses_a_faulty_one(tmp_path: Path, uri: str) -> None:
    with Web(tmp_path, uri) as web:
        assert web._process is not None

        def reload(event: str) -> None:
            known = len(web.events(event))
            web._process.send_signal(signal.SIGHUP)
            web.until(lambda: len(web.events(event)) > known)

        web.configure(frame_ancestors="https://erp.example.com", user_header="X-User")
        reload("config-reloaded")
        assert web.get("/orders/shop/1001").status == 403
        answer = web.get("/orders/shop/1001", X_User="anna")
        assert answer.headers["content-security-policy"].endswith("https://erp.example.com")
        web.configure(frame_ancestors="nonsense")
        reload("config-refused")
        assert web.get("/orders/shop/1001", X_User="anna").status == 200
        web.configure(listen=f"unix:{tmp_path}/another.sock")
        reload("config-refused")
        assert "takes a restart" in web.events("config-refused")[-1]["faults"][0]
        assert web.get("/orders/shop/1001", X_User="anna").status == 200


def test_another_role_shows_what_it_was_granted_after_a_reload(
    tmp_path: Path, orders: Orders, uri: str
) -> None:
    with Web(tmp_path, uri) as web:
        assert web.get("/orders/shop/1001").status == 200
        web.configure(orders.add_reader())
        assert web._process is not None
        web._process.send_signal(signal.SIGHUP)
        web.until(lambda: web.events("config-reloaded"))
        assert web.get("/orders/shop/1001").status == 404


# Bad weather


def test_a_database_that_is_away_has_a_page_that_says_so(tmp_path: Path) -> None:
    from conversation_tracker.database.migrate import migrate

    with Postgres(fsync=False) as server:
        there = server.create_database("away")
        migrate(there)
        server.stop()
        with Web(tmp_path, there) as web:
            for path in ("/", "/orders/shop/1001", "/orders/shop/1001/messages/1"):
                answer = web.get(path)
                assert answer.status == 503
                assert answer.headers["retry-after"] == "5"
                assert "The database does not answer now." in answer.text
                assert "default-src 'none'" in answer.headers["content-security-policy"]
            answer = web.get("/orders/shop/1001?format=json")
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert json.loads(answer.text)["status"] == 503
            assert web.search(CUSTOMER).status == 503
            assert web.get("/static/page.css").status == 200
            server.start()
            web.until(lambda: web.get("/").status == 200)
            assert web.get("/orders/shop/1001").status == 404
            assert len(web.events("database-unreachable")) == 1
            assert len(web.events("database-back")) == 1
            server.restart("immediate")
            web.until(lambda: web.get("/").status == 200)


def test_whoever_waits_for_the_database_keeps_nobody_else_waiting(
    tmp_path: Path, orders: Orders, uri: str
) -> None:
    with Web(tmp_path, uri) as web:
        with locked(orders):
            found: list[int] = []
            asking = [
                threading.Thread(target=lambda: found.append(web.get("/orders/shop/1001").status))
                for _ in range(20)
            ]
            for each in asking:
                each.start()
            time.sleep(0.2)
            began = time.monotonic()
            assert web.get("/static/page.css").status == 200
            assert time.monotonic() - began < 2
            for each in asking:
                each.join(60)
        assert len(found) == 20
        assert set(found) == {503}
        web.until(lambda: web.get("/orders/shop/1001").status == 200)


def test_a_role_that_is_no_reader_is_no_empty_page(tmp_path: Path, orders: Orders) -> None:
    orders.sql("CREATE ROLE no_reader LOGIN")
    orders.roles.append("no_reader")
    there = orders._postgres.uri(orders.connection.info.dbname, "no_reader")
    with Web(tmp_path, there) as web:
        assert web.get("/orders/shop/1001").status == 503
        assert web.get("/").status == 503


def test_nothing_is_written_but_the_note_of_a_look_up(
    tmp_path: Path, orders: Orders, uri: str
) -> None:
    """Also as a role that may write everything."""

    def count() -> list[tuple[Any, ...]]:
        return orders.sql(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_all_tables"
        )

    orders.sql("DELETE FROM tracker.lookups")
    before = count()
    with Web(tmp_path, orders.uri) as web:
        for path in ("/", "/?q=1001", "/orders/shop/1001", "/orders/shop/1001?format=json"):
            assert web.get(path).status == 200
        assert web.search(CUSTOMER).status == 200
    assert count() == before
    assert orders.sql("SELECT store, found FROM tracker.lookups") == [("shop", 1)]


# Clients


def read_all(handle: socket.socket) -> bytes:
    found = b""
    while part := handle.recv(65536):
        found += part
    return found


def test_what_is_no_request_is_answered_and_guarded(tmp_path: Path, uri: str) -> None:
    with Web(tmp_path, uri) as web:
        for sent in (
            b"nonsense\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        ):
            connection = web.connect()
            connection.connect()
            connection.sock.sendall(sent)
            answer = read_all(connection.sock)
            connection.close()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"\r\nContent-Security-Policy: default-src 'none'" in answer
        with suppress(OSError):
            # It ends while more of it comes.
            assert web.get("/", X="x" * 5_000_000).status == 400
        assert web.get("/orders/shop/1001", X="x" * 60_000).status == 431
        assert web.get("/?q=" + "x" * 10_000).status == 414
        assert web.get("/orders/shop/1001").status == 200
        assert not web.events("library")
        assert not web.events("error")


def test_an_upgrade_is_not_made(tmp_path: Path, uri: str) -> None:
    with Web(tmp_path, uri) as web:
        answer = web.get(
            "/", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        )  # fmt: skip
        assert answer.status in (200, 400)
        assert "default-src 'none'" in answer.headers["content-security-policy"]


class _Idle:
    """An application that answers as slowly as it is told."""

    def __init__(self) -> None:
        self.octets = 1
        self.later = 0  # octets of all answers but the first, if they are others
        self.called = 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.called += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        octets = self.later if self.later and self.called > 1 else self.octets
        await send({"type": "http.response.body", "body": b"x" * octets})


@pytest.fixture
def served(
    tmp_path: Path, change_timeouts: Callable[..., object]
) -> Iterator[tuple[_Idle, Callable[[], socket.socket]]]:
    """Serve an application in this process, with ends that come soon; give it and a way to it."""
    change_timeouts(web_head_seconds=0.5, web_send_seconds=1.5, web_idle_seconds=1)
    application = _Idle()
    server = make_server(application)
    listener = Listener(Socket("unix", path=str(tmp_path / "web.sock")))

    def connect() -> socket.socket:
        handle = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        handle.settimeout(30)
        handle.connect(listener.where.path)
        return handle

    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener.handle])))
    thread.start()
    yield application, connect
    server.should_exit = True
    server.force_exit = True
    thread.join(30)
    listener.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost"]
)
def test_a_client_that_does_not_say_what_it_wants_is_cut_off(
    served: tuple[_Idle, Callable[[], socket.socket]], sent: bytes
) -> None:
    application, connect = served
    with connect() as handle:
        handle.sendall(sent)
        began = time.monotonic()
        with Ends():
            read_all(handle)
        assert time.monotonic() - began < 10
    assert application.called == 0


def test_one_that_sends_a_head_slowly_is_cut_off_too(
    served: tuple[_Idle, Callable[[], socket.socket]],
) -> None:
    """Also behind a request that was answered."""
    _application, connect = served
    for first in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with connect() as handle, Ends():
            handle.sendall(first)
            if first:
                handle.recv(1000)
            for _ in range(200):
                handle.sendall(b"X")
                time.sleep(0.05)
            raise AssertionError("it is still listened to")


def test_one_that_does_not_read_its_answer_is_cut_off(
    served: tuple[_Idle, Callable[[], socket.socket]],
) -> None:
    application, connect = served
    application.octets = 20_000_000
    with connect() as handle:
        handle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(3)
        with Ends():
            assert len(read_all(handle)) < application.octets


def test_one_that_asks_twice_at_once_and_does_not_read_is_cut_off(
    served: tuple[_Idle, Callable[[], socket.socket]],
) -> None:
    """The second request has been read by the time the first is answered; it has an end as well."""
    application, connect = served
    application.octets = 1_000
    application.later = 20_000_000
    with connect() as handle:
        handle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        time.sleep(3)
        with Ends():
            assert len(read_all(handle)) < application.later
    assert application.called == 2


def test_one_connection_too_many_is_told_so(
    served: tuple[_Idle, Callable[[], socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an end, the process had no file handle left, and wrote a megabyte of log a second."""
    _application, connect = served
    monkeypatch.setattr("conversation_tracker.web.server.CONNECTIONS", 3)
    with connect(), connect(), connect(), connect() as fourth:
        answer = read_all(fourth)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"default-src 'none'" in answer
    for _ in range(100):
        with connect() as handle:
            handle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if read_all(handle).startswith(b"HTTP/1.1 200"):
                break
        time.sleep(0.1)
    else:
        raise AssertionError("nobody is let in any more")


def test_a_connection_may_be_used_again_and_again(
    served: tuple[_Idle, Callable[[], socket.socket]],
) -> None:
    application, connect = served
    with connect() as handle:
        for _ in range(5):
            handle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = http.client.HTTPResponse(handle)
            answer.begin()
            assert answer.read() == b"x"
            time.sleep(0.4)
    assert application.called == 5


class Ends:
    """Expect the end of a connection, however it comes."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, ConnectionError)
