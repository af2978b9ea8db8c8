"""What holds for every message of every conversation: nobody is shown who must not be.

The messages hold addresses in all the shapes of LEAKS: names, comments, encoded words, parts in
every transfer encoding. What leaves is read again by another reader than ours.
"""

import base64
import email
import email.policy
import html
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    OUR_STORE,
    SHOP,
    Mail,
    applied,
    hard,
    mail,
    order,
    person,
    soft,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS, KEPT_FROM_PROTECTED
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.message import Header, render
from conversation_tracker.core.model.plan import AddHeader, ChangeHeader, Record, ReplaceBody
from conversation_tracker.core.syntax.encoded_words import decode_words

RETURN = "bounces@mailer.example"
PEOPLE = (
    person(BUYER),
    person(SHOP),
    person(CARRIER),
    person("o'neil+shop@gmail.com", "partner", "c" * 32),
    person('"jo hn"@doe.example', "partner", "d" * 32),
    person("ida@bücher.example", "partner", "e" * 32),
    person("xjohn@doe.example", "partner", "f" * 32),
    person("orders@shop.example", "store", "6" * 32),
    person(RETURN, "return", "9" * 32),
)
STRANGERS = (ANN, "new@shop.example", "bob@far.example")
TRUE_PARTICIPANTS = [p for p in PEOPLE if p.role != "return"]


def known(**how: object) -> Conversation:
    """Make the conversation that all of them are in."""
    return order(*PEOPLE, **how)  # type: ignore[arg-type]


KINDS = st.sampled_from(["hard", "soft"])
CONVERSATIONS = st.builds(
    lambda mask, issuer: known(mask=mask, issuer_mask=issuer), mask=KINDS, issuer=KINDS
)


# Messages


def forms(participant: Participant) -> list[str]:
    """Return the ways to name somebody: by address, in two cases, and both aliases."""
    conversation, address = known(), str(participant.address)
    aliases = [conversation.hard(participant), conversation.soft(participant)]
    return [address, address.upper(), *(alias for alias in aliases if alias is not None)]


FORMS = {each.token: forms(each) for each in PEOPLE}
NAMED = st.one_of([st.sampled_from(each) for each in FORMS.values()])
ANYBODY = st.one_of(NAMED, NAMED, st.sampled_from(STRANGERS))


def encoded_word(text: str) -> str:
    """Write a text as an encoded word in the Q encoding."""
    return "=?utf-8?q?" + "".join(f"={byte:02X}" for byte in text.encode()) + "?="


def base64_word(text: str) -> str:
    """Write a text as an encoded word in the B encoding."""
    return f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="


MAILBOX_SHAPES = st.sampled_from(
    [
        lambda a: a,
        lambda a: f"<{a}>",
        lambda a: f"Some Body <{a}>",
        lambda a: f"Jörg <{a}>",
        lambda a: f'"Doe, J" <{a}>',
        lambda a: f"{encoded_word(a)} <{a}>",
        lambda a: f"{base64_word('Me ' + a)} <{a}>",
        lambda a: f"{a} ({a})",
        lambda a: f"Group: {a}, Other <{a}>;",
        lambda a: f"<@relay.example:{a}>",
        lambda a: f"Folded\n\t<{a}>",
    ]
)
MAILBOXES = st.builds(lambda shape, address: shape(address), MAILBOX_SHAPES, ANYBODY)
ADDRESS_VALUES = st.lists(MAILBOXES, min_size=1, max_size=3).map(", ".join)
TEXT_SHAPES = st.sampled_from(
    [
        lambda a: f"about {a}.",
        lambda a: f"<{a}>, soon",
        lambda a: f"write\n {a}",
        lambda a: encoded_word(f"Grüße, {a}"),
        lambda a: base64_word(f"({a})"),
        lambda a: f"ä {a} ö",
        lambda a: f"mailto:{a}",
    ]
)
TEXT_VALUES = st.builds(lambda shape, address: shape(address), TEXT_SHAPES, NAMED)
ADDRESS_NAMES = st.sampled_from(["To", "to", "Cc", "CC", "Reply-To", "Sender", "Bcc"])
TEXT_NAMES = st.sampled_from(["Subject", "subject", "Comments", "X-Note", "Received", "X-Mailer"])
PLAIN = st.sampled_from(
    [
        ("Subject", "Your order %s  "),
        ("subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?q?_%s?="),
        ("Date", "Mon,  2 Nov 2026\n 10:00:00 +0000 (%s)"),
        ("Message-ID", "<%s@lists.example>"),
        ("References", "<%s@lists.example>\n\t<b@lists.example>"),
        ("Importance", "high %s"),
        ("X-Note", "é (%s) =?broken?q?"),
        ("To", '"A \\"B\\" %s" <>'),
    ]
)


