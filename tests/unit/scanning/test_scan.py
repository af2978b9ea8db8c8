"""The final scan: an address is found wherever it stands, and nothing else is taken for one."""

import base64
import quopri

import pytest
from builders import BUYER, CARRIER, SHOP, A, B, S, mail, order, own, soft, written
from cost import linear, within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import calendar, leaf
from conversation_tracker.core.masking.part.message_body import REMOVED
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Header, parse
from conversation_tracker.core.scanning import parts
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.scanning.text import content_lines, decodings, deep_scan
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.syntax.mime import MESSAGE_TYPES
from conversation_tracker.core.views import copies
from conversation_tracker.core.views.leaking_texts import LeakingTexts

JOHN = "john@doe.example"
FORBIDDEN = {
    JOHN: "john",
    "ida@xn--mller-kva.example": "ida",
    "max.q@gmail.com": "max",
    "otto+shop@tags.example": "otto",
    "root@localhost": "root",
    '"jo hn"@doe.example': "quoted",
}


def scanned(text: str | bytes) -> list[Hit]:
    """Scan a message written with LF."""
    headers, body = parse(text.encode() if isinstance(text, str) else text)
    return scan(headers, body, FORBIDDEN)


def channels(text: str | bytes) -> list[str]:
    """Return where a message shows an address."""
    return [hit.channel for hit in scanned(text)]


def b64(text: str | bytes) -> str:
    """Write text in base64, in lines."""
    return base64.encodebytes(text.encode() if isinstance(text, str) else text).decode()


def der(address: str, tag: int = 0x16, after: bytes = b"0\x0b") -> bytes:
    """Write an address as a certificate holds it."""
    return b"\x30\x82" + bytes((tag, len(address))) + address.encode() + after


LINK = "https://x.example/?t="


@pytest.mark.parametrize("type_", sorted(calendar.TYPES | MESSAGE_TYPES))
def test_a_type_is_known_to_both_sides(type_: str) -> None:
    """What masking takes for content lines or a message, the scan does, too."""
    if type_ in MESSAGE_TYPES:
        declared = parts.Declared([(b"Content-Type", type_.encode())], "text/plain")
        assert declared.is_message
    else:
        assert content_lines.is_content_lines(type_, b"")


SEEN = [
    (JOHN, "john"),
    ("<JOHN@Doe.Example>", "john"),
    ("John <john@doe.example>,", "john"),
    ("write to john@doe.example.", "john"),
    ("john@doe.example-- he said", "john"),
    ("john@doe.example.über uns", "john"),
    ("john@doe.example-é.x", "john"),
    ("john+shop@doe.example", "john"),
    ("otto@tags.example", "otto"),
    ("write to--john@doe.example", "john"),
    ("name...john@doe.example", "john"),
    ("e-mail____john@doe.example", "john"),
    ("0489.john@doe.example", "john"),
    ("email-john@doe.example", "john"),
    ("...john@doe.example", "john"),
    ("bounce+john=doe.example@list.example", "john"),
    ("john%doe.example@relay.example", "john"),
    ("SRS0=xyz=7=doe.example=john@srs.example", "john"),
    ("maxq@googlemail.com", "max"),
    ("m.a.x.q+news@gmail.com", "max"),
    ("ida@müller.example", "ida"),
    ("ida@MU\u0308LLER.example", "ida"),
    ("ida@xn--mller-kva.example", "ida"),
    ("j\u200bohn@doe\u00ad.example", "john"),
    ("john\uff20doe\uff0eexample", "john"),
    ('"john"@doe.example', "john"),
    ('"jo hn"@doe.example', "quoted"),
    ("root@localhost", "root"),
    ("mailto:john%40doe.example?subject=x", "john"),
    ("john%2540doe%252Eexample", "john"),
    ("%3Cjohn@doe.example%3E", "john"),
    ("john&#64;doe&#x2E;example", "john"),
    ("john&commat;doe&period;example", "john"),
    ("&lt;john@doe.example&gt;", "john"),
    ("john=40doe.example", "john"),
    ("rfc822;john+40doe.example", "john"),
    ("john\\@doe\\.example", "john"),
    ("name=john@doe.example.heic", "john"),
    ("doe.example!john, x!doe.example!John@relay.example", "john"),
    ('{"a":"x\\njohn\\u0040doe.example"}', "john"),
    ("john@doe.exampleです", "john"),
    ("invoice for john@doe.example.pdf", "john"),
    (
        "https://x.example/?t=" + base64.urlsafe_b64encode(f'{{"m":"{JOHN}"}}'.encode()).decode(),
        "john",
    ),
    ("/u/1" + base64.b64encode(b"a " + JOHN.encode()).decode().strip("="), "john"),
    ("token " + JOHN.encode().hex().upper(), "john"),
    ("=?utf-8?q?john=40doe.example?=", "john"),
    ("=?utf-8?b?am9obkBkb2U=?= =?us-ascii?b?LmV4YW1wbGU=?=", "john"),
]

