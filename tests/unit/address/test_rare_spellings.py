"""Addresses as few people write them, but anybody reads them: in every place, and by the scan.

Each spelling stands in each place that can hold it, of a message to somebody else. The copy and the
record must have the alias instead, and the scan must see the address in the message as it came.
"""

import base64
import email
import email.policy
import re
from dataclasses import replace

import pytest
from builders import CARRIER, SHOP, A, hard, mail, order, person
from cost import linear, within
from spellings import (
    ALIAS,
    BODIES,
    FIELDS,
    JOHN,
    PEOPLE,
    SPELLINGS,
    cloudflare,
    typed,
)

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.masking.address.munged_words import AT_WORDS, DOT_WORDS
from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

NOT_ASCII = {name for name, text in SPELLINGS.items() if not text.isascii()}


def encoded_word(text: str, label: str = "utf-8") -> bytes:
    """Put a text into an encoded word of a Subject."""
    word = base64.b64encode(text.encode()).decode()
    return f"From: {JOHN}\nSubject: =?{label}?B?{word}?=\n\nHello\n".encode()


FIELDS["an encoded word"] = encoded_word
FIELDS["a Japanese word"] = lambda text: encoded_word(text, "iso-2022-jp")
FIELDS["a word of Windows"] = lambda text: encoded_word(text, "cp50220")

BACKSLASHES = {name for name, text in SPELLINGS.items() if "\\" in text}
QUOTES = {name for name, text in SPELLINGS.items() if '"' in text}
# A quoted pair is its second character, so a backslash there is none.
CANNOT = {
    *((name, "a name") for name in BACKSLASHES | QUOTES),
    *((name, "the author's name") for name in BACKSLASHES | QUOTES),
    *((name, "a file name") for name in BACKSLASHES | QUOTES),
    *((name, "a comment") for name in BACKSLASHES),
    # Cut at 7 bits, these say something else.
    *(
        (name, place)
        for name in NOT_ASCII
        for place in ("a Japanese word", "a word of Windows", "iso-2022-jp")
    ),
    *((name, place) for name in NOT_ASCII for place in ("cp50220", "iso-2022-jp-ms", "headers")),
}
# A line end in a calendar's text is two characters, and the one before it is not one of its code.
CANNOT |= {(name, "calendar") for name in SPELLINGS if name.startswith("soft break")}
CANNOT |= {("css, line", "calendar"), ("script, line", "calendar")}
CASES = [
    (name, place)
    for name, text in SPELLINGS.items()
    for place in (*BODIES, *FIELDS)
    if (name, place) not in CANNOT and not ("\n" in text and place in FIELDS)
]