@dataclass(frozen=True)
class Field:
    """A header field, and whether anything in it may need a change."""

    name: str
    value: str
    plain: bool = False


FIELDS = st.one_of(
    st.builds(Field, ADDRESS_NAMES, ADDRESS_VALUES),
    st.builds(Field, TEXT_NAMES, TEXT_VALUES),
    PLAIN.map(lambda pair: Field(*pair, plain=True)),
)


def numbered(fields: list[Field]) -> list[Field]:
    """Number each plain field, so that it can be found again."""
    return [
        replace(each, value=each.value % f"n{number}") if each.plain else each
        for number, each in enumerate(fields)
    ]


def part(kind: str, encoding: str, text: str) -> str:
    """Write one MIME part."""
    data = text.encode()
    if encoding == "base64":
        shown = base64.encodebytes(data).decode()
    elif encoding == "quoted-printable":
        shown = quopri.encodestring(data).decode()
    else:
        shown = text
    return (
        f"Content-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{shown}\n"
    )


SENTENCES = st.lists(NAMED, min_size=1, max_size=3).map(
    lambda people: "".join(
        f"Dear {each}, grüße. On Monday <{each}> wrote:\n> hi\n" for each in people
    )
)


def marked_up(address: str) -> str:
    """Write an address in a link, in a text with references, and plainly."""
    plain = html.escape(address)
    link, text = quote(address, safe=""), plain.replace("@", "&#64;")
    return f'<p><a href="mailto:{link}">{text}</a> {plain}</p>\n'


MARKUP = NAMED.filter(lambda a: '"' not in a).map(marked_up)
ENCODINGS = st.sampled_from(["8bit", "base64", "quoted-printable"])
PARTS = st.one_of(
    st.builds(part, st.just("text/plain"), ENCODINGS, SENTENCES),
    st.builds(part, st.just("text/html"), ENCODINGS, MARKUP),
    st.builds(
        lambda a, inner: f"Content-Type: message/rfc822\n\nFrom: {a}\nSubject: x\n{inner}",
        NAMED,
        st.builds(part, st.just("text/plain"), ENCODINGS, SENTENCES),
    ),
    NAMED.filter(lambda a: '"' not in a).map(
        lambda a: (
            f'Content-Type: image/png; name="{a}.png"\n'
            f'Content-Disposition: attachment; filename="{a}.png"\n\nx\n'
        )
    ),
)
BODIES = st.one_of(
    SENTENCES.map(lambda text: f"\n{text}"),
    PARTS,
    st.lists(PARTS, max_size=3).map(
        lambda parts: (
            "Content-Type: multipart/mixed; boundary=frontier\n\npreamble\n"
            + "".join(f"--frontier\n{each}" for each in parts)
            + "--frontier--\nepilogue\n"
        )
    ),
)


@st.composite
def mails(draw: st.DrawFn, *, several: bool = False) -> tuple[Mail, list[Field]]:
    """Draw a message of somebody to one participant, or to several of them."""
    conversation = draw(CONVERSATIONS)
    author = draw(st.one_of(NAMED.filter(lambda a: DOMAIN not in a), st.sampled_from(STRANGERS)))
    shape = draw(MAILBOX_SHAPES)
    fields = numbered(draw(st.lists(FIELDS, max_size=6)))
    few, many = (2, 3) if several else (1, 1)
    people = st.sampled_from(TRUE_PARTICIPANTS)
    to = draw(st.lists(people, min_size=few, max_size=many, unique=True))
    aliases = [draw(st.sampled_from(FORMS[each.token][2:])) for each in to]
    head = "".join(f"{each.name}: {each.value}\n" for each in fields)
    text = f"{head}From: {shape(author)}\n{draw(BODIES)}"
    sender = draw(st.sampled_from([RETURN, ANN, None]))
    return mail(text, conversation, to=aliases, sender=sender), fields


# Reading what leaves