OTHERS = [
    "xjohn@doe.example",
    "mary.john@doe.example",
    "mary_john@doe.example",
    "mary-ann+john@doe.example",
    "mary%2Ejohn@doe.example",
    "mary&#46;john@doe.example",
    "=40john@doe.example",
    "+40john@doe.example",
    "\\u0040john@doe.example",
    "éjohn@doe.example",
    "john@doe.example.br",
    "john@doe.example%2Ebr",
    "john@doe.example&#46;br",
    "john@doe.example-more.net",
    "john@doe.examples",
    "john@sub.doe.example",
    "john@edoe.example",
    "doe.example",
    "xdoe.example=john@srs.example",
    "mary@doe.example",
    "otto+other@tags.examples",
    "mail@xn--mller-kva.example",
    f"{soft(JOHN)}",
    f"<mailto:{soft(JOHN).replace('@', '%40')}>",
    "root@localhost.example",
    "https://x.example/?t=" + base64.urlsafe_b64encode(b'{"m":"xjohn@doe.example"}').decode(),
    b"john@doe.example.br".hex(),
]


@pytest.mark.parametrize(("text", "whose"), SEEN)
def test_an_address_is_seen_in_all_its_spellings(text: str, whose: str) -> None:
    """In a header, in plain text, in HTML, in an attached message: the same eyes everywhere."""
    header = scan([Header(b"X-Any", text.encode())], b"", FORBIDDEN)
    assert header == [Hit("header X-Any", whose)]
    assert scanned(f"Subject: a\n\n{text}\n") == [Hit("part 1 text/plain", whose)]
    html = f"Content-Type: text/html\n\n<p title='x'>{text}</p>\n"
    assert scanned(html) == [Hit("part 1 text/html", whose)]
    attached = f"Content-Type: message/rfc822\n\nX-Any: {text}\n\nHello\n"
    assert scanned(attached) == [Hit("attached message, part header", whose)]


@pytest.mark.parametrize("text", OTHERS)
def test_other_people_and_soft_aliases_are_no_hits(text: str) -> None:
    """An address counts when it stands whole; a soft alias shows it by the store's own choice."""
    field = Header(b"X-Any", text.encode())
    assert scan([field], b"", FORBIDDEN) == []
    for media in ("text/plain", "text/html", "message/rfc822", "application/octet-stream"):
        assert scanned(f"Content-Type: {media}\n\nX-Any: {text}\n\n{text}\n") == [], media


def test_a_letter_of_the_declared_charset_parts_nothing_when_read_as_utf8() -> None:
    letter = "éjohn@doe.example".encode("windows-1252")
    assert scanned(b"Content-Type: text/plain; charset=windows-1252\n\n" + letter) == []


def test_a_mark_for_what_could_not_be_read_is_no_letter() -> None:
    marked = "\ufffdjohn@doe.example".encode()
    head = b"Content-Type: text/plain; charset=windows-1252\n\n"
    assert scanned(head + marked) == [Hit("part 1 text/plain", "john")]


