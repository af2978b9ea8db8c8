"""A line of Postfix's log tells of a delivery or nothing, and names nobody when it marks one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import BUYER, SHOP, B, order, person
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.reports import maillog
from conversation_tracker.core.reports.bounce import Delivery, Mark, redact_reason
from conversation_tracker.core.reports.maillog import LogLine, is_news, parse_line, read_origin
from conversation_tracker.core.reports.report import Report
from conversation_tracker.delivery_log.filters import Filters

ERASED = person(None, "buyer", "b" * 32)
AUTHOR = person(SHOP).token

TAIL = "relay=mx.doe.example[192.0.2.1]:25, delay=0.1, delays=0.05/0.01/0.02/0.02"
LINE = (
    "Nov 23 16:45:52 host postfix/smtp[123]: 9663F22A932: to=<john@doe.example>, "
    f"{TAIL}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4AbC)"
)
SENT = LogLine(
    "9663F22A932", "postfix/smtp", "sent", "2.0.0", "250 2.0.0 Ok: queued as 4AbC", (BUYER,)
)


def line(**changes: str) -> str:
    """Return a line with other parts."""
    parts = {
        "prefix": "Nov 23 16:45:52 host ",
        "process": "postfix/smtp",
        "id": "9663F22A932",
        "to": "to=<john@doe.example>",
        "tail": TAIL,
        "dsn": "2.0.0",
        "status": "sent (250 2.0.0 Ok: queued as 4AbC)",
    } | changes
    return "{prefix}{process}[123]: {id}: {to}, {tail}, dsn={dsn}, status={status}".format(**parts)


def delivery(to: str | Participant = BUYER, return_path: str | None = None) -> Delivery:
    """Return a delivery from the shop to somebody."""
    return Delivery(
        bounce="b" * 32,
        conversation=order(to, SHOP),
        recipient="b" * 32,
        author=AUTHOR,
        return_path=return_path,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        subject="",
        original_id="",
        state="accepted",
    )


def test_a_delivery_is_read() -> None:
    assert parse_line(LINE) == SENT
    assert line() == LINE


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "Nov  3 06:05:02 host ",
        "2026-11-23T16:45:52.123456+01:00 host.example.com ",
        "2026-11-23T15:45:52Z host ",
        "2026 Nov 23 16:45:52 host ",
        "<22>Nov 23 16:45:52 host ",
    ],
)
def test_any_usual_time_and_host_or_none_stands_before_it(prefix: str) -> None:
    assert parse_line(line(prefix=prefix)) == SENT


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "4ZRqLg2xYvz1Fj"}, {"queue_id": "4ZRqLg2xYvz1Fj"}),
        ({"to": "to=<j@b.example>, orig_to=<x@ct.example.com>"}, {}),
        ({"to": "to=<>, orig_to=<x>"}, {}),
        ({"to": 'to=<"a, b> c"@doe.example>'}, {}),
        ({"to": 'to=<a."b \\" >, c".d@[192.0.2.1]>, orig_to=<"x y"@ct.example.com>'}, {}),
        ({"to": "to=<jörg@doe.example>"}, {}),
        ({"tail": TAIL.replace("delay=", "conn_use=2, delay=", 1)}, {}),
        ({"tail": f"{TAIL}, tls=secure/none"}, {}),
        ({"tail": TAIL.replace("mx.doe.example[192.0.2.1]:25", "h[private/lmtp]")}, {}),
        ({"tail": TAIL.replace("mx.doe.example[192.0.2.1]:25", "m[2001:db8::1]:25")}, {}),
        *(
            ({"process": process}, {"process": process})
            for process in (
                "postfix/lmtp", "postfix/relay/smtp", "postfix/local", "postfix/virtual",
                "postfix/pipe", "postfix-out/smtp", "mta/smtp", "postfix/error",
            )
        ),
        ({"status": "deferred (try later)"}, {"state": "delayed", "text": "try later"}),
        ({"status": "SOFTBOUNCE (no)"}, {"state": "delayed", "text": "no"}),
        ({"status": "bounced (no)", "dsn": "5.1.1"},
         {"state": "bounced", "status": "5.1.1", "text": "no"}),
        ({"status": "sent (cut off by sysl"}, {"text": "cut off by sysl"}),
        ({"status": "sent"}, {"text": ""}),
        ({"status": "sent ((a) b, status=bounced (c))"}, {"text": "(a) b, status=bounced (c)"}),
        ({"status": "sent (a\x00b\x1b[2J\udcff)"}, {"text": "a b [2J"}),
    ],
)  # fmt: skip
def test_every_form_of_a_delivery_is_read(changes: dict[str, str], told: dict[str, str]) -> None:
    base = {name: getattr(SENT, name) for name in LogLine.__slots__}
    found = parse_line(line(**changes))
    assert found is not None
    assert replace(found, to=SENT.to) == LogLine(**(base | told))


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("to=<j@b.example>", ("j@b.example",)),
        ("to=<j@b.example>, orig_to=<x@doe.example>", ("j@b.example", "x@doe.example")),
        ('to=<"a, b> c"@doe.example>', ('"a, b> c"@doe.example',)),
    ],
)
def test_a_line_tells_whose_copy_it_is_of(to: str, told: tuple[str, ...]) -> None:
    found = parse_line(line(to=to))
    assert found is not None
    assert found.to == told


@pytest.mark.parametrize(
    ("to", "marks"),
    [
        ((), True),
        (("john@doe.example",), True),
        (("John@DOE.example",), True),
        (("john+x@doe.example",), True),
        (("user@local.example", "john@doe.example"), True),
        (("archive@doe.example",), False),
        (("archive@doe.example", "all@doe.example"), False),
        (("not an address",), False),
    ],
)
def test_a_line_of_somebody_elses_copy_marks_nothing(to: tuple[str, ...], marks: bool) -> None:
    """An archive's copy (always_bcc) has the same queue id."""
    sent = replace(SENT, to=to)
    assert (maillog.mark(delivery(), sent) is not None) is marks
    assert maillog.mark(delivery(ERASED), sent) is not None


