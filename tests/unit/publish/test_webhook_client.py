"""The HTTP client of webhooks, before receivers that are slow, broken or hostile."""

import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from receiver import Behave, Handler, Receiver, make_authority, receiving, say, take

from conversation_tracker.base.timeouts import Timeouts
from conversation_tracker.publish.webhooks.client import Answer, Postbox, Trust
from conversation_tracker.publish.webhooks.destination import read_url
from conversation_tracker.telemetry.log_setup import configure
from private import processes

Change = Callable[..., Timeouts]
NAME = "shop.example.test"


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust(make_authority().trust)


def resolve_here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def open_session(receiver: Receiver, trust: Trust) -> Postbox:
    return Postbox(read_url(receiver.url), allow_private=True, trust=trust)


def post(receiver: Receiver, trust: Trust, times: int = 1) -> list[Answer]:
    """Send the same so many times over one session."""
    with open_session(receiver, trust) as session:
        return [session.post({"webhook-id": f"evt_{n}"}, b'{"type":"x"}') for n in range(times)]


def test_a_webhook_is_taken_with_any_2xx_over_one_connection(trust: Trust) -> None:
    with receiving(take) as receiver:
        assert post(receiver, trust, 3) == [Answer("204", 204)] * 3
    assert len({each.connection for each in receiver.got}) == 1
    first = receiver.got[0]
    assert first.path == "/hook?token=hidden"
    assert first.body == b'{"type":"x"}'
    assert first.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": "conversation-tracker",
        "content-type": "application/json",
        "content-length": "12",
        "accept-encoding": "identity",
        "webhook-id": "evt_0",
    }


@pytest.mark.parametrize("status", [200, 201, 299, 300, 304, 400, 404, 410, 429, 500, 502, 504])
def test_only_2xx_is_success(trust: Trust, status: int) -> None:
    with receiving(say(status)) as receiver:
        [answer] = post(receiver, trust)
    assert (answer.said, answer.status, answer.taken) == (str(status), status, status < 300)


def test_it_says_how_long_to_wait(trust: Trust) -> None:
    with receiving(say(503, Retry_After="17")) as receiver:
        assert post(receiver, trust) == [Answer("503", 503, 17.0)]


def test_a_redirect_is_not_followed(trust: Trust) -> None:
    with (
        receiving(take) as inner,
        receiving(say(307, Location=inner.url)) as outer,
    ):
        assert post(outer, trust) == [Answer("307", 307)]
    assert inner.got == []