@pytest.mark.parametrize("fold", ["\n ", "\n\t", "\r\n "])
def test_a_fold_in_a_quoted_local_part_is_read_as_a_blank(fold: str) -> None:
    headers = [Header(b"Subject", f'Of "jo{fold}hn"@doe.example'.encode())]
    assert "quoted" in [hit.token for hit in scan(headers, b"", FORBIDDEN)]


def multi(content: str | bytes, *fields: str, kind: str = "mixed") -> bytes:
    """Write a message with a text and one more part."""
    head = f"Content-Type: multipart/{kind}; boundary=xx\n\nbefore\n--xx\n\nHello\n--xx\n"
    data = content.encode() if isinstance(content, str) else content
    return head.encode() + "".join(f"{f}\n" for f in fields).encode() + b"\n" + data + b"\n--xx--\n"


ATTACHED = f"From: a\nSubject: =?utf-8?q?{JOHN.replace('@', '=40')}?=\n\nHello\n"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
PADDING = b"\x99\x01" * 60
UUENCODED = "begin 644 x\n0:F]H;D!D;V4N97AA;7!L90``\n`\nend"
BESIDE = f"{JOHN}\n{b64('Hello')}"
HELD = b64(PADDING + JOHN.encode() + PADDING)

CHANNELS = [
    (f"To: {JOHN}\n\n", "header To"),
    ("Subject: john@\n doe.example\n\n", "header Subject"),
    ("Subject: =?utf-8?q?=6aohn?=\n =?utf-8?q?=40doe.example?=\n\n", "header Subject"),
    ('To: "john\\@doe.example" <a@b.example>\n\n', "header To"),
    (
        "Content-Type: text/plain; name*0*=utf-8''john;\n name*1*=%40doe.example\n\n",
        "header Content-Type",
    ),
    (f"{JOHN}: x\n\n", "header name"),
    (multi("x", f"Content-Disposition: attachment; filename={JOHN}"), "part header"),
    (multi("x", "Content-Disposition: attachment; filename*=''john%40doe.example"), "part header"),
    (multi("x").replace(b"before", JOHN.encode()), "preamble"),
    (multi("x") + JOHN.encode(), "epilogue"),
    (
        multi(b64(JOHN), "Content-Type: text/plain", "Content-Transfer-Encoding: base64"),
        "part 3 text/plain",
    ),
    (
        multi("jo=\nhn=40doe.ex=\nample", "Content-Transfer-Encoding: quoted-printable"),
        "part 3 text/plain",
    ),
    (multi(UUENCODED, "Content-Transfer-Encoding: x-uuencode"), "part 3 text/plain"),
    (
        multi(BESIDE, "Content-Transfer-Encoding: base64"),
        "part 3 text/plain",
    ),
    # What stands before it moves the groups: decoded whole, it is something else.
    (multi(f"ab!\n{b64(JOHN)}", "Content-Transfer-Encoding: base64"), "part 3 text/plain"),
    (multi("john+AEA-doe.example", "Content-Type: text/plain; charset=utf-7"), "part 3 text/plain"),
    (multi(JOHN.encode("utf-16"), "Content-Type: text/plain; charset=utf-16"), "part 3 text/plain"),
    (multi(JOHN.encode("utf-16-be"), "Content-Type: text/plain"), "part 3 text/plain"),
    (multi(JOHN, "Content-Type: text/plain; charset=utf-16"), "part 3 text/plain"),
    # Many programs take what is UTF-8 for that, whatever is said of it.
    (
        multi("jo\u200bhn@doe.example".encode(), "Content-Type: text/plain; charset=koi8-r"),
        "part 3 text/plain",
    ),
    (
        multi(b"\xe3Y jo\xe2\x80\x8bhn@doe.example", "Content-Type: text/plain; charset=koi8-r"),
        "part 3 text/plain",
    ),
    (multi(JOHN, "Content-Type: text/plain; charset=no-such"), "part 3 text/plain"),
    (multi("john@\xe9 ".encode("latin-1") + JOHN.encode()), "part 3 text/plain"),
    (
        multi("john@ \ndoe.example", "Content-Type: text/plain; format=flowed; delsp=yes"),
        "part 3 text/plain",
    ),
    (
        multi("<b>john</b>@<wbr>doe<!-- x -->.example", "Content-Type: text/html"),
        "part 3 text/html",
    ),
    (
        multi("ATTENDEE:mailto:john@doe\n .example", "Content-Type: text/calendar"),
        "part 3 text/calendar",
    ),
    (multi(KEY.format(HELD)), "part 3 text/plain"),
    (
        multi(KEY.format(HELD), "Content-Type: application/pgp-keys"),
        "part 3 application/pgp-keys (bytes)",
    ),
    (
        multi(
            b64(der(JOHN)),
            "Content-Type: application/pkcs7-signature",
            "Content-Transfer-Encoding: base64",
        ),
        "part 3 application/pkcs7-signature (bytes)",
    ),
    (multi(der(JOHN, 0x81, b"com"), "Content-Type: a/b"), "part 3 a/b (bytes)"),
    (
        multi(b"\0\1SMTP:" + JOHN.encode() + b"\0", "Content-Type: application/ms-tnef"),
        "part 3 application/ms-tnef (bytes)",
    ),
    # A link's token in bytes that are no text, as an old word processor's file holds them.
    (
        multi(
            b"\0\1" + base64.b64encode(JOHN.encode()).rstrip(b"=") + b"\xff", "Content-Type: a/b"
        ),
        "part 3 a/b (bytes)",
    ),
    (
        multi(b"\0\1" + JOHN.encode().hex().encode() + b"\xff", "Content-Type: a/b"),
        "part 3 a/b (bytes)",
    ),
    (multi(b"\0\1" + JOHN.encode("utf-16-le") + b"\0", "Content-Type: a/b"), "part 3 a/b (bytes)"),
    (multi(b"\0" + JOHN.encode("utf-16-le") + b"\0", "Content-Type: a/b"), "part 3 a/b (bytes)"),
    (multi(f"%PDF {JOHN} ", "Content-Type: application/pdf"), "part 3 application/pdf (file)"),
    (multi(f"To: {JOHN}", "Content-Type: text/rfc822-headers"), "part 3 text/rfc822-headers"),
    (
        multi(f"Final-Recipient: rfc822;{JOHN}", "Content-Type: message/delivery-status"),
        "part 3 message/delivery-status",
    ),
    (multi(ATTACHED, "Content-Type: message/rfc822"), "attached message, part header"),
    (multi(ATTACHED, kind="digest"), "attached message, part header"),
    (
        multi(b64(ATTACHED), "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64"),
        "attached message, part header",
    ),
    (
        multi(
            b64(ATTACHED),
            "Content-Type: application/octet-stream",
            "Content-Transfer-Encoding: base64",
        ),
        "attached message, part header",
    ),
    (
        multi(f"a: b\n\n{JOHN}", "Content-Type: message/rfc822"),
        "attached message, part 4 text/plain",
    ),
    (f"Content-Type: multipart/mixed; boundary=lost\n\n--other\n\n{JOHN}\n", "part 2 text/plain"),
    (f"Content-Type: multipart/mixed\n\n{JOHN}\n", "part 1 multipart/mixed"),
]