FILTER = "127.0.0.1[127.0.0.1]:10024"
ORIGIN = (
    f"Nov 23 16:45:52 host postfix/qmgr[1]: 9663F22A932: from=<bounce-{'c' * 32}@ct.example.com>"
)


def test_given_to_a_filter_is_not_sent() -> None:
    given = line(tail=TAIL.replace("mx.doe.example[192.0.2.1]:25", FILTER))
    assert parse_line(given, lambda relay: relay == FILTER) is None
    assert parse_line(LINE, lambda relay: relay == FILTER) == SENT
    late = parse_line(
        given.replace("status=sent", "status=deferred"), lambda relay: relay == FILTER
    )
    assert late is not None
    assert late.state == "delayed"


def test_the_queue_manager_tells_whose_mail_it_is() -> None:
    active = f"{ORIGIN}, size=512, nrcpt=1 (queue active)"
    assert read_origin(active) == ("9663F22A932", Bounce("c" * 32, "ct.example.com"))
    for other in (
        ORIGIN,
        f"{ORIGIN}, status=expired, returned to sender",
        active.replace("qmgr", "smtp"),
        active.replace("bounce-", "x-"),
        active.replace("from=", "to="),
        f'{ORIGIN.partition("<")[0]}<"{active}"@evil.example>, size=1, nrcpt=1 (queue active)',
        LINE,
    ):
        assert read_origin(other) is None


@pytest.mark.parametrize(
    ("destination", "relay", "found"),
    [
        ("amavis:[127.0.0.1]:10024", FILTER, True),
        ("smtp:127.0.0.1:10024", FILTER, True),
        ("scan:localhost:10025", "localhost[127.0.0.1]:10025", True),
        ("scan:[::1]:10025", "::1[::1]:10025", True),
        ("scan:inet:[127.0.0.1]:10024", FILTER, True),
        ("smtp:[filter.example.com]", "filter.example.com[192.0.2.5]:25", True),
        ("smtp:[::1]", "::1[::1]:25", True),
        ("smtp:[filter.example.com]", "filter.example.com[192.0.2.5]:10024", False),
        ("smtp:[filter.example.com]", "mx.doe.example[192.0.2.1]:25", False),
        ("lmtp:unix:/run/scan", "mail.example.com[/run/scan]", True),
        ("spamchk:dummy", "spamchk", True),
        ("spamchk", "spamchk", True),
        ("amavis:[127.0.0.1]:10024", "127.0.0.1[127.0.0.1]:10027", False),
        ("amavis:[127.0.0.1]:10024", "mx.doe.example[192.0.2.1]:10024", False),
        ("amavis:[127.0.0.1]:10024", "none", False),
        ("", "none", False),
    ],
)
def test_a_relay_is_known_for_a_filter(destination: str, relay: str, found: bool) -> None:
    filters = Filters([destination])
    assert filters.is_filter(relay) is found
    assert bool(filters) is bool(destination)


def test_the_newest_queue_ids_are_kept() -> None:
    filters = Filters(["x:y"])
    for number in range(10_010):
        active = f"{ORIGIN}, size=512, nrcpt=1 (queue active)"
        filters.learn([active.replace("9663F22A932", f"{number:08}")])
    assert len(filters.origins) == 10_000
    assert "00000000" not in filters.origins
    assert "00010009" in filters.origins


