"""Messages: the raw fields in order, and what can be said of a message without changing it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.message import (
    HOPS,
    PASS,
    Arrival,
    Header,
    Message,
    Recipient,
    parse,
    render,
)

NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1
).map(str.encode)
LINES = st.binary(max_size=30).filter(lambda line: not set(line) & set(b"\r\n"))
VALUES = st.lists(LINES, min_size=1, max_size=3).map(b"\n ".join)
HEADERS = st.lists(st.builds(Header, NAMES, VALUES), max_size=5).map(tuple)


def written(*headers: tuple[str, str], body: bytes = b"Hello\r\n", **other: object) -> Message:
    """Make a message from its header fields."""
    fields = tuple(Header(name.encode(), value.encode()) for name, value in headers)
    arguments: dict[str, object] = {"sender": Address.parse("return@doe.example"), "recipients": ()}
    return Message(headers=fields, body=body, **(arguments | other))  # type: ignore[arg-type]


MAIL = (
    ("Received", "from a.example by b.example; Mon, 2 Nov 2026 10:00:00 +0000"),
    ("From", "John <john@doe.example>"),
    ("To", "<bbbb@ct.example.com>"),
    ("Date", "Mon, 2 Nov 2026 10:00:00 +0000"),
    ("Subject", "My order"),
    ("Message-ID", "<1@doe.example>"),
)


# Reading and writing


@given(HEADERS, st.binary(max_size=50))
def test_what_is_written_is_read_the_same(headers: tuple[Header, ...], body: bytes) -> None:
    assert parse(render(headers, body)) == (headers, body)


@given(st.binary(max_size=80))
def test_any_bytes_are_read(raw: bytes) -> None:
    """Nothing is raised, and nothing of the body is changed."""
    headers, body = parse(raw)
    assert raw.endswith(body)
    assert all(header.name and b":" not in header.name for header in headers)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_are_read(end: bytes) -> None:
    """Folds become LF, as a milter gets them; the body keeps the ends it came with."""
    raw = end.join([b"Subject: one", b" two", b"To:a@x.example", b"", b"Hello", b"", b"you", b""])
    headers, body = parse(raw)
    assert headers == (Header(b"Subject", b"one\n two"), Header(b"To", b"a@x.example"))
    assert body == end.join([b"Hello", b"", b"you", b""])


@pytest.mark.parametrize(
    ("raw", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\n", [], b""),
        (b"\r\nHello", [], b"Hello"),
        (b"Hello\r\n", [], b"Hello\r\n"),
        (b" A: 1\r\n\r\n", [], b" A: 1\r\n\r\n"),
        (b"A: 1", [b"A"], b""),
        (b"A: 1\r\n", [b"A"], b""),
        (b"A: 1\r\n\r\n", [b"A"], b""),
        (b"A: 1\r\nno field\r\nB: 2\r\n", [b"A"], b"no field\r\nB: 2\r\n"),
        (b"A: 1\r\n\xe4: 2\r\n\r\n", [b"A"], b"\xe4: 2\r\n\r\n"),
        (b"A: 1\r\n: 2\r\n\r\n", [b"A"], b": 2\r\n\r\n"),
        (b"A: 1\r\nB C: 2\r\n\r\n", [b"A"], b"B C: 2\r\n\r\n"),
        (b"A: 1\r\nB : 2\r\n\r\nx", [b"A", b"B"], b"x"),
        (b"A: 1\r\n\r\n\r\nx", [b"A"], b"\r\nx"),
        (b"A: 1\r\n \r\nx", [b"A"], b"x"),
    ],
)
def test_the_header_block_ends_where_postfix_ends_it(
    raw: bytes, names: list[bytes], body: bytes
) -> None:
    """At an empty line, or before what is no header field."""
    headers, rest = parse(raw)
    assert [header.name for header in headers] == names
    assert rest == body


@pytest.mark.parametrize("line", [b"From john@doe.example Mon Nov  2 10:00:00 2026", b">From j x"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_leading_mbox_line_is_passed_over(line: bytes, end: bytes) -> None:
    headers, body = parse(end.join([line, b"A: 1", b"", b"From me", b""]))
    assert headers == (Header(b"A", b"1"),)
    assert body == end.join([b"From me", b""])


def test_an_mbox_line_further_down_is_none() -> None:
    headers, body = parse(b"A: 1\nFrom john@doe.example Mon\nB: 2\n")
    assert headers == (Header(b"A", b"1"),)
    assert body == b"From john@doe.example Mon\nB: 2\n"


def test_a_from_field_with_a_blank_before_its_colon_is_no_mbox_line() -> None:
    """The obsolete syntax of RFC 5322 section 4.5.2 allows the blank."""
    assert parse(b"From : john@doe.example\n\n")[0] == (Header(b"From", b"john@doe.example"),)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"A: 1", b"1"),
        (b"A:1", b"1"),
        (b"A:  1", b" 1"),
        (b"A:", b""),
        (b"A: 1 ", b"1 "),
        (b"A:\r\n 1", b"\n 1"),
        (b"A: \xe4\xff", b"\xe4\xff"),
        (b"A: b: c", b"b: c"),
    ],
)
def test_a_value_is_as_a_milter_gets_it(line: bytes, value: bytes) -> None:
    """Without its first blank, and with nothing else taken away."""
    assert parse(line + b"\r\n\r\n")[0] == (Header(b"A", value),)


# Looking up


def test_fields_are_found_in_order_whatever_their_letter_case() -> None:
    message = written(("to", "1"), ("TO", "2"), ("Cc", "3"))
    assert list(message.values(b"to")) == [b"1", b"2"]
    assert message.first(b"to") == b"1"
    assert message.first(b"bcc") is None


def test_the_size_is_that_of_the_whole_message() -> None:
    message = written(*MAIL)
    assert message.size == len(render(message.headers, message.body))


@pytest.mark.parametrize(
    ("headers", "author"),
    [
        ([("From", "John <john@doe.example>")], "john@doe.example"),
        ([("From", "a@x.example, b@x.example")], "a@x.example"),
        ([("From", "a@x.example"), ("From", "b@x.example")], "a@x.example"),
        ([("From", "a@x.example"), ("Sender", "b@x.example")], "a@x.example"),
        ([("From", "nobody"), ("Sender", "b@x.example")], "b@x.example"),
        ([("From", "Some <>"), ("Sender", "b@x.example")], "b@x.example"),
        ([("From", ""), ("Sender", "")], "return@doe.example"),
        ([("From", "undisclosed:;")], "return@doe.example"),
        ([("From", '"evil@x.example" <a@x.example>')], "a@x.example"),
        ([("From", "(evil@x.example) a@x.example")], "a@x.example"),
        ([("From", "=?utf-8?q?evil=40x.example?= <a@x.example>")], "a@x.example"),
        ([("To", "a@x.example")], "return@doe.example"),
        ([], "return@doe.example"),
    ],
)
def test_the_author_is_who_an_answer_would_go_to(
    headers: list[tuple[str, str]], author: str
) -> None:
    assert str(written(*headers).author) == author


def test_without_any_sender_there_is_no_author() -> None:
    assert written(("From", "MAILER-DAEMON"), sender=None, null=True).author is None


@pytest.mark.parametrize(
    ("values", "hops"),
    [
        ([], 0),
        (["1"], 1),
        ([" 4 "], 4),
        (["007"], 7),
        (["999"], 999),
        (["1000"], 999),
        (["-1"], 999),
        (["one"], 999),
        (["\u0661"], 999),
        ([""], 999),
        (["3", "1"], 3),
    ],
)
def test_hops_are_counted_and_nonsense_counts_as_many(values: list[str], hops: int) -> None:
    assert written(*((HOPS.decode(), value) for value in values)).hops == hops


def test_the_highest_hop_count_holds() -> None:
    """Whoever put a lower one before it must not make a loop last longer."""
    name = HOPS.decode()
    assert written((name, "0"), (name, "7")).hops >= 5


@pytest.mark.parametrize(
    ("recipient", "outsider"),
    [
        (Recipient(b"<a@x.example>", Address.parse("a@x.example")), True),
        (Recipient(b"<a>", None), True),
        (Recipient(b"<a@x.example>", Address.parse("a@x.example"), 1, "b" * 32), False),
        (Recipient(b"<a@x.example>", Address.parse("a@x.example"), bounce="b" * 32), False),
    ],
)
def test_an_outsider_is_neither_alias_nor_bounce_address(
    recipient: Recipient, outsider: bool
) -> None:
    assert recipient.is_outsider is outsider


# Telling a retry from another message


TRACE = [
    ("DKIM-Signature", "v=1; t=2"),
    ("Authentication-Results", "mx.example; dkim=pass"),
    ("X-Spam-Score", "1"),
    ("Return-Path", "<return2@doe.example>"),
    (PASS.decode(), "0" * 64),
]


@pytest.mark.parametrize("trace", TRACE, ids=lambda header: header[0])
def test_a_retry_with_other_trace_headers_is_the_same_message(trace: tuple[str, str]) -> None:
    first = written(*MAIL)
    for again in (written(trace, *MAIL), written(*MAIL, trace)):
        assert again.digest == first.digest


def test_a_retry_in_another_transaction_is_the_same_message() -> None:
    """To another alias, for instance; a Message-ID says more than who hands it in."""
    first = written(*MAIL)
    arrival = Arrival("4ZJXYz0other", trusted=True, client="192.0.2.7")
    later = replace(first, sender=None, arrival=arrival, recipients=())
    assert later.digest == first.digest


HOP = ("Received", "from app.doe.example by mail.doe.example with ESMTP id 4ABC; " + "Mon, 2 Nov")
STRAIGHT = [each for each in MAIL if each[0] != "Received"]
NOTICE = [each for each in STRAIGHT if each[0] not in ("Date", "Message-ID")]


@pytest.mark.parametrize("fields", [STRAIGHT, NOTICE], ids=["with Message-ID", "without"])
def test_the_same_earlier_received_lines_are_a_retry(fields: list[tuple[str, str]]) -> None:
    first = written(HOP, *fields, arrival=Arrival("4AA1", client="192.0.2.1"))
    folded = (HOP[0], HOP[1].replace(" ", "\n\t"))
    again = written(folded, *fields, arrival=Arrival("4AA2", client="192.0.2.2"))
    assert again.digest == first.digest
    assert not first.is_brief


@pytest.mark.parametrize("fields", [STRAIGHT, NOTICE], ids=["with Message-ID", "without"])
def test_other_earlier_received_lines_are_another_message(fields: list[tuple[str, str]]) -> None:
    first = written(HOP, *fields)
    other = (HOP[0], HOP[1].replace("4ABC", "4ABD"))
    for hops in ([other], [HOP, other], [HOP, HOP], []):
        assert written(*hops, *fields).digest != first.digest


def test_with_nothing_to_tell_it_by_the_client_does_for_a_short_while() -> None:
    first = written(*NOTICE, arrival=Arrival("4AA1", client="192.0.2.1"))
    again = written(*NOTICE, arrival=Arrival("4AA2", client="192.0.2.1"))
    other = written(*NOTICE, arrival=Arrival("4AA3", client="192.0.2.2"))
    assert first.is_brief
    assert again.digest == first.digest != other.digest


def test_a_message_id_of_postfix_tells_no_more_than_none() -> None:
    def completed(queue_id: str) -> Message:
        added = ("Message-Id", f"<20261102.{queue_id}@mx.example>"), ("Date", queue_id)
        return written(*NOTICE, *added, arrival=Arrival(queue_id, client="192.0.2.1"))

    first, again = completed("4ZJXYz0abcz1"), completed("4ZJXZz0abcz2")
    assert first.is_brief
    assert again.digest == first.digest
    assert not written(*STRAIGHT, arrival=Arrival("4ZJXYz0abcz1")).is_brief


def test_a_copy_of_the_splitters_is_known_by_the_first_pass() -> None:
    first_pass = FirstPass(b"\xab" * 32, "verified")
    assert not written(*NOTICE, arrival=Arrival(split=True, first_pass=first_pass)).is_brief


def test_a_date_that_postfix_adds_at_each_try_makes_no_other_message() -> None:
    """It adds what lacks before we see the message: what has a Message-ID is known by that."""
    bare = [each for each in MAIL if each[0] != "Date"]
    first = written(*bare, ("Date", "Mon, 2 Nov 2026 10:00:00 +0000"))
    again = written(*bare, ("Date", "Mon, 2 Nov 2026 10:07:31 +0000"))
    assert again.digest == first.digest


def test_without_a_message_id_another_date_makes_another_message() -> None:
    bare = [each for each in MAIL if each[0] not in ("Date", "Message-ID")]
    first = written(*bare, ("Date", "Mon, 2 Nov 2026 10:00:00 +0000"))
    other = written(*bare, ("Date", "Mon, 2 Nov 2026 10:07:31 +0000"))
    assert other.digest != first.digest


def test_a_fold_at_another_place_changes_nothing() -> None:
    folded = [(name, value.replace(" ", "\n ")) for name, value in MAIL]
    assert written(*folded).digest == written(*MAIL).digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("From", "Jane <jane@doe.example>"),
        ("To", "<cccc@ct.example.com>"),
        ("Subject", "My other order"),
        ("Message-ID", "<2@doe.example>"),
    ],
)
def test_other_words_of_the_sender_make_another_message(name: str, value: str) -> None:
    other = [(name, value) if each[0] == name else each for each in MAIL]
    assert written(*other).digest != written(*MAIL).digest


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_another_body_makes_another_message(one: bytes, other: bytes) -> None:
    same = written(*MAIL, body=one).digest == written(*MAIL, body=other).digest
    assert same is (one == other)


@given(HEADERS, st.binary(max_size=30))
def test_a_digest_has_32_octets(headers: tuple[Header, ...], body: bytes) -> None:
    assert len(Message(None, (), headers, body).digest) == 32


def test_headers_and_body_do_not_run_into_each_other() -> None:
    one = written(("Subject", "a"), ("Subject", "b"), body=b"c")
    for other in (
        written(("Subject", "a"), body=b"subject:b\n\nc"),
        written(("Subject", "b"), ("Subject", "a"), body=b"c"),
    ):
        assert other.digest != one.digest


def test_what_the_first_pass_found_out_is_believed() -> None:
    first_pass = FirstPass(b"\xab" * 32, "verified")
    split = written(*MAIL, arrival=Arrival(split=True, first_pass=first_pass))
    assert split.digest == b"\xab" * 32
    assert written(*MAIL, arrival=Arrival(split=True)).digest == written(*MAIL).digest
