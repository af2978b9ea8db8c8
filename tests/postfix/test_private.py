"""The private Postfix and its sink carry mail unchanged and leave nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import private
from private import processes
from private.client import Client, send
from private.postfix import Postfix
from private.sink import Sink

MAIL = (
    b"From: a@example.org\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nTo: b@example.net\r\nSubject: \xc3\xa9\r\n\tfolded \r\n\r\n"
    b".\r\n..dots\r\n.x\r\n\xff\x00\r\n\r\n"
)

STARTER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from private.postfix import Postfix
server = Postfix()
server.start()
print(server.directory, server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postfix, Sink]]:
    with Sink() as sink, Postfix(sink.port, accounts={"shop": "secret"}) as postfix:
        yield postfix, sink


@pytest.fixture
def sink(servers: tuple[Postfix, Sink]) -> Sink:
    """Return the sink with nothing in it, and nothing on its way to it."""
    servers[0].wait_until_queue_empty()
    servers[1].clear()
    return servers[1]


@pytest.fixture
def postfix(servers: tuple[Postfix, Sink], sink: Sink) -> Postfix:
    return servers[0]


def test_a_mail_comes_out_byte_for_byte(postfix: Postfix, sink: Sink) -> None:
    """Under one Received header, dots, 8-bit bytes, NUL and blanks at line ends included."""
    assert send(postfix.port, "a@example.org", "b@example.net", MAIL).ok
    mail = sink.wait_for(1)[0]
    received = re.match(rb"Received: from [^\r]*\r\n(\t[^\r]*\r\n)*", mail.data)
    assert received is not None
    assert mail.data[received.end() :] == MAIL
    assert mail.sender.address == "a@example.org"
    assert mail.addresses == ("b@example.net",)
    assert mail.header("subject") == [b"\xc3\xa9\r\n\tfolded "]
    assert mail.helo == "mail.example.com"
    postfix.wait_until_queue_empty()


def test_every_reply_is_handed_back(postfix: Postfix, sink: Sink) -> None:
    answer = send(postfix.port, "a@example.org", ["b@example.net", "not valid"], MAIL)
    assert [reply.code for reply in answer.replies] == [250, 250, 501, 354, 250]
    assert answer.to("not valid").code == 501
    assert answer.ok


def test_envelope_parameters_travel(postfix: Postfix, sink: Sink) -> None:
    send(
        postfix.port,
        "a@example.org",
        "b@example.net",
        MAIL,
        mail_parameters="BODY=8BITMIME RET=HDRS ENVID=id1",
        rcpt_parameters="NOTIFY=FAILURE ORCPT=rfc822;b@example.net",
    )
    mail = sink.wait_for(1)[0]
    assert mail.sender.parameters.items() >= {"RET": "HDRS", "ENVID": "id1"}.items()
    assert mail.recipients[0].parameters["NOTIFY"] == "FAILURE"


def test_one_connection_carries_two_messages(postfix: Postfix, sink: Sink) -> None:
    with Client(postfix.port) as client:
        assert client.send("a@example.org", "b@example.net", MAIL).ok
        assert client.send("a@example.org", "c@example.net", MAIL).ok
    assert {mail.addresses for mail in sink.wait_for(2)} == {("b@example.net",), ("c@example.net",)}
    assert len(sink.to("C@Example.net")) == 1


def test_a_message_broken_off_is_not_delivered(postfix: Postfix, sink: Sink) -> None:
    client = Client(postfix.port)
    client.mail("a@example.org")
    client.rcpt("lost@example.net")
    client.command("DATA")
    client.raw(b"Subject: half\r\n\r\nhalf")
    client.abort()
    postfix.wait_for_log("lost connection after DATA")
    send(postfix.port, "a@example.org", "b@example.net", MAIL)
    sink.wait_for(1, to="b@example.net")
    assert sink.to("lost@example.net") == []


def test_only_a_whole_final_dot_ends_a_message(sink: Sink) -> None:
    """Bare line feeds around a dot are content to the sink."""
    with Client(sink.port) as client:
        client.mail("a@example.org")
        client.rcpt("b@example.net")
        client.command("DATA")
        client.raw(b"x\n.\r\ny\r\n.\nz\r\n..\r\n.\r\n")
        assert client.command("NOOP").code == 250
    assert sink.wait_for(1)[0].data == b"x\n.\r\ny\r\n\nz\r\n.\r\n"


def test_a_scripted_refusal_makes_a_bounce(postfix: Postfix, sink: Sink) -> None:
    sink.reply("gone@example.net", "550 5.1.1 no such user")
    send(postfix.port, "a@example.org", "gone@example.net", MAIL)
    bounce = sink.wait_for(1, to="a@example.org")[0]
    sink.reply("gone@example.net")
    assert bounce.sender.address == ""
    assert b"550 5.1.1 no such user" in bounce.body


def test_a_deferred_mail_waits_for_flush(postfix: Postfix, sink: Sink) -> None:
    sink.reply("later@example.net", "451 4.3.0 later", "250 2.1.5 ok")
    send(postfix.port, "a@example.org", "later@example.net", MAIL)
    deferred = lambda: [mail["queue_name"] for mail in postfix.queue()] == ["deferred"]  # noqa: E731
    assert processes.until(deferred, 10.0)
    assert sink.messages == []
    postfix.flush()
    assert len(sink.wait_for(1, to="later@example.net")) == 1
    postfix.wait_until_queue_empty()


def test_a_client_may_be_another(postfix: Postfix, sink: Sink) -> None:
    """As somebody outside mynetworks, one may not relay."""
    with Client(postfix.port) as client:
        client.xclient(addr="192.0.2.7", name="client.example.org")
        assert client.send("a@example.org", "b@example.net", MAIL).final.code == 554
    postfix.wait_for_log(r"reject: RCPT from client.example.org\[192.0.2.7\]")


def test_the_authenticated_may_relay_from_anywhere(postfix: Postfix, sink: Sink) -> None:
    with Client(postfix.submission_port) as client:
        client.xclient(addr="192.0.2.7", name="client.example.org")
        assert client.send("a@example.org", "b@example.net", MAIL).final.code == 554
        assert client.authenticate("shop", "wrong").code == 535
        assert client.authenticate("shop", "secret").code == 235
        assert client.send("a@example.org", "b@example.net", MAIL).ok
    assert len(sink.wait_for(1)) == 1


def test_settings_count_after_a_restart_and_after_a_reload(postfix: Postfix) -> None:
    for act, size in ((postfix.restart, 4321), (postfix.reload, 1234)):
        postfix.configure({"message_size_limit": size})
        act()
        assert postfix.postconf("message_size_limit") == str(size)
        assert processes.until(lambda size=size: f"SIZE {size}" in hello(postfix), 5.0)
    postfix.configure({"message_size_limit": 10240000})
    postfix.restart()


def hello(postfix: Postfix) -> str:
    with Client(postfix.port) as client:
        return client.hello.text


def test_services_can_be_added_and_edited(postfix: Postfix) -> None:
    before = postfix.submission
    postfix.add_master("extra unix - - n - 1 smtp\n  -o smtp_helo_name=extra.example.com")
    postfix.add_main("transport_maps = inline:{{ extra.example=extra:[127.0.0.1]:1 }}")
    postfix.edit_master(before, {"smtpd_banner": "changed"})
    postfix.restart()
    with Client(postfix.submission_port) as client:
        assert client.greeting.text == "changed"
    assert postfix.postconf("transport_maps").startswith("inline:")


def test_two_instances_do_not_meet(postfix: Postfix, sink: Sink) -> None:
    with Sink() as other_sink, Postfix(other_sink.port, hostname="b.example.com") as other:
        assert send(postfix.port, "a@example.org", "one@example.net", MAIL).ok
        assert send(other.port, "a@example.org", "two@example.net", MAIL).ok
        assert sink.wait_for(1)[0].addresses == ("one@example.net",)
        assert other_sink.wait_for(1)[0].addresses == ("two@example.net",)
        other.wait_until_queue_empty()
    assert "b.example.com" not in postfix.log_text()


def test_nothing_can_leave_the_machine(postfix: Postfix) -> None:
    """Even mail routed to an address elsewhere stays in the queue."""
    with Postfix(settings={"default_transport": "smtp:[192.0.2.1]:25"}) as stray:
        assert send(stray.port, "a@example.org", "b@example.net", MAIL).ok
        stray.wait_for_log(
            "status=deferred.*Invalid argument|status=deferred.*connect to 192.0.2.1"
        )
        assert len(stray.queue()) == 1


def test_a_closed_instance_leaves_no_process_and_no_directory() -> None:
    with Postfix() as postfix:
        directory, port = postfix.directory, postfix.port
        assert processes.naming(str(directory))
    assert not directory.exists()
    assert not processes.naming(str(directory))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


def test_an_instance_that_cannot_start_says_why_and_leaves_nothing() -> None:
    postfix = Postfix(settings={"inet_interfaces": "192.0.2.1.invalid"})
    with pytest.raises(RuntimeError, match="inet_interfaces"), postfix:
        pytest.fail("it started")
    assert not postfix.directory.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_instance_ends_with_the_process_that_started_it(number: int) -> None:
    """Even if that is killed, no process is left after a few seconds, and no directory."""
    command = [sys.executable, "-c", STARTER, str(Path(private.__file__).parent.parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as starter:
        assert starter.stdout is not None
        directory, leader = starter.stdout.readline().split()
        assert len(processes.group(int(leader))) > 2
        starter.send_signal(number)
        starter.wait(10)
    assert processes.until(lambda: not Path(directory).exists(), 10.0)
    assert processes.group(int(leader)) == []
    assert processes.until(lambda: not processes.naming(directory), 5.0)
