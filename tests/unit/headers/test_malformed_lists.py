"""Lists of addresses that follow no grammar: who is recognised is masked, and nothing refused."""

from email.header import Header

import pytest
from builders import CARRIER, SHOP, A, S, hard, mail, order, person

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.header.headers import mask_mailboxes
from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

ANN, LEE = "annalee@gmail.com", b"annalee"
PEOPLE = order(person(ANN, "buyer", "b" * 32), SHOP, CARRIER)

TOUCHING = [
    'annalee@gmail.com"a"<d>',
    'annalee@gmail.com"a" <d>',
    'annalee@gmail.com"a"<d@e.example>',
    'x annalee@gmail.com"a"<d@e.example>',
    '"a"annalee@gmail.com<d>',
    'annalee@gmail.com"a"b<d>',
    'annalee@gmail.com."a"<d>',
    'annalee@gmail.com"a".example<d>',
    'annalee@gmail.com"a"@x<d>',
    '<annalee@gmail.com"a"<d>',
    "annalee@gmail.com\\a<d>",
    "annalee@gmail.com\\a <d@e.example>",
]


@pytest.mark.parametrize("field", ["From", "To", "Cc", "Reply-To", "Mail-Followup-To"])
@pytest.mark.parametrize("value", TOUCHING)
def test_an_address_that_a_quoted_string_touches_is_masked(value: str, field: str) -> None:
    """Unquoted, it is one word with what touches it, and nobody's; as written, it is theirs."""
    author = "" if field == "From" else f"From: {ANN}\n"
    sent = mail(f"{author}{field}: {value}\n\nHello\n", PEOPLE, to=S, sender=ANN)
    done = sent.plan()
    assert done.reply is None
    copy = sent.sent(done)
    for left in (render(copy.headers, copy.body), done.records[0].raw):
        assert LEE not in left


@pytest.mark.parametrize("value", TOUCHING)
def test_the_scan_sees_it_as_written(value: str) -> None:
    assert Scanner({ANN: "b" * 32}).scan(*parse(f"To: {value}\n\n".encode()))


@pytest.mark.parametrize(
    "value",
    [
        b'"a"<x@y.example>, "b c" <d@e.example>',
        b'"Lee"annalee@gmail.com.example <d@e.example>, x\\y <a@b.example>',
        b'an"na"lee@gmail.com, "x" y@z.example',
    ],
)
def test_what_touches_nobody_stays(value: bytes) -> None:
    mask = Masker({ANN: hard("b")})
    assert mask_mailboxes(value, lambda _: None, mask) is value


TORN = [
    "=?utf-8?q?x?= =?utf-8?q?annalee=40gmail.com?=",
    "=?utf-8?q?x?==?utf-8?q?annalee=40gmail.com?=",
    "=?utf-8?b?eHh4?= =?utf-8?b?YW5uYWxlZUBnbWFpbC5jb20=?=",
    "=?utf-8?b?eHh4?=\n =?utf-8?b?YW5uYWxlZUBnbWFpbC5jb20=?= =?utf-8?q?=2Ebr?=",
    "<=?utf-8?q?annalee=40gmail.com?=>",
    "annalee=?utf-8?q?=40gmail=2Ecom?=a",
    "annalee<d>@gmail.com",
    "=?utf-8?q?annalee?=<d>@gmail.com",
    "=?utf-8?q?x?=annalee@gmail.com=?utf-8?q?x?=",
]
TO_PARTS = f"From: {ANN}\nContent-Type: multipart/mixed; boundary=b\n\n"
PLACES = {
    "Cc": f"From: {ANN}\nCc: desk@carrier.example, {{}}\n\nHello\n",
    "a name in Cc": f"From: {ANN}\nCc: {{}} <x@y.example>\n\nHello\n",
    "a name in From": f"From: {{}} <{CARRIER}>\n\nHello\n",
    "a quoted name": f'From: {ANN}\nTo: "{{}}" <x@y.example>\n\nHello\n',
    "a comment": f"From: {ANN}\nTo: x@y.example ({{}})\n\nHello\n",
    "Subject": f"From: {ANN}\nSubject: {{}}\n\nHello\n",
    "a file's name": f"{TO_PARTS}--b\nContent-Disposition: attachment; "
    'filename="{}"\n\nHi\n--b--\n',
    "a part's name": f'{TO_PARTS}--b\nContent-Type: text/plain; name="{{}}"\n\nHi\n--b--\n',
    "a part's description": f"{TO_PARTS}--b\nContent-Description: {{}}\n\nHi\n--b--\n",
    "a message inside": f"{TO_PARTS}--b\nContent-Type: message/rfc822\n\n"
    "From: x@y.example\nTo: z@y.example, {}\nSubject: {}\n\nHi\n--b--\n",
    "no field": f"{TO_PARTS}--b\nContent-Type: text/plain\n{{}}\n\nHi\n--b--\n",
    "before the parts": f"{TO_PARTS}{{}}\n--b\n\nHi\n--b--\n",
    "behind the parts": f"{TO_PARTS}--b\n\nHi\n--b--\n{{}}\n",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", TORN)
def test_what_only_some_read_as_an_address_is_cut(value: str, place: str) -> None:
    """The final scan reads each word alone; a field that it finds somebody in is no refusal."""
    sent = mail(PLACES[place].format(value, value), PEOPLE, to=S, sender=ANN)
    done = sent.plan()
    assert done.reply is None
    copy = sent.sent(done)
    scanner = Scanner({ANN: "b" * 32})
    assert not scanner.scan(copy.headers, copy.body)
    assert not scanner.scan(*parse(done.records[0].raw))
    kept = b"Hi" if "multipart" in PLACES[place] else b"Hello"
    assert kept in bytes(copy.body)
    assert kept in done.records[0].raw


PERCENT = [("%4" * 60)[:n] for n in range(70, 100)]


@pytest.mark.parametrize("place", [place for place in PLACES if "part" not in place])
def test_our_own_fold_of_encoded_words_makes_no_address(place: str) -> None:
    """A word that begins amid an escape reads as what stands behind it, to who decodes it alone."""
    for before in PERCENT:
        value = str(Header(f"\xe9 sales@shop.example {before}{ANN}", "utf-8", 10_000).encode())
        sent = mail(PLACES[place].format(value, value), PEOPLE, to=A, sender=ANN)
        done = sent.plan()
        assert done.reply is None, before
        copy = sent.sent(done)
        assert not Scanner({ANN: "b" * 32}).scan(copy.headers, copy.body)