def test_no_cookie_and_no_proxy_of_the_environment(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(take) as proxy, receiving(say(200, Set_Cookie="a=b")) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert [each.status for each in post(receiver, trust, 2)] == [200, 200]
    assert proxy.got == []
    assert all("cookie" not in each.headers for each in receiver.got)


def drip_header(handler: Handler) -> None:
    """Answer a byte at a time and never end."""
    drip(handler, b"HTTP/1.1 200 OK\r\nX: ")


def drip_informational(handler: Handler) -> None:
    while not handler.server.over.wait(0.01):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip(handler: Handler, first: bytes) -> None:
    handler.close_connection = True
    handler.wfile.write(first)
    while not handler.server.over.wait(0.01):
        handler.wfile.write(b"x")


def stay_silent(handler: Handler) -> None:
    handler.server.over.wait(60)
    handler.close_connection = True


@pytest.mark.parametrize("behave", [drip_header, drip_informational, stay_silent])
def test_a_try_ends_in_time_whatever_the_receiver_does(
    trust: Trust, change_timeouts: Change, behave: Behave
) -> None:
    change_timeouts(webhook_total_seconds=0.5)
    with receiving(behave) as receiver:
        began = time.monotonic()
        assert post(receiver, trust) == [Answer("timeout")]
    assert time.monotonic() - began < 10


def test_silence_is_limited_by_itself(trust: Trust, change_timeouts: Change) -> None:
    change_timeouts(webhook_read_seconds=0.3)
    with receiving(stay_silent) as receiver:
        assert post(receiver, trust) == [Answer("timeout")]


def test_a_short_body_that_never_comes_is_not_waited_for_beyond_the_whole_time(
    trust: Trust, change_timeouts: Change
) -> None:
    change_timeouts(webhook_total_seconds=0.5)

    def behave(handler: Handler) -> None:
        drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")

    with receiving(behave) as receiver:
        assert post(receiver, trust) == [Answer("200", 200)]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1073741824",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_long_body_is_not_read(trust: Trust, head: bytes) -> None:
    """A gigabyte, or no end at all, costs what fits into the sockets' buffers."""
    sent: list[int] = []

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        try:
            for _ in range(16_384):
                handler.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                sent.append(65_536)
        except OSError:
            sent.append(0)

    with receiving(behave) as receiver:
        assert post(receiver, trust, 2) == [Answer("200", 200)] * 2
        assert sum(sent) < 64_000_000
    assert len({each.connection for each in receiver.got}) == 2


def test_a_204_without_a_length_keeps_the_connection(trust: Trust) -> None:
    def behave(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    with receiving(behave) as receiver:
        assert post(receiver, trust, 3) == [Answer("204", 204)] * 3
    assert len({each.connection for each in receiver.got}) == 1


def cut(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_within(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 20")
    handler.connection.shutdown(socket.SHUT_RDWR)


def speak_nonsense(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")


def test_nothing_of_a_url_or_an_answer_gets_into_the_log(trust: Trust) -> None:
    def behave(handler: Handler) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header: x\r\nLooks like our log\r\n\r\n"
        )

    stream = io.StringIO()
    configure("json", stream)
    try:
        with receiving(behave) as receiver:
            assert post(receiver, trust) == [Answer("200", 200)]
    finally:
        configure("json")
    assert stream.getvalue() == ""


def send_many_headers(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n")


def send_long_header(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n")


@pytest.mark.parametrize(
    "behave", [cut, cut_within, speak_nonsense, send_many_headers, send_long_header]
)
def test_what_is_no_answer_is_a_failure_and_the_next_try_has_a_new_connection(
    trust: Trust, behave: Behave
) -> None:
    with receiving(behave) as receiver, open_session(receiver, trust) as session:
        assert session.post({}, b"{}") == Answer("cut")
        receiver.behave = take
        assert session.post({}, b"{}") == Answer("204", 204)


def test_a_connection_that_the_receiver_closed_meanwhile_is_made_anew(trust: Trust) -> None:
    def behave(handler: Handler) -> None:
        handler.answer(200)
        handler.close_connection = True

    with receiving(behave) as receiver, open_session(receiver, trust) as session:
        assert session.post({}, b"{}").taken
        receiver.over.wait(0.2)
        assert session.post({}, b"{}").taken


def test_nobody_there(trust: Trust) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with Postbox(read_url(url), allow_private=True, trust=trust) as session:
            assert session.post({}, b"{}") == Answer("unreachable")


def test_a_fault_of_the_programs_is_a_failure_and_stands_in_the_log(trust: Trust) -> None:
    def fail() -> datetime:
        raise RuntimeError("shop.internal/secret")

    said = io.StringIO()
    configure("json", said)
    try:
        with receiving(take) as receiver:
            destination = read_url(receiver.url)
            with Postbox(destination, allow_private=True, trust=trust, now=fail) as session:
                assert session.post({}, b"{}") == Answer("cut")
    finally:
        configure("json")
    line = json.loads(said.getvalue())
    assert (line["event"], line["error"]) == ("webhooks", "RuntimeError")
    assert "secret" not in said.getvalue()


def test_the_next_address_is_tried_where_nobody_answers(trust: Trust) -> None:
    with receiving(take) as receiver:
        destination = replace(read_url(receiver.url), host="shop.internal")
        found = ["127.0.0.77", "127.0.0.1"]
        with Postbox(
            destination, allow_private=True, trust=trust, resolver=lambda *_: found
        ) as session:
            assert session.post({}, b"{}").taken
    assert receiver.got[0].headers["host"] == f"shop.internal:{receiver.port}"


def post_secure(
    name: str, certified: str, trust: Trust, resolved: list[str] | None = None
) -> tuple[Answer, Receiver]:
    context = make_authority().serve(certified)
    with receiving(take, context) as receiver:
        destination = read_url(f"https://{name}:{receiver.port}/hook")
        found = resolved or ["127.0.0.1"]
        with Postbox(
            destination, allow_private=True, trust=trust, resolver=lambda *_: found
        ) as session:
            return session.post({}, b"{}"), receiver


@pytest.mark.parametrize(
    ("name", "certified"),
    [(NAME, NAME), (f"{NAME}.", NAME), (NAME.upper(), NAME), (NAME, "*.example.test")],
)
def test_a_good_certificate_is_believed(trust: Trust, name: str, certified: str) -> None:
    answer, _ = post_secure(name, certified, trust)
    assert answer == Answer("204", 204)


def test_a_certificate_of_an_ip_address_is_believed(trust: Trust) -> None:
    assert post_secure("127.0.0.1", "127.0.0.1", trust)[0].taken


@pytest.mark.parametrize(
    ("name", "certified"),
    [(NAME, "other.example.test"), (NAME, "127.0.0.1"), ("127.0.0.1", NAME)],
)
def test_a_certificate_of_somebody_else_is_not(trust: Trust, name: str, certified: str) -> None:
    answer, receiver = post_secure(name, certified, trust)
    assert answer == Answer("certificate")
    assert receiver.got == []


def test_an_authority_the_system_does_not_know_is_not_believed() -> None:
    answer, receiver = post_secure(NAME, NAME, Trust())
    assert answer == Answer("certificate")
    assert receiver.got == []


def test_a_handshake_that_never_comes_ends_in_time(trust: Trust, change_timeouts: Change) -> None:
    change_timeouts(webhook_connect_seconds=0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://{NAME}:{listener.getsockname()[1]}/"
        with Postbox(
            read_url(url), allow_private=True, trust=trust, resolver=resolve_here
        ) as session:
            assert session.post({}, b"{}").said in ("timeout", "unreachable")


def test_who_is_not_allowed_inside_connects_to_nobody(trust: Trust) -> None:
    with receiving(take, make_authority().serve(NAME)) as receiver:
        url = f"https://{NAME}:{receiver.port}/"
        with Postbox(
            read_url(url), allow_private=False, trust=trust, resolver=resolve_here
        ) as session:
            assert session.post({}, b"{}") == Answer("private-address")
    assert receiver.got == []


def test_the_address_that_was_judged_is_the_one_connected_to(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is asked for once: that it leads elsewhere a moment later changes nothing."""
    asked: list[str] = []
    connected: list[str] = []

    def connect(_socket: object, address: tuple[str, int]) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    def rebind(host: str, _port: int) -> list[str]:
        asked.append(host)
        monkeypatch.setattr(socket.socket, "connect", connect)
        return ["9.9.9.9"] if len(asked) == 1 else ["127.0.0.1"]

    with Postbox(
        read_url(f"https://{NAME}/"), allow_private=False, trust=trust, resolver=rebind
    ) as session:
        assert session.post({}, b"{}") == Answer("unreachable")
    assert asked == [NAME]
    assert set(connected) == {"9.9.9.9"}


def test_a_resolver_that_never_answers_ends_in_time(
    trust: Trust, change_timeouts: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And however many names are asked for, a bounded number of threads waits for it."""
    change_timeouts(webhook_resolve_seconds=0.05)
    answered, asked = threading.Event(), itertools.count()

    def hang(*_args: object, **_more: object) -> list[object]:
        next(asked)
        answered.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    destination = read_url("https://shop.example.test/")
    with Postbox(destination, allow_private=True, trust=trust) as session:
        began = time.monotonic()
        assert session.post({}, b"{}") == Answer("timeout")
        assert time.monotonic() - began < 10
        change_timeouts(webhook_resolve_seconds=0.001)
        assert {session.post({}, b"{}").said for _ in range(100)} == {"timeout"}
        assert next(asked) == 64
        answered.set()
        change_timeouts(webhook_resolve_seconds=10.0)
        assert processes.until(lambda: session.post({}, b"{}") == Answer("no-address"), 30)