@pytest.mark.parametrize(("text", "channel"), CHANNELS)
def test_an_address_is_found_in_every_channel(text: str | bytes, channel: str) -> None:
    """The hit names the place and the owner's token, never the address."""
    assert channel in channels(text)
    crlf = (text.encode() if isinstance(text, str) else text).replace(b"\n", b"\r\n")
    assert channel in channels(crlf)
    assert {hit.token for hit in scanned(text)} == {"john"}


def test_a_certificate_or_longer_domain_in_bytes_is_told_apart() -> None:
    """After a string of a certificate any byte may follow; elsewhere a name goes on."""
    fields = "Content-Type: application/octet-stream"
    for data in (b"\0john@doe.examplex", b"\0john@doe.example.br", b"\0xjohn@doe.example"):
        assert channels(multi(data, fields)) == []
    for data in (b"\0john@doe.example0", b"\0john@doe.exampleX", der(JOHN, after=b"x")):
        assert channels(multi(data, fields)) == ["part 3 application/octet-stream (bytes)"]


WORDS = st.text(st.characters(codec="utf-8"), max_size=60)
STREETS = st.sampled_from(
    [
        "john",
        "doe.example",
        "@",
        "@doe.example.",
        "john@",
        "%40",
        "&#64;",
        "=?utf-8?q?",
        "?=",
        "\n ",
    ]
)
PLANTED = st.sampled_from([text for text, whose in SEEN if whose == "john"])