WORDS = re.compile(r"=\?([^?*]+)[^?]*\?([bqBQ])\?([^?]*)\?=")
GAPS = re.compile(r"\?=\s+(?==\?)")


def word_read(word: re.Match[str]) -> str:
    """Decode one encoded word with the standard library; one that cannot be decoded stays."""
    try:
        if word[2] in "bB":
            return base64.b64decode(word[3]).decode(word[1], "replace")
        return quopri.decodestring(word[3].replace("_", " ")).decode(word[1], "replace")
    except (LookupError, ValueError):
        return word[0]


def readings(value: bytes) -> Iterator[str]:
    """Read a header value in every way a reader may."""
    yield value.decode("utf-8", "backslashreplace")
    yield decode_words(value)
    yield WORDS.sub(word_read, GAPS.sub("?=", value.decode("utf-8", "backslashreplace")))


def parts_read(message: bytes) -> Iterator[str]:
    """Read every part of a message, and the headers of the parts."""
    for each in email.message_from_bytes(message, policy=email.policy.compat32).walk():
        yield from (str(value) for value in each.values())
        payload = each.get_payload(decode=True)
        if isinstance(payload, bytes):
            text = payload.decode("utf-8", "replace")
            yield from (text, html.unescape(unquote(text)))


def spellings(participant: Participant) -> list[str]:
    """Return somebody's address as it may be read."""
    assert participant.address is not None
    key = participant.address.key
    local, _, domain = key.rpartition("@")
    return [key, f"{local}@{domain.encode().decode('idna')}"]


def shown_in(text: str, people: Iterable[Participant]) -> list[str]:
    """Find whose real address a text shows; in a soft alias it is no secret."""
    low = " ".join(text.split()).lower()
    return [
        each
        for participant in people
        for each in spellings(participant)
        if re.search(rf"(?<![\w.+'-]){re.escape(each)}(?!-\d{{12}}b\.)(?![\w-]|\.\w)", low)
    ]


FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(mails())
def test_a_recipient_is_shown_no_address_but_their_own(drawn: tuple[Mail, list[Field]]) -> None:
    """In no header of the message that leaves, and in no part of its body."""
    row, _ = drawn
    done = row.plan()
    assert done.reply is None
    left = applied(row.message, done)
    [(token, _)] = done.records[0].recipients
    people = [*row.conversations[0], *done.records[0].joined]
    others = [each for each in people if each.token != token]
    for edit in done.edits:
        if isinstance(edit, ChangeHeader | AddHeader) and edit.value is not None:
            assert [s for text in readings(edit.value) for s in shown_in(text, others)] == []
    for header in left.headers:
        found = [s for text in readings(header.value) for s in shown_in(text, others)]
        assert found == [], (header, found)
    for text in parts_read(render(left.headers, left.body)):
        assert shown_in(text, others) == []


LINK = re.compile(r"://|www\.|mailto:|[/?]", re.IGNORECASE)
"""What makes a run without blanks a link, as far as these messages have any."""


def unread(text: str) -> str:
    """Take everything out of a running text but its links."""
    return " ".join(run for run in text.split() if LINK.search(run))


@FEW
@given(mails())
def test_a_recipient_is_shown_as_themselves_where_they_read(
    drawn: tuple[Mail, list[Field]],
) -> None:
    """No alias of theirs is left there, and their address comes nowhere else."""
    row, _ = drawn
    left = row.sent()
    [(token, _)] = row.plan().records[0].recipients
    [me] = [each for each in row.conversations[0] if each.token == token]
    aliases = [row.conversations[0].hard(me), row.conversations[0].soft(me) or "\0"]
    whole = [rf"(?<![\w.+-]){re.escape(alias)}" for alias in aliases]
    for header in left.headers:
        text = decode_words(header.value).lower()
        if header.key in ADDRESS_HEADERS or header.key in (b"subject", b"comments"):
            read = " ".join(run for run in text.split() if not LINK.search(run))
            # From is an alias in a copy to oneself, too: our signer signs for no other domain.
            authors = {author.key for author in row.message.authors}
            oneself = header.key == b"from" and me.address is not None and me.address.key in authors
            assert oneself or not any(re.search(alias, read) for alias in whole)
            text = unread(text)
        before = [decode_words(each).lower() for each in row.message.values(header.key)]
        if not any(shown_in(each, [me]) for each in before):
            assert shown_in(text, [me]) == [], (header, text)