@pytest.mark.parametrize("word", ["expired", "force-expired"])
def test_mail_that_was_given_up_bounced(word: str) -> None:
    text = f"Nov 23 16:45:52 host postfix/qmgr[1]: 9663F22A932: from=<>, status={word}, returned"
    assert parse_line(f"{text} to sender") == LogLine(
        "9663F22A932", "postfix/qmgr", "bounced", "5.4.7", "expired in the queue"
    )
    assert parse_line(text) is None


@pytest.mark.parametrize(
    "other",
    [
        "",
        "Nov 23 16:45:52 host postfix/qmgr[1]: 9663F22A932: removed",
        "Nov 23 16:45:52 host postfix/qmgr[1]: 9663F22A932: from=<>, size=1, nrcpt=1 (active)",
        "Nov 23 16:45:52 host postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.1.1",
        "Nov 23 16:45:52 host postfix/smtp[1]: 9663F22A932: host x[192.0.2.1] said: 450 (in reply)",
        "Nov 23 16:45:52 host postfix/smtp[1]: connect to x[192.0.2.1]:25: Connection refused",
        line(process="postfix/tracker-split/smtp"),
        line(process="postfix-2/tracker-split/smtp", status="deferred (451 4.3.0)"),
        line(tail="relay=127.0.0.1[127.0.0.1]:10027, delay=1, delays=0/0/0/1"),
        line(process="postfix/discard"),
        line(status="deliverable (probe)"),
        line(status="undeliverable (probe)"),
        line(id="9663"),
        line(id="9663F22A932 "),
        line(dsn="9.0.0"),
        line(to="reject: header Subject: to=<x>"),
        line(tail="relay=x"),
        "Nov 23 16:45:52 host postfix/cleanup[1]: 4AAAAAA: info: header Subject: " + LINE,
        "Nov 23 16:45:52 host cron[1]: " + LINE,
    ],
)
def test_any_other_line_tells_nothing(other: str) -> None:
    """Above all not the hand-over to the splitter, nor a line quoted inside another."""
    assert parse_line(other) is None


FORGED = "relay=x, delay=1, delays=1, dsn=2.0.0, status=sent (x)"
FORGERIES = [
    f'"a>, {FORGED}"@b.example',
    f'"a\\">, {FORGED}"@b.example',
    f'"a\\\\\\">, {FORGED}"@b.example',
    f'x."a>, {FORGED} to=<"@b.example',
    'x" status=sent (x)"@b.example',
]


@pytest.mark.parametrize("forged", FORGERIES)
@pytest.mark.parametrize("name", ["to", "orig_to"])
def test_no_address_is_read_as_a_result(name: str, forged: str) -> None:
    """Whoever chose the address may have written a whole result into it, quoted."""
    to = f"to=<{forged}>" if name == "to" else f"to=<j@b.example>, orig_to=<{forged}>"
    told = parse_line(line(to=to, dsn="4.0.0", status="deferred (later)"))
    assert told is not None
    assert (told.state, told.status, told.text) == ("delayed", "4.0.0", "later")
    # Cut off by a syslog daemon, it tells nothing.
    whole = line(to=to, dsn="4.0.0", status="deferred (later)")
    cut = whole[: whole.index("status=sent") + 16]
    assert parse_line(cut) is None


@pytest.mark.parametrize("forged", [*(f"<{each}>" for each in FORGERIES), FORGED])
@pytest.mark.parametrize("name", ["message-id", "resent-message-id", "to=<x>, message-id"])
def test_no_identifier_is_read_as_a_result(name: str, forged: str) -> None:
    start = "Nov 23 16:45:52 host postfix/cleanup[123]: 9663F22A932: "
    assert parse_line(f"{start}{name}={forged}") is None
    assert parse_line(f"{start}{name}=postfix/smtp[1]: 9663F22A932: to=<x>, {FORGED}") is None


@pytest.mark.parametrize("forged", FORGERIES)
def test_no_sender_is_read_as_a_result(forged: str) -> None:
    start = "Nov 23 16:45:52 host postfix/qmgr[123]: 9663F22A932: from="
    end = ", status=expired, returned to sender"
    assert parse_line(f'{start}<"a{end}') is None
    assert parse_line(f"{start}<{forged}>, size=1, nrcpt=1 (queue active)") is None
    told = parse_line(f"{start}<{forged}>{end}")
    assert told is not None
    assert told.state == "bounced"


@pytest.mark.parametrize(
    "address", [f"a {FORGED}@b", f"a, {FORGED}@b", '"a', '"a"b"@c', "a<b@c", f'"a\\"@b>, {FORGED}']
)
def test_what_is_no_address_tells_nothing(address: str) -> None:
    assert parse_line(line(to=f"to=<{address}>", status="deferred (later)")) is None