def shown(raw: bytes) -> str:
    """Read a message with the standard library, as far as it can."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    texts = []
    for part in message.walk():
        for name, value in part.items():
            decoded = email.header.decode_header(str(value))
            words = [
                w.decode("utf-8", "replace") if isinstance(w, bytes) else w for w, _ in decoded
            ]
            texts.append(f"{name}: {''.join(words)}")
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            texts.append(content.decode("utf-8", "replace"))
    return "\n".join(texts).replace("\r\n", "\n")


ALL = ("cloudflare", "all", "css, all", "script, all", "rtf, all")
PLAIN = re.compile(r"(?i)john|doe.{0,9}home|am9obi5kb2V|bW9obi5kb2V")


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_spelling_is_masked(name: str, place: str) -> None:
    """In the copy, in the record, and in what a timeline shows of this."""
    raw = {**BODIES, **FIELDS}[place](SPELLINGS[name])
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    [record] = done.records
    words = (record.sender_name, record.subject, record.first_words, *record.attachment_names)
    left = shown(render(copy.headers, copy.body))
    for text in ("\n".join(words), left, shown(record.raw)):
        assert SPELLINGS[name] not in text
        if not name.startswith(ALL):
            assert "john.doe" not in text.lower()
    if not name.startswith(("cloudflare", "sophos")):
        assert "b" * 32 in text
        assert "Hello" in text


@pytest.mark.parametrize("top", ["com", "de", "info"])
@pytest.mark.parametrize("mark", ["", "> ", ">> ", "JD> "])
def test_the_last_label_in_angle_brackets_is_no_name_of_who_is_quoted(mark: str, top: str) -> None:
    """`com>` at the beginning of a line looks like the initials before a mark of quoted text."""
    people = order(person(f"john.doe@home.{top}", "buyer", "b" * 32), SHOP, CARRIER)
    text = f"{mark}John <john.doe@home.\n{mark}{top}> wrote:\n"
    if mark.startswith("JD"):
        text = f"{mark}john.doe@home\n{mark}.{top} wrote:\n"
    raw = f"From: {CARRIER}\n\n{text}".encode()
    done = mail(raw, people, to=ALIAS, sender=SHOP).plan()
    assert b"john.doe" not in done.records[0].raw
    assert Scanner({f"john.doe@home.{top}": "b" * 32}).scan([], text.encode())


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize(
    "mark", ["> ", ">", "JD> ", " JD> ", "> JD> ", "JD> > ", "&gt; ", "* ", "// ", "> " * 99]
)
@pytest.mark.parametrize(
    "end", ["\n", " \r\n", "=\n", "= \r\n", "\\n", "<br>\n", "<br />", "<BR CLASS=x >\n"]
)
def test_an_address_wrapped_at_a_dot_goes_on_behind_a_mark(end: str, mark: str, type_: str) -> None:
    """Quoted text, whatever ends its lines; the sign is in clear, so little is looked at."""
    for written in (
        f"john.{end}{mark}doe@home.example",
        f"john dot{end}{mark}doe@home.example",
        f"john.doe@home.{end}{mark}example",
        f"john.doe@home{end}{mark}.example".replace("<br />", "\n"),
    ):
        raw = typed(type_)(written)
        copy = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
        assert ALIAS in shown(render(copy.headers, copy.body)), written
        assert Scanner({JOHN: "b" * 32}).scan([], raw.partition(b"\n\n")[2]), written


@pytest.mark.parametrize("type_", ["text/plain", "text/html", "application/octet-stream"])
@pytest.mark.parametrize(
    "before", ["", "x=\n", "x=\r\n", "aHR0cHM6Ly9jLmV4YW1wbGUvP2U=\n", "x\\\n"]
)
@pytest.mark.parametrize(
    "written",
    [
        "\x1b[1mjohn.doe@home.example", "\x1b(Bjohn.doe (at) home.example",
        "john.doe@home..example", "\x1b[1mjohn.doe<b></b>@home.example",
        "\x1b(Bjohn.doe@home.example=5555",
        "{\\rtf1 john.doe{\\*\\x y}@home.example }",
        "x\n{\\rtf1 {john.doe{\\*\\x y}@home.example }}",
    ],
)  # fmt: skip
def test_a_line_that_may_go_on_hides_nobody_in_the_next(
    written: str, before: str, type_: str
) -> None:
    """What ends in `=` is mostly base64: only some programs would join the lines."""
    raw = typed(type_)(before + written)
    done = mail(raw, PEOPLE, to=A, sender=JOHN).plan()
    assert done.reply is None, done.reply
    assert "john.doe" not in shown(done.records[0].raw)


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize("behind", [".=5555", "=5555\\u0040ct.example", "=2e", "=40"])
def test_an_address_in_escapes_ends_before_what_may_be_no_escape(behind: str, type_: str) -> None:
    """As of quoted-printable: a hard alias begins with two digits, too."""
    raw = typed(type_)(f"\\x6aohn.doe\\x40home.exampl\\x65{behind}")
    done = mail(raw, PEOPLE, to=A, sender=JOHN).plan()
    assert done.reply is None, done.reply
    assert "ohn.doe" not in shown(done.records[0].raw)


@pytest.mark.parametrize("type_", ["text/enriched", "text/richtext", "text/plain"])
@pytest.mark.parametrize(
    "written",
    [
        "john.doe<color><param>red</param>@</color>home.example",
        "john.doe<lang><param>en</param></lang>@<lang><param>de</param>home</lang>.example",
        "john.doe<comment>no spam</comment>@home.example",
        "<bold>john<italic>.doe</italic></bold><x-my.own>@</x-my.own>home.example",
        "".join(f"<color><param>red</param>{c}</color>" for c in JOHN),
    ],
)
def test_what_enriched_text_does_not_show_parts_nothing(written: str, type_: str) -> None:
    """Parameters of its elements (RFC 1896), comments of richtext (RFC 1341 section 7.1.3)."""
    raw = typed(type_)(written)
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    copy = sent.sent(done)
    for left in (render(copy.headers, copy.body), done.records[0].raw):
        assert written not in shown(left)
        assert ALIAS in shown(left)
    assert Scanner({JOHN: "b" * 32}).scan([], raw.partition(b"\n\n")[2])


@pytest.mark.parametrize("place", ["plain", "html", "Subject"])
@pytest.mark.parametrize(
    "sign", [" @ ", " (at) ", " [ at ] ", " at ", "\n  >> @ ", "(at)", " " * 20 + "@" + " " * 20]
)
@pytest.mark.parametrize("local", ["a" * 64, "john." * 12 + "anna", "a" * 40])
def test_a_local_part_may_be_as_long_as_it_may(local: str, sign: str, place: str) -> None:
    """64 octets before the sign, RFC 5321, 4.5.3.1.1, and blanks between them."""
    people = order(person(f"{local}@home.example", "buyer", "b" * 32), SHOP, CARRIER)
    sign = sign.replace("\n  >>", "") if place == "Subject" else sign
    raw = {**BODIES, **FIELDS}[place](f"{local}{sign}home.example")
    copy = mail(raw, people, to=A, sender=JOHN).sent()
    text = shown(render(copy.headers, copy.body))
    assert local not in text
    assert "b" * 32 in text
    headers, body = parse(raw)
    scanner = Scanner({f"{local}@home.example": "b" * 32})
    assert scanner.scan([each for each in headers if each.key != b"from"], body)


@pytest.mark.parametrize("count", [16, 32])
@pytest.mark.parametrize("dot", [" (dot) ", " [ dot ] ", "&nbsp;(dot)&nbsp;", "<b>.</b>"])
def test_each_dot_of_a_long_local_part_may_be_written_at_length(dot: str, count: int) -> None:
    words = [chr(ord("a") + n % 26) for n in range(count)]
    address = ".".join(words) + "@home.example"
    text = f"Subject: x\n\nTo {dot.join(words)} (at) home.example x\n"
    people = order(person(address, "buyer", "b" * 32), SHOP, CARRIER)
    sent = mail(text, people, to=A)
    done = sent.plan()
    assert b"home.example" not in sent.sent(done).body
    assert b"home.example" not in done.records[0].raw
    headers, body = parse(text.encode())
    assert Scanner({address: "b"}).scan(headers, body)


@pytest.mark.parametrize(
    ("name", "place"), [case for case in CASES if case[1] != "the author's name"]
)
def test_a_spelling_is_seen_by_the_scan(name: str, place: str) -> None:
    """In the message as it came, and not in what leaves."""
    raw = {**BODIES, **FIELDS}[place](SPELLINGS[name])
    headers, body = parse(raw)
    scanner = Scanner({JOHN: "b" * 32})
    found = scanner.scan([h for h in headers if h.key != b"from" or place == "From"], body)
    assert found


@pytest.mark.parametrize(
    "spelled",
    [
        *(f"john.doe {word} home.example" for word in sorted(AT_WORDS)),
        *(f"john.doe at home {word} example" for word in sorted(DOT_WORDS)),
    ],
)
def test_a_word_for_a_sign_is_known_to_both_sides(spelled: str) -> None:
    """What one of masking and the scan knows alone is refused, or leaves unseen by a fault."""
    raw = BODIES["plain"](spelled)
    copy = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
    assert spelled not in shown(render(copy.headers, copy.body))
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw))


LIKE_TAGS = ("a rond", "a keong", "a c\u00f2ng", "ludo a", "majmunsko a", "kanel", "at sign", "hos")


@pytest.mark.parametrize("word", [*sorted(filter(str.isascii, AT_WORDS)), *LIKE_TAGS])
def test_a_word_for_a_sign_in_angle_brackets_is_no_tag(word: str) -> None:
    """It is masked at first sight, and not cut out for what the scan sees."""
    raw = BODIES["plain"](f"john.doe <{word}> home.example")
    body = mail(raw, PEOPLE, to=A, sender=JOHN).sent().body
    assert bytes(body[:]).decode() == f"Hello\n{ALIAS}<{word}>\nBye\n"


NEAR_MISSES = [
    "john (at) doe ",
    "john [at] doe dot ",
    "x-john [at] doe [dot] example, ",
    "jimjohn@ doe .example ",
]
NEAR_LINKS = ["urldefense.com/v3/__http*", "urldefense.proofpoint.com/v2/url?u=http-3A__"]


@pytest.mark.parametrize("near", NEAR_MISSES)
@pytest.mark.parametrize("type_", ["text/plain", "text/html", "text/rtf"])
def test_what_is_nearly_an_address_costs_little_and_asks_the_time(near: str, type_: str) -> None:
    """Thousands of them: the budget ends it, and no worker is ended for it."""
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1

    text = f"From: {CARRIER}\nTo: {hard('b')}\nContent-Type: {type_}\n\n{near * 4_000}\n"
    row = mail(text, order("john@doe.example", CARRIER), to=hard("b"), sender=CARRIER)
    row = replace(row, message=replace(row.message, limits=Limits(check)))
    within(1.5, row.plan)
    assert asked > 40


@pytest.mark.parametrize("near", NEAR_LINKS)
def test_what_is_nearly_a_gateways_link_costs_little(near: str) -> None:
    """None is looked through to the end of those behind it."""
    text = f"From: {CARRIER}\nTo: {hard('b')}\n\n{near * 8_000}\n"
    row = mail(text, order("john@doe.example", CARRIER), to=hard("b"), sender=CARRIER)
    within(0.5, row.plan)


NEAR_ALL = "".join(
    [
        *NEAR_MISSES,
        *NEAR_LINKS,
        " john (at) doe dot exampl %2540doe.exampl &amp;#64;doe &#37;40 \\x40doe \\u{40} \\100 ",
        "john\\40 doe {\\rtf1 john\\'40doe \\u64?doe {\\*\\x y}{\\v z}} +AEA-doe ",
        "\x1b(Bjohn\x1b[1m@doe ^[[0m john@=\ndoe =40=\n doe john<b></b>@doe jo\u0308hn @doe ",
        '\uff20doe \u200bdoe data-cfemail="4f2a" srcdoc="&lt;john&amp;amp;#64;doe" ',
        "urldefense.com/v3/__http*40doe__;QA!! urldefense.proofpoint.com/v2/url?u=http-40doe ",
    ]
)


@pytest.mark.slow
@pytest.mark.parametrize("type_", ["text/plain", "text/html", "text/rtf"])
def test_all_that_is_nearly_an_address_together_costs_little(type_: str) -> None:
    """Every family of escapes is read, and near misses in each reading: far below the budget."""

    def plan(size: int) -> None:
        head = f"From: {CARRIER}\nTo: {hard('b')}\nContent-Type: {type_}; charset=utf-8\n\n"
        text = head + NEAR_ALL * (size // len(NEAR_ALL))
        row = mail(text.encode(), order("john@doe.example", CARRIER), to=hard("b"), sender=CARRIER)
        assert row.plan().reply is None

    linear(plan, 12_500)
    within(4.0, lambda: plan(25_000))


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "koi8-r"])
def test_an_octet_that_is_no_utf8_is_a_letter(label: str) -> None:
    """In text that is called something else, too: it begins somebody else's address."""
    head = f"From: {JOHN}\nContent-Type: text/plain; charset={label}\n\n".encode()
    body = b"\xe2\x82\xac \xe4john.doe@home.example \xe4 \xc3\xa4"
    row = mail(head + body, PEOPLE, to=A, sender=JOHN)
    assert row.plan().reply is None
    assert row.sent().body == body


