"""What a real Postfix writes into its log becomes what the timeline says."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from private import processes

from .leaks import found_in
from .stage import Line, Order, Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

BUYER, CARRIER, PAYER = "john@doe.example", "desk@carrier.example", "bill@payer.example"
MAIL = "From: Desk <{}>\r\nTo: {}\r\nMessage-ID: <{}@carrier.example>\r\n\r\nOn its way.\r\n"


class Followed:
    """A mail host whose log is followed."""

    def __init__(self, on: Stage, home: Path) -> None:
        """Start to follow."""
        self.stage, self.said = on, home / "said"
        host = on.host
        command = [
            sys.executable,
            "-m",
            "conversation_tracker",
            "-c",
            host.tracker.config,
            "follow",
        ]
        command += ["--log", host.postfix.log, "--state", home / "state"]
        with self.said.open("wb") as said:
            self._process = subprocess.Popen([str(word) for word in command], stderr=said)
        assert processes.until(lambda: '"following"' in self.said.read_text(), 20.0)

    def close(self) -> None:
        """Stop to follow."""
        self._process.terminate()
        assert self._process.wait(20) == 0

    def send(self, order: Order, *to: str, sender: str = CARRIER) -> None:
        """Send one mail of the carrier's to some of an order's people."""
        aliases = [order.alias(address) for address in to]
        name = f"{order.shop.name}.{len(order.timeline())}"
        data = MAIL.format(CARRIER, ", ".join(aliases), name).encode()
        assert self.stage.send(sender, aliases, data).ok

    def line(self, order: Order, to: str) -> Line:
        """Return the last line of the timeline about mail to somebody."""
        hard = order.person(to).hard
        return [line for line in order.timeline() if line.recipient_alias == hard][-1]

    def until(self, order: Order, **states: str) -> None:
        """Wait until the last mail to each role is in its state."""
        who = {"buyer": BUYER, "payer": PAYER}

        def come() -> bool:
            return all(self.line(order, who[role]).state == to for role, to in states.items())

        assert processes.until(come, 20.0), (order.timeline(), self.said.read_text())


@pytest.fixture(scope="module")
def followed(
    postgres: "Postgres", migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Followed]:
    with stage(postgres, migrated) as on:
        found = Followed(on, tmp_path_factory.mktemp("follow"))
        yield found
        found.close()


@pytest.fixture
def order(followed: Followed) -> Iterator[Order]:
    shop = followed.stage.shop()
    found = shop.order("1001", buyer=BUYER, carrier=CARRIER, payer=PAYER)
    yield found
    sink = followed.stage.host.sink
    for address in (BUYER, PAYER):
        sink.reply(address)
    followed.stage.rest([shop])
    told = followed.said.read_bytes() + str(found.timeline()).encode()
    assert not found_in(told, [BUYER, CARRIER, PAYER])
    assert b"[127.0.0.1]" not in told


def test_mail_that_was_taken_is_sent_with_the_remotes_words(
    followed: Followed, order: Order
) -> None:
    followed.stage.host.sink.reply(".", f"250 2.0.0 kept for <{BUYER}> on mx.doe.example")
    followed.send(order, BUYER)
    followed.until(order, buyer="sent")
    alias = order.person(BUYER).hard
    followed.stage.host.sink.reply(".")
    said = followed.line(order, BUYER).said
    assert said == f"2.0.0 250 2.0.0 kept for <{alias}> on [host]"


def test_mail_that_must_wait_is_delayed_and_then_sent(followed: Followed, order: Order) -> None:
    sink, postfix = followed.stage.host.sink, followed.stage.host.postfix
    sink.reply(BUYER, f"450 4.2.1 <{BUYER}>: mailbox full")
    followed.send(order, BUYER)
    followed.until(order, buyer="delayed")
    said = followed.line(order, BUYER).said
    assert said.startswith("4.2.1 host [host]")
    assert f"said: 450 4.2.1 <{order.person(BUYER).hard}>: mailbox full" in said
    sink.reply(BUYER)
    postfix.flush()
    followed.until(order, buyer="sent")


@pytest.mark.parametrize(
    ("said", "state", "code"),
    [("450 4.2.1 No such user JOHN here yet", "delayed", "4.2.1"),
     ("550 5.1.1 No such user 'john+shop' here", "bounced", "5.1.1")],
)  # fmt: skip
def test_no_remote_tells_the_local_part(
    followed: Followed, order: Order, said: str, state: str, code: str
) -> None:
    """Neither by the log nor by the report of a failure."""
    sink = followed.stage.host.sink
    sink.reply(BUYER, said)
    followed.send(order, BUYER)
    followed.until(order, buyer=state)
    line = followed.line(order, BUYER)
    assert line.status == code
    assert "john" not in (line.reason or "").lower().replace(".", "")
    assert "No such user" in (line.reason or "")
    assert "[name]" in (line.reason or "")
    sink.reply(BUYER)
    followed.stage.host.postfix.flush()
    followed.stage.settle()


def test_an_address_that_looks_like_a_delivery_is_none(followed: Followed, order: Order) -> None:
    """Postfix's log quotes it; its mail still waits."""
    sink = followed.stage.host.sink
    hostile = '"a>, relay=x, d=1, dsn=2.0.0, status=sent (x)"@odd.example'
    order.mask(hostile, "partner")
    sink.reply(".", "450 4.2.1 later")
    followed.send(order, hostile)
    followed.stage.host.postfix.wait_for_log(r"status=sent \(x\)\"@odd\.example>.* status=deferred")
    assert processes.until(lambda: followed.line(order, hostile).state == "delayed", 20.0)
    sink.reply(".")
    followed.stage.host.postfix.flush()
    assert processes.until(lambda: followed.line(order, hostile).state == "sent", 20.0)