@given(st.lists(st.one_of(WORDS, STREETS), max_size=12))
def test_any_text_is_taken(pieces: list[str]) -> None:
    """Nothing raises, whatever stands where."""
    text = "".join(pieces).encode()
    for media in (b"text/html", b"multipart/mixed; boundary=a", b"message/rfc822", b"a/b"):
        for encoding in (b"base64", b"quoted-printable", b"x-uue", b"7bit"):
            headers = [
                Header(b"Content-Type", media),
                Header(b"Content-Transfer-Encoding", encoding),
                Header(b"Subject", text),
            ]
            scan(headers, text, FORBIDDEN)


@given(
    st.binary(max_size=300), st.sampled_from(["utf-7", "utf-16", "hz", "idna", "base64", "cp037"])
)
def test_any_bytes_are_taken(data: bytes, charset: str) -> None:
    """Nothing raises, whatever charset is declared."""
    scan([Header(b"Content-Type", f"text/plain; charset={charset}".encode())], data, FORBIDDEN)
    scan([Header(b"Content-Type", b"application/octet-stream")], data, FORBIDDEN)


@given(WORDS.filter(lambda text: "@" not in text), WORDS, PLANTED, st.sampled_from("78bqh"))
def test_a_planted_address_is_found(before: str, after: str, planted: str, way: str) -> None:
    """Between any words, in any transfer encoding."""
    text = f"{before} {planted} {after}".encode()
    fields = {
        "7": "Content-Type: text/plain; charset=utf-8",
        "8": "Content-Type: application/octet-stream",
        "b": "Content-Transfer-Encoding: base64",
        "q": "Content-Transfer-Encoding: quoted-printable",
        "h": "Content-Type: text/html; charset=utf-8",
    }[way]
    data = {"b": base64.encodebytes(text), "q": quopri.encodestring(text)}.get(way, text)
    assert "john" in {hit.token for hit in scanned(multi(data, fields))}


@given(WORDS)
def test_other_text_gives_no_hits(text: str) -> None:
    """Random words are nobody's address."""
    assert scanned(multi(text, "Content-Type: text/html; charset=utf-8")) == []