SALES = order(person("sales@shop.example", "buyer", "b" * 32), CARRIER)
OF_ONE_WORD = [
    "sales &#40;at&#41; shop.example",
    "sales &#x28;at&#x29; shop.example",
    "sales &#91;at&#93; shop &#91;dot&#93; example",
    "x\\nsales @ shop.example",
    "sales (at) shop.example\\nBye",
    "see /cdn-cgi/l/email-protection#" + cloudflare("sales@shop.example") + " Bye",
    "sales-at-shop.example",
    "sales_at_shop_dot_example",
    "お問い合わせはsales (at) shop.example",
    "連絡先sales [at] shop [dot] example",
    "邮箱sales@\n> shop.example",
    "bounce+sales=shop.example",
    "https://c.example/?u=sales=shop.example",
]


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        (text, type_)
        for text in OF_ONE_WORD
        for type_ in ("text/plain", "text/html", "text/csv", "text/calendar")
        # A line of a calendar goes on with a blank, and with nothing else.
        if type_ != "text/calendar" or "\n" not in text
    ],
)
def test_a_local_part_of_one_word_is_masked_as_well(text: str, type_: str) -> None:
    """Behind line ends of programs, letters without case, references for brackets."""
    head = f"From: {CARRIER}\nTo: {hard('b')}\nContent-Type: {type_}; charset=utf-8\n\n"
    row = mail(head + f"Hello {text} there\n", SALES, to=hard("a"), sender=CARRIER)
    plan = row.plan()
    assert plan.reply is None
    assert not Scanner({"sales@shop.example": "b"}).scan(
        row.sent(plan).headers, row.sent(plan).body
    )
    assert b"sales" not in bytes(row.sent(plan).body).lower()
    raw = row.message
    assert Scanner({"sales@shop.example": "b"}).scan(raw.headers, raw.body)