def markup_of(message: bytes) -> Iterator[str]:
    """Read what of a message's pages is no text, and its links."""
    for each in email.message_from_bytes(message, policy=email.policy.compat32).walk():
        payload = each.get_payload(decode=True)
        if each.get_content_type() == "text/html" and isinstance(payload, bytes):
            text = payload.decode("utf-8", "replace")
            yield html.unescape(unquote(" ".join(re.findall(r"<[^>]*>", text))))


@FEW
@given(mails())
def test_a_copy_is_the_same_whether_or_not_a_record_is_made_with_it(
    drawn: tuple[Mail, list[Field]],
) -> None:
    """The splitter's are made without; what is learned for the record saves time, and no more."""
    row, _ = drawn
    alone = replace(row, message=replace(row.message)).plan(again=True)
    assert alone == replace(row.plan(), records=alone.records)


@given(mails())
def test_no_attribute_shows_the_recipient_who_was_not_in_one(
    drawn: tuple[Mail, list[Field]],
) -> None:
    row, _ = drawn
    left = row.sent()
    [(token, _)] = row.plan().records[0].recipients
    me = [each for each in row.conversations[0] if each.token == token]
    sent = " ".join(markup_of(render(row.message.headers, row.message.body)))
    for text in markup_of(render(left.headers, left.body)):
        assert not shown_in(text, me) or shown_in(sent, me)


SOFT_ALIAS = re.compile(rf"@[a-z0-9.-]+-\d{{12}}b\.{re.escape(DOMAIN)}", re.IGNORECASE)
FOREIGN = soft("zoe@foreign.example", "999999999999")


def texts_of(record: Record) -> Iterator[str]:
    """Yield every text of a record, its message read part by part."""
    yield from (record.subject, record.first_words, record.sender_name, record.message_id)
    yield from record.attachment_names
    yield from parts_read(record.raw)
    headers = record.raw.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"\n")
    for line in re.split(rb"\n(?![ \t])", headers):
        yield from readings(line)


@FEW
@given(mails(), st.sampled_from([None, "To", "Cc", "Subject", "Reply-To"]))
def test_a_record_shows_nobody(drawn: tuple[Mail, list[Field]], foreign: str | None) -> None:
    """No real address, and no soft alias either, be it of another order."""
    row, _ = drawn
    if foreign is not None:
        header = Header(foreign.encode(), f"Zoe <{FOREIGN}>".encode())
        row = replace(row, message=replace(row.message, headers=(*row.message.headers, header)))
    [record] = row.plan().records
    for text in texts_of(record):
        assert shown_in(text, [*row.conversations[0], *record.joined]) == []
        assert SOFT_ALIAS.search(text) is None, text


@FEW
@given(mails())
def test_a_header_without_a_hit_keeps_its_bytes(drawn: tuple[Mail, list[Field]]) -> None:
    """Whatever is kept and holds no address of the order leaves byte for byte, in its order."""
    row, fields = drawn
    left = row.sent()
    plain = [(each.name.encode(), each.value.encode()) for each in fields if each.plain]
    kept = {name for name, _ in plain if name.lower() in KEPT_FROM_PROTECTED}
    rest = [(h.name, h.value) for h in left.headers if (h.name, h.value) in plain]
    assert [each for each in rest if each[0] in kept] == [each for each in plain if each[0] in kept]


@FEW
@given(mails())
def test_each_header_fares_as_if_it_were_alone(drawn: tuple[Mail, list[Field]]) -> None:
    """Edits are done one by one and by index: none may hit another field than its own."""
    row, _ = drawn
    row = replace(row, message=replace(row.message, body=b""))
    gathered = row.conversations[0]
    for each in row.plan().records[0].joined:
        gathered = replace(
            gathered, participants=(*gathered.participants, replace(each, recorded=True))
        )
    row = replace(row, conversations=(gathered,))
    author = next(h for h in row.message.headers if h.key == b"from")
    expected: list[tuple[bytes, bytes]] = []
    for header in row.message.headers:
        alone = (author,) if header is author else (author, header)
        left = replace(row, message=replace(row.message, headers=alone)).sent().headers
        fates = [(h.name, h.value) for h in left]
        added = 2 if any(h.key == b"x-order-id" for h in left) else 1
        expected += fates[:-added] if header is author else fates[1:-added]
    left = row.sent().headers
    assert [(h.name, h.value) for h in left][: len(expected)] == expected
    assert [h.name for h in left][len(expected) :] in (
        [b"X-Conversation-Hops"],
        [b"X-Conversation-Hops", b"X-Order-Id"],
    )