HOSTILE = {
    "many domains": b"@doe.example ",
    "plus signs": b"a+" * 40 + b"@doe.example",
    "joints": b"._" * 40 + b"@doe.example",
    "percent signs": b"%25" * 30,
    "references": b"&#64",
    "tags": b"<b <a ",
    "comments": b"<!--",
    "encoded words": b"=?utf-8?q?",
    "base64 lines": b"A" * 60 + b"\n",
    "continuations": b";a*0=",
    "digits": JOHN.encode().hex().encode(),
    "tokens": b"A" * 700 + base64.b64encode(b"doe.example"),
    "folds": b"\n ",
    "delimiters": b"--x\n",
    "headers": b"From: a\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("media", ["text/html", "message/rfc822", "multipart/mixed; boundary=x"])
def test_hostile_text_is_bounded(piece: bytes, media: str) -> None:
    """Four times as much of anything takes about four times as long, and never long."""
    headers = [Header(b"Content-Type", media.encode())]

    def work(size: int) -> None:
        scan(headers, piece * (size // len(piece)), FORBIDDEN)

    linear(work, 200_000)
    within(1, lambda: work(200_000))


def test_hostile_structure_is_bounded() -> None:
    """Beyond the limits of depth and number, content is looked at flat."""
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(200)
    )
    assert channels(nested + b"\n" + JOHN.encode()) != []
    attached = b"Content-Type: message/rfc822\n\n" * 200
    assert channels(attached + b"\n" + JOHN.encode()) != []
    wide = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000
    assert within(2, lambda: channels(wide + b"--b\n\n" + JOHN.encode())) != []


def test_an_ordinary_mail_costs_little() -> None:
    """A fraction of a millisecond for text, little more for HTML."""
    plain = b"A line of ordinary text, and a link https://x.example/a?b=c&d=e\r\n" * 60
    rows = b"<tr><td style='color:#fff'><a href='https://x.example/?u=1&amp;id=2'>x</a></td></tr>\n"
    for media, body, most in ((b"text/plain", plain, 0.002), (b"text/html", rows * 440, 0.02)):
        headers = [Header(b"Content-Type", media), Header(b"Received", b"from a\n by b\n for c")]
        scan(headers, body, FORBIDDEN)  # the first has patterns to compile
        within(most, lambda headers=headers, body=body: scan(headers, body, FORBIDDEN))


# What follows from a hit

SIGNATURE = multi(
    base64.encodebytes(der(CARRIER)),
    "Content-Type: application/x-unknown-signature",
    "Content-Transfer-Encoding: base64",
).decode()


@pytest.mark.parametrize("policy", ["flag", "remove", "refuse"])
def test_a_file_in_which_only_the_scan_sees_an_address(policy: str) -> None:
    """In bytes that nobody can mask, and that masking took for something else."""
    people = order(BUYER, CARRIER, attachments_with_address=policy)
    given = mail(f"From: {CARRIER}\n{SIGNATURE}", people, to=B)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    assert plan.reply is None
    headers, body = copies.apply_edits(given.message, plan.edits)
    assert (REMOVED.encode() in body) is (policy == "remove")
    assert (scan(headers, body, {CARRIER: "a"}) == []) is (policy == "remove")
    assert REMOVED.encode() in plan.records[0].raw
    [note] = plan.records[0].notes
    assert note.endswith("binary flagged" if policy == "flag" else "binary removed")


def blind_to_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let masking leave text as it is, and what the scan finds be cut out of none."""
    monkeypatch.setattr(leaf, "mask_leaf", lambda part, data, *_: (data, part.charset))
    monkeypatch.setattr(LeakingTexts, "cut_texts", lambda self, part, body, limits: body)


def test_a_copy_that_shows_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should masking fail, and cutting as well, the sender's address stops the mail."""
    blind_to_text(monkeypatch)
    text = f"From: {CARRIER}\n\nI am {CARRIER}.\n"
    assert mail(text, order(BUYER, CARRIER), to=B).plan().reply == replies.CANNOT_MASK


def test_several_recipients_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the splitter's copies would be refused for is refused where the sender learns of it."""
    blind_to_text(monkeypatch)
    text = f"From: {CARRIER}\n\nI am {CARRIER}.\n"
    plan = mail(text, order(BUYER, SHOP, CARRIER), to=[B, S]).plan()
    assert plan.reply == replies.CANNOT_MASK


def test_the_readers_own_address_is_no_leak_and_never_recorded() -> None:
    """It leaves as it came; the record keeps a note in its place."""
    text = f"From: {BUYER}\nSubject: mine\nX-Other: {CARRIER}\n{SIGNATURE}"
    plan = mail(text, order(BUYER, CARRIER), to=A).plan()
    assert plan.reply is None
    [record] = plan.records
    assert REMOVED.encode() in record.raw
    assert record.subject == "mine"
    assert b"Subject: mine" in record.raw
    headers, body = parse(record.raw)
    assert scan(headers, body, {CARRIER: "a", BUYER: "b"}) == []


def test_a_pdf_file_passes_and_is_not_recorded() -> None:
    """What becomes of files is the store's decision; the record holds no address anyway."""
    content = multi(f"%PDF-1.4 ({CARRIER})", "Content-Type: application/pdf").decode()
    plan = mail(f"From: {CARRIER}\n{content}", order(BUYER, CARRIER), to=B).plan()
    assert plan.reply is None
    assert CARRIER.encode() not in plan.records[0].raw


@pytest.mark.parametrize("blind", [False, True])
def test_a_header_that_nobody_needs_is_left_out(
    blind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in a header of the store's own mail holds an address in base64: the key goes.

    Were masking blind for it, the header would.
    """
    if blind:
        monkeypatch.setattr(part_header, "may_hide", lambda _value, _mask, **_: False)
    key = base64.b64encode(PADDING + BUYER.encode() + PADDING).decode()
    text = written(SHOP, f"Autocrypt: addr=x; keydata={key}", "X-Other: stays")
    sent = own(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    values = {header.name: header.value for header in sent.headers}
    assert values.get(b"Autocrypt") == (None if blind else b"addr=x; keydata=")
    assert b"X-Other" in values


@pytest.mark.parametrize("line", [b"--b x\n", b"--b" + b" " * 1000 + b"x\n"])
@pytest.mark.parametrize("boundary", [b"boundary=b", b""])
def test_lines_that_are_nearly_delimiters_cost_little(line: bytes, boundary: bytes) -> None:
    headers = [Header(b"Content-Type", b"multipart/mixed; " + boundary)]
    body = line * (2_000_000 // len(line)) + b"\n--b\n\nI am " + BUYER.encode()
    assert within(2, lambda: scan(headers, body, {BUYER: "1"}))


PARTS = st.sampled_from(
    [
        "jane.doe", "@", "home", ".example", "x", "tinyhost", "JANE.DOE@HOME.EXAMPLE", " at ",
        " dot ", "%68ome", "&#104;ome", "=68ome", "=40", "+40", "+AEA-", "\\u0068ome", "\\150ome",
        "\\x68ome",
        "ho=\nme", "ho= \r\nme", "h\x1b[0mome", "h^[[1mome", "h#033[0mome", "ho<b>me", "ho</i >me",
        "imceasmtp-jane+2edoe+40home+2eexample@",
        "urldefense.com/v2/url?u=http-3A__jane.doe-40home.example",
        "urldefense.com/v3/__https://x.example/jane.doe*home.example__;QA!!",
        "h\u00adome", "\uff48ome",
        "a = b", "charset=utf-8", "format=flowed", "<p>", "\n", "other@else.example",
    ]
)  # fmt: skip


@given(parts=st.lists(PARTS, max_size=8), markup=st.booleans())
def test_what_is_told_to_show_nothing_shows_nothing(parts: list[str], markup: bool) -> None:
    text = "".join(parts)
    matcher = AddressMatcher({"jane.doe@home.example": "a" * 32, "x@tinyhost": "b" * 32})
    readings = list(decodings.iter_readings(text, markup=markup))
    shown = [token for each in readings for token in matcher.find(each)]
    low, last = readings[0], readings[-1]
    shown += deep_scan.find_owners(text, low, (last,), matcher, lambda: None, markup=markup)
    assert not (shown and deep_scan.shows_nothing(text, matcher, markup=markup))


@pytest.mark.parametrize("text", ["Hello there,\nx = y", "Content-Type: text/plain; format=flowed"])
def test_most_texts_are_told_to_show_nothing(text: str) -> None:
    assert deep_scan.shows_nothing(text, AddressMatcher({"jane.doe@home.example": "a" * 32}))