@given(st.text(max_size=400))
def test_no_line_makes_it_fail(text: str) -> None:
    parse_line(text)
    found = parse_line(LINE.replace("250 2.0.0", text).replace("\n", " "))
    assert found is None or found.text.isprintable()


PIECES = ["to=<", "from=<", ", ", "relay=", "delay=1, ", "dsn=2.0.0", ", status=", "sent (", ")",
          "postfix/smtp[1]: ", "9663F22A932: ", " ", "x"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_no_order_of_pieces_makes_it_fail(pieces: list[str]) -> None:
    parse_line("".join(pieces))
    parse_line("postfix/smtp[1]: 9663F22A932: to=<" + "".join(pieces))


@pytest.mark.parametrize("piece", [
    '"', '\\"', 'a"', '"a\\', '"" ', ">", ">, orig_to=<", '">, orig_to=<"',
    "x", "x ", " ", ", relay=", ", relay=x, delay=1, ", ", relay=x, delay=1, delays=1, dsn=2.0.0, ",
    ", relay=x, a=b, dsn=2.0.0, status=sent(", ", status=expired, returned to sender ", "[1]: ",
])  # fmt: skip
def test_time_grows_with_the_length_only(piece: str) -> None:
    for start in ("", "postfix/smtp[1]: 9663F22A932: to=<", "postfix/qmgr[1]: 9663F22A932: from=<"):
        text = start + piece * (1_000_000 // len(piece))
        within(0.2, lambda text=text: parse_line(text))


@pytest.mark.parametrize(
    ("known", "state", "expected"),
    [
        ("accepted", "delayed", True), ("accepted", "sent", True), ("accepted", "bounced", True),
        ("delayed", "sent", True), ("delayed", "delayed", False), ("sent", "delayed", False),
        ("sent", "bounced", True), ("bounced", "sent", False), ("sent", "sent", False),
    ],
)  # fmt: skip
def test_a_state_is_only_left_for_a_later_one(known: str, state: str, expected: bool) -> None:
    assert is_news(known, state) is expected


def test_the_remotes_words_name_nobody() -> None:
    """Neither by the address we know, nor by another one, nor by a host."""
    text = (
        "host mx.doe.example[192.0.2.1] said: 550 5.1.1 <John@DOE.example>: user unknown,"
        " forwarded to john.private@mail.example.net (in reply to RCPT TO command)"
    )
    sent = LogLine("9663F22A932", "postfix/smtp", "bounced", "5.1.1", text)
    assert maillog.mark(delivery(), sent) == Mark(
        "bounced",
        "5.1.1",
        f"host [host][[host]] said: 550 5.1.1 <{B}>: user unknown,"
        " forwarded to [address] (in reply to RCPT TO command)",
    )


def test_a_bounce_is_left_to_its_report_where_one_will_come() -> None:
    bounced = LogLine("9663F22A932", "postfix/smtp", "bounced", "5.1.1", "no")
    assert maillog.mark(delivery(return_path=AUTHOR), bounced) is None
    assert maillog.mark(delivery(), bounced) == Mark("bounced", "5.1.1", "no")


@pytest.mark.parametrize("state", ["sent", "delayed"])
def test_any_other_state_is_marked_whoever_sent_the_mail(state: str) -> None:
    sent = LogLine("9663F22A932", "postfix/smtp", state, "4.0.0", "words")
    for return_path in (None, AUTHOR):
        assert maillog.mark(delivery(return_path=return_path), sent) == Mark(
            state, "4.0.0", "words"
        )


def test_nothing_is_quoted_once_the_address_is_gone() -> None:
    """What is not known cannot be masked."""
    sent = LogLine("9663F22A932", "postfix/smtp", "sent", "2.0.0", "250 john doe example: ok")
    assert maillog.mark(delivery(ERASED), sent) == Mark("sent", "2.0.0", "")


@given(st.text(st.sampled_from("ab.@<>\"' ,;:[]()=+-"), max_size=80))
def test_no_unknown_address_is_ever_quoted(text: str) -> None:
    _, said = redact_reason(delivery(), "", text)
    for word in said.replace("[address]", "").replace("[host]", "").split():
        name, at, domain = word.rpartition("@")
        assert not (at and name[-1:].isalnum() and domain[:1].isalnum())


def test_a_report_marks_with_the_same_care() -> None:
    from conversation_tracker.core.reports.bounce import mark

    report = Report(kind="failed", recipients=(), status="5.1.1", diagnostic="x@y.example unknown")
    assert mark(delivery(), report) == Mark("bounced", "5.1.1", "[address] unknown")