NOBODY = {
    "john.doe@home.example": [
        "john.doe (at) home.example\\.org",
        "john.doe (at) home.example\\x2eorg",
        "john.doe (at) home.example\\u002eorg",
    ],
    "me@home.example": [
        "call me at home. Example: 12",
        "call me at home.\nExample: 12",
    ],
    "john@doe.com": [
        "john (at) doe (dot) com (dot) br",
        "john at doe dot com dot br",
        "mary (dot) john (at) doe.com",
        "I met John at Doe. Com is short.",
        "john=doe.com",
        "var john=doe.com;",
    ],
    "info@hotel.example": [
        "INFO=hotel.example",
        "export INFO=hotel.example",
        "--info=hotel.example",
        "https://x.example/?info=hotel.example",
        "<p data-info=hotel.example>",
        "https://x.example/info/at/hotel.example",
        "https://x.example/info/a/hotel.example/index.html",
        "info|a|hotel.example",
        "info*a*hotel.example",
        "info_a_hotel.example",
        "info-a-hotel.example",
        "ask for info at Hotel. Example prices",
    ],
    "a@b.example": ["if (a=b.example) {}"],
}


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize(
    ("address", "text"), [(who, each) for who, texts in NOBODY.items() for each in texts]
)
def test_words_that_only_stand_side_by_side_stay(address: str, text: str, type_: str) -> None:
    """Two sentences, an assignment, the names in a path: nobody wrote an address."""
    people = order(person(address, "buyer", "b" * 32), CARRIER)
    head = f"From: {CARRIER}\nTo: {hard('b')}\nContent-Type: {type_}\n\n"
    row = mail(f"{head}Hello {text} there\n", people, to=hard("b"), sender=CARRIER)
    assert row.plan().reply is None
    assert bytes(row.sent().body) == bytes(row.message.body)
    assert not Scanner({address: "b"}).scan([], row.message.body)
