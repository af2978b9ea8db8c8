"""Content-IDs that reveal somebody, and the links to them: replaced alike, so pictures show."""

import re
from urllib.parse import unquote

import pytest
from builders import BUYER, EVERYBODY, SHOP, A, B, S, mail, order, person
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.views.view import View

GMAIL = order(BUYER, SHOP, person("j.doe@gmail.com", "partner", "c" * 32))
HTML = "Content-Type: text/html"
PICTURE = "Content-Type: image/png\nContent-Transfer-Encoding: base64"


def related(
    identifier: str,
    link: str,
    *,
    author: str = BUYER,
    to: str = S,
    start: str = "",
    conversation: Conversation = EVERYBODY,
) -> str:
    """Write a mail whose text shows a picture, and give its body as it leaves."""
    text = f"""From: {author}
To: {to}
MIME-Version: 1.0
Content-Type: multipart/related; boundary=x{start}

--x
{HTML}

<p><img src="{link}">
--x
{PICTURE}
Content-ID: {identifier}

aGVsbG8=
--x--
"""
    sent = mail(text, conversation, to=to).sent()
    return b"\n".join([*(h.value for h in sent.headers), sent.body]).decode()


def pair(sent: str) -> tuple[str, str]:
    """Return a sent mail's Content-ID and what its picture refers to, both decoded."""
    identifier, link = re.search(r"^Content-ID: <(.*)>$", sent, re.M), re.search('="(.*?)"', sent)
    assert identifier is not None
    assert link is not None
    return identifier[1], unquote(link[1].partition(":")[2])


@pytest.mark.parametrize(
    ("identifier", "link"),
    [
        ("img1@doe.example", "cid:img1@doe.example"),
        ("img1@doe.example", "cid:img1%40doe.example"),
        ("img1@doe.example", "CID:img1&#64;doe.example"),
        ("part1.0A+B/c@mail.DOE.example", "cid:part1.0A%2bB/c@mail.DOE.example"),
        ("john@doe.example", "cid:john%40doe.example"),
        ("img.john@doe.example", "cid:img.john@doe.example"),
        ("img$john=doe.example@host.example", "cid:img$john=doe.example@host.example"),
    ],
)
def test_a_content_id_is_replaced_with_every_link_to_it(identifier: str, link: str) -> None:
    sent = related(f"<{identifier}>", link)
    declared, shown = pair(sent)
    assert declared == shown
    assert "doe.example" not in sent.lower()


@pytest.mark.parametrize(
    ("identifier", "link"),
    [
        ("img1@01D8.7A2B", "cid:img1@01D8.7A2B"),
        ("img1@gmail.com", "cid:img1@gmail.com"),
        ("img1@shop.example", "cid:img1%40shop.example"),
        ("img1@notdoe.example", "cid:img1@notdoe.example"),
    ],
)
def test_one_that_reveals_nobody_stays(identifier: str, link: str) -> None:
    sent = related(f"<{identifier}>", link, conversation=GMAIL)
    assert f"<{identifier}>" in sent
    assert f'"{link}"' in sent


def test_an_address_at_a_provider_is_replaced_as_a_whole_in_both_places() -> None:
    sent = related("<x.j.doe@gmail.com>", "cid:x.j.doe@gmail.com", conversation=GMAIL)
    declared, shown = pair(sent)
    assert declared == shown
    assert "gmail" not in sent


def test_the_root_of_a_multipart_is_named_as_it_is_called() -> None:
    start = '; start="<img1@doe.example>"'
    sent = related("<img1@doe.example>", "cid:img1@doe.example", start=start)
    assert f'start="<{pair(sent)[0]}>"' in sent


@pytest.mark.parametrize("inside", [False, True])
def test_the_pieces_of_a_message_have_one_identifier(*, inside: bool) -> None:
    """RFC 2046 section 5.2.2: by it, a program puts them together again."""

    def send(number: int) -> str:
        piece = f'Content-Type: message/partial; id="1@doe.example"; number={number}; total=2'
        text = f"{piece}\n\nSubject: x\n\nHello\n"
        if inside:
            text = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{text}--b--\n"
        sent = mail(f"From: {BUYER}\n{text}", EVERYBODY, to=A).sent()
        whole = b"\n".join([*(h.value for h in sent.headers), bytes(sent.body)])
        [found] = re.findall(rb"message/partial; id=\"?([^\"; ]+)", whole)
        assert b"doe.example" not in whole
        return found.decode()

    assert send(1) == send(2)
    assert re.fullmatch(r"m-[0-9a-f]{32}@ct\.example\.com", send(1))


def test_ones_own_stays_and_the_links_stay_with_it() -> None:
    sent = related("<i@doe.example>", "cid:i@doe.example", author=SHOP, to=B)
    assert pair(sent) == ("i@doe.example",) * 2


def test_a_text_that_is_left_alone_keeps_what_it_refers_to() -> None:
    plain = order(BUYER, SHOP, mask_body=False)
    sent = related("<i@doe.example>", "cid:i@doe.example", conversation=plain)
    assert pair(sent) == ("i@doe.example",) * 2


@pytest.mark.parametrize("to", [S, A])
def test_an_attached_message_has_identifiers_that_reveal_nobody(to: str) -> None:
    text = f"""From: {BUYER}
To: {to}
Content-Type: message/rfc822

Message-ID: <1@doe.example>
References: <2@doe.example>
 <3@elsewhere.example>
Content-Type: text/html

<a href="mid:1@doe.example/i%2F2@doe.example">that</a>
"""
    sent = mail(text, EVERYBODY, to=to).sent().body.decode()
    assert "doe.example" not in sent
    assert "<3@elsewhere.example>" in sent
    [declared] = re.findall("Message-ID: <(.*)>", sent)
    assert f"mid:{declared}/m-" in sent


def test_a_record_reveals_nobody() -> None:
    text = f"From: {BUYER}\nTo: {S}\nContent-Type: text/html\nContent-ID: <1@doe.example>\n\n"
    planned = mail(text + "<img src=cid:1@doe.example>\n", EVERYBODY, to=S).plan()
    assert b"doe.example" not in planned.records[0].raw


def seen(by: str | None) -> View:
    """Return what one person sees; nobody stands for the record."""
    to = EVERYBODY.find_exact(Address.parse(by)) if by is not None else None
    return View(EVERYBODY, to)


@given(st.from_regex(r"[A-Za-z0-9.+/_{}$-]{1,20}@(doe|carrier|other)\.example", fullmatch=True))
def test_header_and_link_always_agree(identifier: str) -> None:
    """Also in plain text, where a full stop may follow; and no view changes its own result."""
    for by in (None, SHOP, BUYER):
        view = seen(by)
        declared = view.identifiers(f"<{identifier}>".encode()).decode()
        assert view.text(f"(cid:{identifier}.") == f"(cid:{declared[1:-1]}."
        assert view.identifiers(declared.encode()) == declared.encode()


@given(st.binary(max_size=60), st.text(max_size=60))
def test_any_value_is_taken(value: bytes, text: str) -> None:
    view = seen(SHOP)
    assert isinstance(view.identifiers(b"<@doe.example" + value), bytes)
    assert isinstance(view.text("cid:@doe.example" + text), str)


def test_what_has_no_links_is_the_same_object() -> None:
    view, text, value = seen(SHOP), "An Id: cid:a@elsewhere.example", b" <a@elsewhere.example>"
    assert view.text(text) is text
    assert view.identifiers(value) is value