@FEW
@given(mails(several=True))
def test_several_copies_are_of_one_record(drawn: tuple[Mail, list[Field]]) -> None:
    """The second pass writes the same message again, for each recipient, and changes no other."""
    row, _ = drawn
    done = row.plan()
    assert done.split
    [first] = done.records
    queued = applied(row.message, done)
    for recipient in queued.recipients:
        text = recipient.raw[1:-1].decode()
        single = mail("\n", *row.conversations, to=text, sender=RETURN, split=True)
        # What the first pass tells in its header: that one is written in ASCII on the way.
        arrival = replace(single.message.arrival, first_pass=FirstPass(first.digest, "unverified"))
        message = replace(single.message, headers=queued.headers, body=queued.body, arrival=arrival)
        [record] = replace(single, message=message).plan().records
        assert record.digest == first.digest
        assert record.recipients[0][0] in dict(first.recipients)


# Whatever comes

NAMES = st.sampled_from(
    b"""
    From from To Cc Sender Reply-To Subject Bcc X-Order-Id X-Conversation-Hops X-Conversation-Pass
    Content-Type Content-Transfer-Encoding Message-ID References Received Auto-Submitted X
    """.split()
)
SIGNS = [b"<", b">", b'"', b"(", b")", b",", b";", b":", b"@", b"=?utf-8?q?", b"?=", b"--x\n"]
TYPES = [b"multipart/mixed; boundary=x", b"message/rfc822", b"base64"]
NOISE = st.lists(
    st.one_of(
        st.binary(max_size=8),
        NAMED.map(str.encode),
        st.sampled_from([*SIGNS, *TYPES]),
    ),
    max_size=8,
).map(b"".join)
RECIPIENTS = st.one_of(NAMED, st.sampled_from(["postmaster", "a b@c", ANN, hard("7"), BUYER]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.builds(Header, NAMES, NOISE), max_size=8).map(tuple),
    NOISE,
    st.lists(RECIPIENTS, min_size=1, max_size=3),
    st.sampled_from([RETURN, ANN, None]),
    st.booleans(),
    CONVERSATIONS,
)
@example((Header(b"Message-ID", b"<john@doe.example>\0"),), b"", [SHOP], RETURN, False, known())
def test_a_plan_can_be_made_of_anything(
    headers: tuple[Header, ...],
    body: bytes,
    to: list[str],
    sender: str | None,
    ours: bool,
    conversation: Conversation,
) -> None:
    """Nothing is raised; what passes has exactly one From, and no control characters get out."""
    row = mail("\n", conversation, to=to, sender=sender, trusted=ours)
    own = OUR_STORE if ours else None
    row = replace(row, message=replace(row.message, headers=headers, body=body), own=own)
    done = row.plan()
    if done.reply is not None:
        assert done.edits == ()
        return
    left = applied(row.message, done)
    assert left.recipients
    if not done.split:
        assert len(list(left.values(b"from"))) == 1
    for edit in done.edits:
        if isinstance(edit, ChangeHeader | AddHeader) and edit.value is not None:
            assert edit.value
            assert not re.search(rb"[\r\0]|\n(?![ \t])", edit.value)
        if isinstance(edit, ReplaceBody):
            assert edit.body != row.message.body


def test_the_reader_finds_what_is_shown() -> None:
    """The checks above can fail: a message that is not masked shows everybody in it."""
    shop = part("text/html", "base64", f"<b>{SHOP}</b>")
    message = mail(f"To: {encoded_word(BUYER)} <{CARRIER}>\n{shop}", to=ANN).message
    people = [person(BUYER), person(CARRIER), person(SHOP)]
    texts = [*readings(message.headers[0].value)]
    texts += parts_read(render(message.headers, message.body))
    assert {s for each in texts for s in shown_in(each, people)} >= {BUYER, CARRIER, SHOP}
    assert shown_in(f"x{BUYER} {BUYER}.org {soft(BUYER)}", people) == []
    assert shown_in("IDA@BÜCHER.example", [PEOPLE[5]]) == ["ida@bücher.example"]