@pytest.mark.parametrize("sender", [CARRIER, ""], ids=["with-a-report", "null-sender"])
def test_each_recipient_of_split_mail_has_their_own_state(
    followed: Followed, order: Order, sender: str
) -> None:
    """The report says whether it bounced, or the log where no report comes."""
    followed.stage.host.sink.reply(PAYER, f"550 5.1.1 <{PAYER}>: no such user")
    followed.send(order, BUYER, PAYER, sender=sender)
    followed.until(order, buyer="sent", payer="bounced")
    followed.stage.settle()
    assert followed.line(order, BUYER).state == "sent"
    said = followed.line(order, PAYER).said
    assert said.startswith("5.1.1 ")
    assert f"<{order.person(PAYER).hard}>: no such user" in said


def test_the_sender_is_still_told_of_a_bounce(followed: Followed, order: Order) -> None:
    """The log must not come before the report: whose mark is new, sends the notice."""
    sink = followed.stage.host.sink
    sink.reply(BUYER, "550 5.1.1 no such user")
    before = len(sink.to(CARRIER))
    followed.send(order, BUYER)
    followed.until(order, buyer="bounced")
    assert len(sink.wait_for(before + 1, to=CARRIER)) == before + 1


def test_the_hand_over_to_the_splitter_is_no_delivery(followed: Followed, order: Order) -> None:
    """It is in the log as sent, under the queue id of the first pass; no copy was taken yet."""
    host = followed.stage.host
    for address in (BUYER, PAYER):
        host.sink.reply(address, "450 4.2.1 later")
    followed.send(order, BUYER, PAYER)
    host.postfix.wait_for_log(r"postfix/tracker-split/smtp\[\d+\]: \w+: to=.* status=sent")
    followed.until(order, buyer="delayed", payer="delayed")
    assert '"sent"' not in followed.said.read_text().rpartition('"delayed"')[2]
    for address in (BUYER, PAYER):
        host.sink.reply(address)
    host.postfix.flush()
    followed.until(order, buyer="sent", payer="sent")
