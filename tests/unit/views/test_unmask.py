"""Where the reader's own address stands in their copy: where a person reads it, nowhere else.

`@` stands for the reader's alias in what is sent, `#` for their address in what leaves; in both
texts all else is the same. Each row is sent through the whole plan.
"""

import base64
import quopri

import pytest
from builders import (
    BUYER,
    CARRIER,
    DOMAIN,
    REF,
    SHOP,
    A,
    B,
    applied,
    mail,
    order,
    own,
    person,
    soft,
)
from cost import linear
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.unmask import RunningText, Unmasker
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import calendar
from conversation_tracker.core.masking.text import html_nodes
from conversation_tracker.core.masking.text.html_text import Page
from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.rules.planning import plan
from conversation_tracker.core.scanning import hidden_text
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.views.view import View

KNOWN = order(BUYER, SHOP, CARRIER)
ALIASES = {
    "hard": B,
    "soft": soft(BUYER),
    "capitals": B.upper(),
    "soft capitals": soft(BUYER).upper(),
}
PIXEL = "https://track.example/p.gif"


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the final scan agree with the masking: it has nothing to put back."""

    def blind(_view: View) -> View:
        raise AssertionError("the final scan took the alias back")

    if "sabotage" not in request.fixturenames:
        monkeypatch.setattr(View, "blind", blind)


def filled(text: str, alias: str) -> str:
    """Write a text with an alias, or an address, for its signs."""
    return text.replace("@", alias)


def shown(text: str) -> str:
    """Write what leaves: `#` is the address."""
    return text.replace("#", BUYER)


def sent(content: str, alias: str, fields: str = "") -> tuple[str, str]:
    """Send one part of this content to the buyer; give header and body as they leave."""
    left = mail(f"From: {CARRIER}\n{fields}\n{content}", KNOWN, to=B).sent()
    head = "".join(f"{h.name.decode()}: {h.value.decode()}\n" for h in left.headers)
    return head, left.body.decode().replace("\r\n", "\n")


RUNNING = [
    ("Your address is @.", "Your address is #."),
    ("<@>", "<#>"),
    ('"@", he said', '"#", he said'),
    ("@, or @;", "#, or #;"),
    ("To: @", "To: #"),
    ("To:@", "To:#"),
    ("Is it @?", "Is it #?"),
    ("(@)", "(#)"),
    ("> @ wrote:", "> # wrote:"),
    ("email=@", "email=#"),
    ("write to--@", "write to--#"),
    ("Grüße an @!", "Grüße an #!"),
    ("地址@。", "地址#。"),
    (f"rate: {PIXEL}?e=@", None),
    (f"({PIXEL}?to=@)", None),
    (f"<{PIXEL}?to=@>", None),
    (f"<{PIXEL}?a=1\n&to=@>", None),
    (f"<URL:{PIXEL}\n?to\n=@>", None),
    ("www.track.example/u/@", None),
    ("WWW.track.example:80,@", None),
    ("track.example/path?e=@", None),
    ("track.example?e=@", None),
    ("track.example/@", None),
    ("mailto:@", None),
    ("MAILTO:@?subject=x", None),
    ("@?subject=x", None),
    ("[@](mailto:@)", None),
    ("\\\\track.example\\@", None),
    ("https%3A%2F%2Ftrack.example%2F@", None),
    ("e=@&sig=abc", None),
    ("x@ 0@", None),
    ("@.org @-b.org", None),
    ("bounce-@", None),
    (f"{PIXEL} @", f"{PIXEL} #"),
    (f"@ {PIXEL}?e=@ @", f"# {PIXEL}?e=@ #"),
]
"""What is sent in running text, and what leaves; None where all stays."""


@pytest.mark.parametrize("form", ALIASES)
@pytest.mark.parametrize(("before", "after"), RUNNING)
def test_running_text(before: str, after: str | None, form: str) -> None:
    alias = ALIASES[form]
    content = filled(f"Hello,\n{before}\nBye\n", alias)
    _, body = sent(content, alias, "Content-Type: text/plain; charset=utf-8\n")
    assert body == shown(filled(f"Hello,\n{after or before}\nBye\n", alias))


@pytest.mark.parametrize("name", ["Subject", "Comments", "subject"])
@pytest.mark.parametrize(("before", "after"), [row for row in RUNNING if row[0].isascii()])
def test_subject_and_comments(name: str, before: str, after: str | None) -> None:
    if "\n" in before:
        before = before.replace("\n", "\n\t")
    text = f"From: {SHOP}\n" + filled(f"{name}: {before}\n\n", B)
    left = own(text, KNOWN, to=B).sent()
    value = next(h.value.decode() for h in left.headers if h.name == name.encode())
    assert value == shown(filled(after or before, B))


HEADERS = [
    ("To", "@", "#"),
    ("To", "Ann <@>, <@>", "Ann <#>, <#>"),
    ("To", '"@" <@>', '"#" <#>'),
    ("To", f'"{PIXEL}?e=@" <@>', f'"{PIXEL}?e=@" <#>'),
    ("To", "@ (of @)", "# (of #)"),
    ("Cc", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= <@>", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= <#>"),
    ("Reply-To", "@", "#"),
    ("Resent-To", "@", "#"),
    ("Disposition-Notification-To", "<@>", "<#>"),
    ("List-Unsubscribe", "<https://x.example/?e=@>, <mailto:@>, <@>", None),
    ("List-Post", "<@>", None),
    ("Keywords", "@", None),
    ("Thread-Topic", "about @", None),
    ("X-Note", "@ <@>", None),
    ("X-Report-Abuse", f"{PIXEL}?e=@", None),
    ("Content-Type", 'text/plain; name="@.txt"', None),
    ("Content-Disposition", 'attachment; filename="@"', None),
    ("Content-Description", "for @", None),
    ("Content-Location", f"{PIXEL}?e=@", None),
]


@pytest.mark.parametrize("form", ["hard", "soft"])
@pytest.mark.parametrize(("name", "before", "after"), HEADERS)
@pytest.mark.parametrize("attached", [False, True])
def test_header_fields(
    name: str, before: str, after: str | None, form: str, attached: bool
) -> None:
    """Of the message itself, and of one inside; what is no address header keeps the alias."""
    alias = ALIASES[form]
    field = filled(f"{name}: {before}\n", alias)
    inside = f"Content-Type: message/rfc822\n\nFrom: {CARRIER}\n{field}\nHello\n"
    text = f"From: {SHOP}\n{inside if attached else field}\nHello\n"
    left = own(text, KNOWN, to=B).sent()
    head = "".join(f"{h.name.decode()}: {h.value.decode()}\n" for h in left.headers)
    wanted = shown(filled(f"{name}: {after or before}\n", alias))
    assert wanted in (left.body.decode().replace("\r\n", "\n") if attached else head)


@pytest.mark.parametrize("words", ["about @", f"{PIXEL}?e=@"])
def test_encoded_words_are_read(words: str) -> None:
    """A link in them is one, and a name is none."""
    code = base64.b64encode(filled(words, B).encode()).decode()
    left = own(f"From: {SHOP}\nSubject: =?utf-8?B?{code}?=\n\n", KNOWN, to=B).sent()
    value = next(h.value.decode() for h in left.headers if h.name == b"Subject")
    assert (f"=?utf-8?B?{code}?=" == value) == ("://" in words)
    if "://" not in words:
        assert decode_words(value.encode()) == f"about {BUYER}"


PAGES = [
    ("<p>@</p>", "<p>#</p>"),
    (f'<img src="{PIXEL}?e=@">@', f'<img src="{PIXEL}?e=@">#'),
    (f"<img src={PIXEL}?e=@>@", f"<img src={PIXEL}?e=@>#"),
    (f"<img src='{PIXEL}?e=@'>@", f"<img src='{PIXEL}?e=@'>#"),
    (f'<img srcset="{PIXEL}?e=@ 2x">', None),
    (f'<a href="{PIXEL}?e=@">@</a>', f'<a href="{PIXEL}?e=@">#</a>'),
    (f'<a href="{PIXEL}?e=@">{PIXEL}?e=@</a>', None),
    ('<a href="mailto:@">@</a>', '<a href="mailto:@">#</a>'),
    ('<a href="mailto:@">mailto:@</a>', None),
    (f"{PIXEL}?e=<b>@</b>", None),
    (f"{PIXEL} <b>@</b>", f"{PIXEL} <b>#</b>"),
    (f"<td>{PIXEL}</td><td>@</td>", f"<td>{PIXEL}</td><td>#</td>"),
    (f"<li>{PIXEL}<li>@", f"<li>{PIXEL}<li>#"),
    (f"{PIXEL}<br>@", f"{PIXEL}<br>#"),
    ('<p title="@" data-e="@">@', '<p title="@" data-e="@">#'),
    ('<a title="x>@">@</a>', '<a title="x>@">#</a>'),
    (f'<p style="background: url({PIXEL}?e=@)">@', f'<p style="background: url({PIXEL}?e=@)">#'),
    (
        "<style>p { background: url(//x.example/@) }</style>@",
        "<style>p { background: url(//x.example/@) }</style>#",
    ),
    ("<script>send('@')</script>", None),
    ('<script type="application/ld+json">{"e": "@"}</script>', None),
    ("<script><!--<script></script>'@'--></script>", None),
    ("<SCRIPT>'</scripty>@'</SCRIPT >@", "<SCRIPT>'</scripty>@'</SCRIPT >#"),
    ("<input type=hidden value=@>@", "<input type=hidden value=@>#"),
    ("<textarea>@</textarea>@", "<textarea>@</textarea>#"),
    (
        "<select><option>@<option value=1>@</select>@",
        "<select><option>@<option value=1>@</select>#",
    ),
    ("<datalist><option>@</option>@</datalist>@", "<datalist><option>@</option>@</datalist>#"),
    ("<option>@</option>@", "<option>@</option>#"),
    ("<!-- @ -->@", "<!-- @ -->#"),
    ("<!--[if mso]>@<![endif]-->@", "<!--[if mso]>@<![endif]-->#"),
    ("<!--[if !mso]><!-->@<!--<![endif]-->", "<!--[if !mso]><!-->#<!--<![endif]-->"),
    ("<![if !mso]>@<![endif]>", "<![if !mso]>#<![endif]>"),
    ("<!-->@-->@", "<!-->@-->#"),
    ("<!--@--!>@-->@", "<!--@--!>@-->#"),
    ("<!-- @", None),
    ("<![CDATA[>@]]>@", "<![CDATA[>@]]>#"),
    ("<?xml @?>@", "<?xml @?>#"),
    ("<title>@</title>@", "<title>#</title>#"),
    (f'<svg><title><img src="{PIXEL}?e=@"></title></svg>', None),
    ("<svg><text>@</text></svg>", "<svg><text>#</text></svg>"),
    ("<noscript>@</noscript>@", "<noscript>@</noscript>#"),
    (f'<noscript><!--</noscript><img src="{PIXEL}?e= -->@">', None),
    ("<noframes>@</noframes><noembed>@</noembed><xmp>@</xmp>", None),
    ('<iframe srcdoc="@">@</iframe>@', '<iframe srcdoc="@">@</iframe>#'),
    ('<svg><noframes><a title="</noframes>@"></a>', None),
    ("<plaintext>@", None),
    ("<noscript><plaintext></noscript>@", None),
    ("<noscript><select></noscript>@", None),
    ("<svg><title><select></title>@", None),
    ("<svg><style><style></style>@", None),
    ("<svg><style><foreignObject></style>@", None),
    ("<svg><style>p{}</style><b>@</b></svg>", "<svg><style>p{}</style><b>#</b></svg>"),
    ("<option><title>@</title>@", None),
    ("<option>@</select>@", None),
    ("<option><table></option>@", None),
    ("<select><option><b>@</b></option></select>@", "<select><option><b>@</b></option></select>#"),
    ("<noscript><img></noscript>@", "<noscript><img></noscript>#"),
    (f'<img src="{PIXEL}?e=@>@', None),
    (f'<img src="{PIXEL}?e=@>@<p class="x">@', None),
    (f'<img src={PIXEL}?e="@>@', None),
    (f"<img src={PIXEL}?e=@", None),
    ("<a b='@\"'>@", "<a b='@\"'>#"),
    ("<a\n@\n>@", "<a\n@\n>#"),
    ("a < b @ > c", "a < b # > c"),
    ("</ @>@", "</ @>#"),
]
"""HTML that is sent, and what leaves; None where all stays."""


@pytest.mark.parametrize("form", ALIASES)
@pytest.mark.parametrize(("before", "after"), PAGES)
def test_pages(before: str, after: str | None, form: str) -> None:
    alias = ALIASES[form]
    _, body = sent(filled(before, alias), alias, "Content-Type: text/html; charset=utf-8\n")
    assert body == shown(filled(after or before, alias))


def referenced(text: str) -> str:
    """Write every character as a character reference."""
    return "".join(f"&#{ord(each)};" for each in text)


@pytest.mark.parametrize(
    "alias",
    [
        B.replace("@", "&#64;"),
        B.replace("@", "&commat;"),
        B.replace(".", "&#x2e;"),
        referenced(B),
        referenced(soft(BUYER)),
        B.replace("b", "&#98", 1).replace("@", "&#x000040;"),
    ],
)
def test_references_are_read_in_text_and_stay_in_attributes(alias: str) -> None:
    link = f'<a href="{PIXEL}?e={alias}">'
    text = f"{link}{alias}</a> <p>{PIXEL}?e={alias}</p>\n"
    _, body = sent(text, alias, "Content-Type: text/html\n")
    assert body == f"{link}{BUYER}</a> <p>{PIXEL}?e={alias}</p>\n"


def test_an_alias_that_tags_part_is_one() -> None:
    text = f"<p>{B[:9]}<wbr>{B[9:40]}<b>{B[40:]}</b> &amp; {B}</p>"
    _, body = sent(text, B, "Content-Type: text/html\n")
    assert body == f"<p>{BUYER}<wbr><b></b> &amp; {BUYER}</p>"


def test_an_address_is_written_as_html_needs_it() -> None:
    known = order(person("a&b<c@doe.example".replace("<", "'"), "buyer", "b" * 32), CARRIER)
    text = f"From: {CARRIER}\nContent-Type: text/html\n\n<b>{B}</b>"
    assert mail(text, known, to=B).sent().body == b"<b>a&amp;b'c@doe.example</b>"


TOKENS = [
    base64.b64encode(f'{{"e": "{B}"}}'.encode()).decode(),
    base64.urlsafe_b64encode(f"??e={B}".encode()).decode().rstrip("="),
    B.encode().hex(),
    B.encode().hex().upper(),
    B.replace("@", "%40"),
    B.replace("@", "=40"),
    "".join(f"%{byte:02x}" for byte in B.encode()),
    f"bounce+{B.replace('@', '=')}@mailer.example",
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("type", ["text/plain", "text/html"])
def test_tokens_keep_the_alias(token: str, type: str) -> None:
    text = f"{token}\n<a href='{PIXEL}?t={token}'>x</a>\n{PIXEL}?t={token}\n"
    assert sent(text, B, f"Content-Type: {type}\n")[1] == text


@pytest.mark.parametrize("token", TOKENS[:4])
def test_others_in_a_token_are_masked_as_ever(token: str) -> None:
    """An address of somebody else beside the reader's alias gives way, and the alias stays."""
    data = f'{{"a": "{CARRIER}", "e": "{B}"}}'
    code = base64.b64encode(data.encode()).decode()
    _, body = sent(f"{PIXEL}?t={code}\n", B)
    [left] = body.split("?t=")[1].split()
    assert base64.b64decode(left).decode() == data.replace(CARRIER, A)
    assert token not in body


CALENDAR = [
    ("ATTENDEE:mailto:@", "ATTENDEE:mailto:#"),
    ("ATTENDEE;CN=@;RSVP=TRUE:MAILTO:@", "ATTENDEE;CN=#;RSVP=TRUE:MAILTO:#"),
    ("attendee:@", "attendee:#"),
    ('ORGANIZER;SENT-BY="mailto:@":mailto:@', 'ORGANIZER;SENT-BY="mailto:#":mailto:#'),
    ("ATTENDEE;EMAIL=@:urn:uuid:1", "ATTENDEE;EMAIL=#:urn:uuid:1"),
    ('ATTENDEE;MEMBER="mailto:l@l.example","mailto:@":mailto:l@l.example', None),
    ('ATTENDEE;DELEGATED-TO="mailto:@":mailto:@', 'ATTENDEE;DELEGATED-TO="mailto:#":mailto:#'),
    ('ATTENDEE;DELEGATED-FROM="mailto:@":x:y', 'ATTENDEE;DELEGATED-FROM="mailto:#":x:y'),
    ('ATTENDEE;X-T=@;DIR="https://x.example/@":x:y', None),
    ("ATTENDEE:https://x.example/?e=@", None),
    ("ATTENDEE:mailto:@?subject=x", None),
    ("DESCRIPTION:for @", None),
    ("SUMMARY:@", None),
    ("CONTACT:@", None),
    ("URL:https://x.example/?e=@", None),
    ("ATTACH:https://x.example/?e=@", None),
    ("X-UID:@", None),
    ("X-ALT-DESC;FMTTYPE=text/html:<b>@</b>", None),
]


@pytest.mark.parametrize("type", ["text/calendar", "application/ics", "application/octet-stream"])
@pytest.mark.parametrize(("before", "after"), CALENDAR)
def test_calendars(before: str, after: str | None, type: str) -> None:
    """The reader's program must know itself; a calendar is one whatever its type says."""
    if "MEMBER" in before:
        before = before.replace("l@l", "l(at)l")
        after = before.replace("mailto:@", "mailto:#")
    head, tail = "BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "\nEND:VEVENT\nEND:VCALENDAR\n"
    _, body = sent(head + filled(before, B) + tail, B, f"Content-Type: {type}\n")
    assert body.replace("\n ", "") == head + shown(filled(after or before, B)) + tail


@pytest.mark.parametrize("local", ['"a\\"b"', '"a b"'])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('ATTENDEE;SENT-BY="mailto:@":mailto:@', 'ATTENDEE;SENT-BY="mailto:@":mailto:#'),
        ("ATTENDEE;CN=@:mailto:@", "ATTENDEE;CN=@:mailto:#"),
        ('ORGANIZER;CN="@";EMAIL=@:mailto:@', 'ORGANIZER;CN="@";EMAIL=@:mailto:#'),
    ],
)
def test_an_address_with_quotation_marks_is_in_no_parameter(
    before: str, after: str, local: str
) -> None:
    """None may stand there (RFC 5545 section 3.2); and all else is shown to its reader."""
    whole = f"{local}@doe.example"
    people = order(person(whole, "partner", "d" * 32), BUYER, SHOP)
    alias = f"{'d' * 32}@{DOMAIN}"
    raw = (
        f"From: {BUYER}\nSubject: To {alias}\nContent-Type: text/calendar\n\n"
        f"BEGIN:VCALENDAR\n{before.replace('@', alias)}\nEND:VCALENDAR\n"
    )
    copy = mail(raw, people, to=alias, sender=BUYER).sent()
    line = after.replace("@", alias).replace("#", whole)
    body = bytes(copy.body).decode().replace("\n ", "")
    assert body == f"BEGIN:VCALENDAR\n{line}\nEND:VCALENDAR\n"
    assert copy.first(b"subject") == f"To {whole}".encode()


def test_a_folded_and_a_quoted_printable_attendee() -> None:
    head, tail = "BEGIN:VCALENDAR\nVERSION:1.0\n", "END:VCALENDAR\n"
    folded = f"ATTENDEE;CN=Ann:mailto:{B[:20]}\n {B[20:]}\n"
    quoted = f"ATTENDEE;ENCODING=QUOTED-PRINTABLE:MAILTO:{B.replace('@', '=40')}\n"
    _, body = sent(head + folded + quoted + tail, B, "Content-Type: text/calendar\n")
    wanted = f"ATTENDEE;CN=Ann:mailto:{BUYER}\nATTENDEE;ENCODING=QUOTED-PRINTABLE:MAILTO:{BUYER}\n"
    assert body == head + wanted + tail


@pytest.mark.parametrize(
    "type",
    [
        *(
            "text/csv",
            "text/markdown",
            "text/vcard",
            "text/enriched",
            "text/css",
            "text/x-amp-html",
        ),
        *("application/json", "application/xml", "application/xhtml+xml", "image/svg+xml"),
        *(
            "application/octet-stream",
            "message/delivery-status",
            "message/disposition-notification",
        ),
    ],
)
def test_other_parts_keep_the_alias(type: str) -> None:
    text = f"X-A: <b>{B}</b>, {B}\nOriginal-Recipient: rfc822;{soft(BUYER)}\n"
    part = (
        f"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: {type}\n\n{text}--x--\n"
    )
    left = mail(f"From: {CARRIER}\n{part}", KNOWN, to=B).sent()
    assert text in left.body.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("type", "name", "is_read"),
    [
        *(("text/plain", name, True) for name in ("a.txt", "A.TXT", "README", "a.log")),
        *(("text/plain", name, False) for name in ("a.html", "a.txt.js", "a.svg")),
        *(("text/html", name, True) for name in ("a.html", "a.HTM", "page")),
        *(("text/html", name, False) for name in ("a.js", "a.svg", "a.hta", "a.html.")),
    ],
)
def test_a_file_by_the_name_of_another_type_keeps_the_alias(
    type: str, name: str, is_read: bool
) -> None:
    """A page that says it is plain text is opened as a page, scripts and forms in it as well."""
    text = f"var e = '{B}'\n"
    filename = f"Content-Disposition: attachment; filename*=utf-8''{name}"
    both = f"{type}; name={name}\nContent-Disposition: attachment; filename=a.txt"
    for fields in (f"{type}; name={name}", f"{type}\n{filename}", both):
        part = f"--x\nContent-Type: {fields}\n\n{text}--x--\n"
        _, body = sent(part, B, "Content-Type: multipart/mixed; boundary=x\n")
        assert (BUYER in body) == (is_read and (fields != both or type == "text/plain"))


def test_returned_headers_are_read_as_a_messages() -> None:
    part = f"Content-Type: text/rfc822-headers\n\nTo: <{B}>\nX-To: {B}\nSubject: for {B}\n"
    _, body = sent(f"--x\n{part}--x--\n", B, "Content-Type: multipart/report; boundary=x\n")
    assert f"To: <{BUYER}>\nX-To: {B}\nSubject: for {BUYER}\n" in body


def test_text_between_parts_keeps_the_alias() -> None:
    """Nobody reads it; a program that finds other parts in it reads them as it pleases."""
    parts = f"for {B}\n--x\nnot a field but {B}\n\nx\n--x--\nand {B}, {PIXEL}?{B}\n"
    _, body = sent(parts, B, "Content-Type: multipart/mixed; boundary=x\n")
    assert body == parts.replace(f"but {B}", f"but {BUYER}")


def test_a_line_among_fields_that_is_none_keeps_the_alias() -> None:
    """Some programs end the header there, and read the rest as the type says."""
    stray = f'<img src="{PIXEL}?e=\n {B} ">\n<img src="{PIXEL} {B} ">\n'
    part = f"--x\nContent-Type: text/html\n{stray}Subject: {B}\n\nx\n--x--\n"
    _, body = sent(part, B, "Content-Type: multipart/mixed; boundary=x\n")
    assert body == part.replace(f"Subject: {B}", f"Subject: {BUYER}")


@pytest.mark.parametrize("alias", [B, soft(BUYER)])
@pytest.mark.parametrize(
    "type",
    [
        *("(a page) text/html", "text(x)/html", '"text"/html', "text//html", "html"),
        *("text/plain, text/html", "text/plain;text/html", "text/plain(text/html)"),
        *("text/plain\nContent-Type: text/html", "text/plain; name=a.txt; name=a.htm"),
        "text/plain\nContent-Disposition: attachment; filename=a.html; filename*=utf-8''a.txt",
    ],
)
def test_what_some_programs_read_as_a_page_keeps_the_alias(type: str, alias: str) -> None:
    text = f'<img src="{PIXEL} {alias} ">\n'
    _, body = sent(text, alias, f"Content-Type: {type}\n")
    assert body == text
    part = f"--x\nContent-Type: {type}\n\n{text}--x--\n"
    _, body = sent(part, alias, "Content-Type: multipart/mixed; boundary=x\n")
    assert text in body


@pytest.mark.parametrize("type", ["partial; id=a; number=2; total=2", "external-body", "http"])
def test_no_piece_of_anything_shows_the_reader(type: str) -> None:
    """A mail program puts pieces together: this one may begin inside a tag."""
    for text in (
        f"<p>\n {B} >\n",
        f"Subject: {B}\nTo: {B}\n\n{B}\n",
        f"Content-Type: text/html\n\n{B}\n",
    ):
        _, body = sent(text, B, f"Content-Type: message/{type}\n")
        assert body == text


@pytest.mark.parametrize("source", ['<\0img src="x @ ">', "<scr\0ipt> @ </script>", "x\0 @"])
def test_a_page_with_nul_keeps_the_alias(source: str) -> None:
    """Hosts and programs that leave NUL out find other tags than those that do not."""
    text = filled(source, B) + "\n"
    _, body = sent(text, B, "Content-Type: text/html\n")
    assert body == text


def test_a_page_that_says_it_is_in_utf_7_keeps_the_alias() -> None:
    for charset in ("utf-7", "'x-UTF7'", "unicode-1-1-utf-7"):
        text = f"<meta charset={charset}>+ADw-img src=+ACI-x {B} +ACI-+AD4-\n"
        _, body = sent(text, B, "Content-Type: text/html\n")
        assert body == text


def test_a_page_with_the_mark_of_another_charset_keeps_the_alias() -> None:
    """Read as its charset says, its first tag is none."""
    page = b"\xef\xbb\xbf" + f'<img src="{PIXEL} {B} ">'.encode("utf-16") + b"\n"
    fields = f"From: {CARRIER}\nContent-Type: text/html; charset=utf-16\n\n"
    assert mail(fields.encode() + page, KNOWN, to=B).sent().body[:].endswith(page)


@pytest.mark.parametrize(
    "link",
    [
        *("h.example#@", "h.example#e=@", "www2.h.example:8080#e=@", "b\u00fccher.example#@"),
        *("sip:@", "SIPS:@", "xmpp:@", "(skype:@)", "callto:@", "matrix:u=@", "facetime-audio:@"),
    ],
)
@pytest.mark.parametrize("alias", [B, soft(BUYER).upper()])
def test_links_without_slashes_keep_the_alias(link: str, alias: str) -> None:
    text = f"See {filled(link, alias)} now.\n"
    for type in ("text/plain", "text/html"):
        _, body = sent(text, alias, f"Content-Type: {type}; charset=utf-8\n")
        assert body == text


@pytest.mark.parametrize("text", ["Number#@", "#@", "Mail:@", "No.#@", "1.#@", "cc:@"])
def test_marks_before_an_address_make_no_link(text: str) -> None:
    _, body = sent(filled(text, B) + "\n", B)
    assert body == filled(text, BUYER) + "\n"


@pytest.mark.parametrize("alias", [B, soft(BUYER)])
@pytest.mark.parametrize(
    "line",
    [
        "ATTENDEE:https://h/?a=,mailto:@",
        'ATTENDEE:https://h/?a="mailto:@',
        'ATTENDEE:https://h/?a="mailto:@"',
        "ORGANIZER:h.example/,mailto:@",
        "ATTENDEE:mailto:x@y.example?cc=,mailto:@",
        'ATTENDEE;SENT-BY="https://h/,mailto:@":mailto:x@y.example',
        'ATTENDEE;MEMBER="mailto:x@y.example","https://h/,mailto:@":mailto:x@y.example',
        'ATTENDEE;MEMBER="https://h/"@:mailto:x@y.example',
    ],
)
def test_no_link_of_a_calendar_holds_the_address_behind_mailto(line: str, alias: str) -> None:
    line = line.replace("x@y.example", "x(at)y").replace("@", alias)
    event = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{line}\nEND:VEVENT\nEND:VCALENDAR\n"
    _, body = sent(event, alias, "Content-Type: text/calendar\n")
    assert body == event


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-le", "iso-2022-jp", "latin-1"])
def test_links_are_seen_in_decoded_form(encoding: str, charset: str) -> None:
    """A soft line break parts no link, and no charset hides one."""
    text = f"{'x' * 50} https://track.example/{'y' * 90}?e={B} for {B}\r\n"
    data = text.encode(charset)
    written = base64.encodebytes(data) if encoding == "base64" else quopri.encodestring(data)
    fields = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    raw = f"From: {CARRIER}\n{fields}\n".encode() + written
    left = mail(raw, KNOWN, to=B).sent().body
    data = base64.b64decode(left) if encoding == "base64" else quopri.decodestring(left)
    assert data.decode(charset) == text.replace(f"for {B}", f"for {BUYER}")


@pytest.mark.parametrize(
    ("delsp", "before", "after"),
    [
        ("yes", "see https://track.example/? \ne=@\n", None),
        ("yes", "> see https://track.example/? \n> e=@\n", None),
        ("yes", "see https://track.example/  \n@\n", "see https://track.example/  \n#\n"),
        ("no", "see https://track.example/ \n@\n", "see https://track.example/ \n#\n"),
        ("yes", "your @\n", "your #\n"),
        ("no", "-- \n@\n", "-- \n#\n"),
    ],
)
def test_flowed_text_is_read_as_it_flows(delsp: str, before: str, after: str | None) -> None:
    fields = f"Content-Type: text/plain; format=flowed; delsp={delsp}\n"
    assert sent(filled(before, B), B, fields)[1] == shown(filled(after or before, B))


@pytest.mark.parametrize("delsp", ["yes", "no"])
def test_an_alias_that_a_soft_line_break_parts_is_one(delsp: str) -> None:
    fields = f"Content-Type: text/plain; format=flowed; delsp={delsp}\n"
    _, body = sent(f"for {B[:30]} \n{B[30:]}, and {B}\n", B, fields)
    assert body == f"for {BUYER}, and {BUYER}\n"
    link = f"https://track.example/?{B[:30]} \n{B[30:]}\n"
    assert sent(link, B, fields)[1] == link


REAL = f'<a href="{PIXEL}?e={BUYER}" title="{BUYER.upper()}">{BUYER}</a> {PIXEL}?e={BUYER}\n'


@pytest.mark.parametrize("type", ["text/plain", "text/html", "application/json"])
def test_the_real_address_stays_where_the_sender_wrote_it(type: str) -> None:
    text = (
        f"From: {SHOP}\nContent-Type: {type}\nX-To: {BUYER}\nList-Unsubscribe: <mailto:{BUYER}>\n"
    )
    row = own(f"{text}\n{REAL}", KNOWN, to=B)
    left = row.sent()
    assert left.body is row.message.body
    assert [h for h in row.message.headers if BUYER.encode() in h.value] == [
        h for h in left.headers if BUYER.encode() in h.value
    ]


def test_without_masked_bodies_text_stays_aliases_included() -> None:
    known = order(BUYER, SHOP, CARRIER, mask_body=False)
    for type in ("text/plain", "text/html"):
        text = f"From: {CARRIER}\nTo: {B}\nContent-Type: {type}\n\n<b>{B}</b> {B}\n"
        row = mail(text, known, to=B)
        left = row.sent()
        assert left.body is row.message.body
        assert left.first(b"to") == BUYER.encode()


def test_the_envelope_and_a_returning_message() -> None:
    left = mail(f"From: {CARRIER}\nTo: {B}\n\n{B}\n", KNOWN, to=B).sent()
    assert [each.raw for each in left.recipients] == [f"<{BUYER}>".encode()]
    done = own(f"From: {SHOP}\nTo: {BUYER}\n\n{PIXEL}?e={B} {B}\n", KNOWN).sent()
    assert done.body == f"{PIXEL}?e={B} {BUYER}\n".encode()


def test_a_large_page_is_one_page() -> None:
    """What a piece leaves open goes on in the next: tags, scripts, comments, links."""
    line = "<p>some words of a page</p>\n"
    filler = line * (700_000 // len(line))
    text = (
        f"<script>{filler}'@'</script><p>*</p>\n<!--{filler}@-->*\n{filler}<a\n"
        f" title='{filler}@'>*</a>\n<textarea>{filler}@</textarea>*\n{filler}<p>* {PIXEL}?@</p>\n"
    )
    body = sent(filled(text.replace("*", "@"), B), B, "Content-Type: text/html\n")[1]
    assert body == filled(text.replace("*", BUYER.replace("@", "\0")), B).replace("\0", "@")


def test_what_follows_a_tag_of_megabytes_is_no_text_for_sure() -> None:
    text = f"<p>{B}</p>\n<img src='data:{'x' * 900}\n" + f"{'x' * 900}\n" * 3000 + f"'>{B}\n"
    body = sent(text, B, "Content-Type: text/html\n")[1]
    assert body == text.replace(f"<p>{B}", f"<p>{BUYER}")


def test_a_large_text_is_one_text() -> None:
    line = "some words, of a text\n"
    filler = line * (1_500_000 // len(line))
    text = f"@\n{filler}@ {PIXEL}?e=@\n{filler}(@)\n"
    assert sent(filled(text, B), B)[1] == shown(
        filled(f"#\n{filler}# {PIXEL}?e=@\n{filler}(#)\n", B)
    )
    run = f"{PIXEL}?{'a=1,' * 300_000}"
    assert sent(f"{run}{B},{B}\n", B)[1] == f"{run}{B},{B}\n"


# Whatever comes

ME = "me@own.example"
UNMASKER = Unmasker([B, soft(BUYER)], ["b" * 32, f"{REF}b."], ME)
SIGNS = st.sampled_from(
    [
        B,
        soft(BUYER),
        "<",
        ">",
        "/",
        "=",
        '"',
        "'",
        " ",
        "\n",
        "&",
        "#64;",
        "a",
        "p",
        "!--",
        "-->",
        "title",
        "script",
        "style",
        "option",
        "</",
        "?",
        "href=",
        "://",
        "www.",
        "mailto:",
        "x",
        "]]>",
        "<![CDATA[",
        "</script>",
        "<title>",
        "<br>",
        "İ",
        "\u200b",
        "é",
        ".",
        "-",
    ]
)
SOURCES = st.lists(SIGNS, max_size=25).map("".join)


def neutral(source: str) -> str:
    """Write one sign for each alias and address."""
    for each in (soft(BUYER), B):
        source = source.replace(each, "*")
    return source


@given(SOURCES)
def test_only_whole_aliases_ever_change(source: str) -> None:
    """In running text and pages, and whatever else stands there."""
    for new in (UNMASKER(source), Page().show(source, UNMASKER)):
        assert len(new) <= len(source)
        # Each alias is one sign here, however it came about.
        assert neutral(new.replace(ME, "*")) == neutral(source)


@given(SOURCES)
def test_a_text_is_the_same_shown_twice(source: str) -> None:
    once = UNMASKER(source)
    assert UNMASKER(once) == once


@given(st.lists(SIGNS, max_size=12).map("".join), SOURCES)
def test_what_is_in_an_attribute_stays(value: str, rest: str) -> None:
    """However it is written, and whatever is around."""
    for quote in ('"', "'"):
        tag = f"<img src={quote}{value.replace(quote, '')}{quote}>"
        assert tag in Page().show(f"<p>Hello {tag} {rest}", UNMASKER)


HOSTILE = [
    *("<", "<a", "<a ", '<a "', "<a '", '<a ">', "<a =", "= ", "<!--", "<!---", "<![CDATA["),
    *("<script><!--", "<textarea>", "<select><option>", "<title>", "&", "&#", "&#64;", "%4", "&a"),
    *(B, f"{B} ", f"{B}?", f"{B}/", f"<b>{B}</b>", f"<p title='{B}'>{B}", f"{B[:20]} \n{B[20:]} "),
    *("?", "/", "://", "www.", "<http://a ", f"<http:// {B}", " \n", f" \n> {B}", "\n ", ";x-"),
    *("ATTENDEE;", f"ATTENDEE:mailto:{B}\n", 'ATTENDEE;X="', ';A="b"', ";email=a,", ";email="),
    *('"mailto:', " mailto:"),
]


@pytest.mark.parametrize("beginning", ["", "<p>", "ATTENDEE;", "https://"])
@pytest.mark.parametrize("shape", HOSTILE)
def test_reading_costs_time_in_proportion(shape: str, beginning: str) -> None:
    """Whatever is written again and again; by the masking's reader and by the final scan's."""

    def work(size: int) -> None:
        text = beginning + shape * (size // len(shape)) + B
        Page().show(text, UNMASKER)
        RunningText(flowed=True).show(text, UNMASKER)
        RunningText(flowed=True, delsp=True).show(text, UNMASKER)
        calendar.show_reader(text, UNMASKER)
        for kind in ("text/plain", "text/html", "text/calendar", "message/rfc822"):
            hidden_text.extract(kind, text, "john")

    linear(work, 40_000)


def test_the_eyes_of_the_record_see_nothing() -> None:
    assert View(KNOWN, None).unmasker is None
    assert DOMAIN in B


# The final scan


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the masking show the reader everywhere, as it once did."""

    def everywhere(self: Unmasker, text: str) -> str:
        for alias in (B, soft(BUYER), B.replace("@", "%40")):
            text = text.replace(alias, self.own)
        return text

    def value_masked(name: bytes, value: bytes, mask: View, **how: bool) -> bytes:
        new = part_header_value(name, value, mask, **how)
        return new.replace(B.encode(), BUYER.encode()) if mask.unmasker else new

    part_header_value = part_header.mask_value
    monkeypatch.setattr(Unmasker, "__call__", everywhere)
    monkeypatch.setattr(RunningText, "show", lambda _, text, unmasker: everywhere(unmasker, text))
    monkeypatch.setattr(Page, "show", lambda _, text, unmasker: everywhere(unmasker, text))
    monkeypatch.setattr(calendar, "show_reader", lambda text, unmasker: everywhere(unmasker, text))
    monkeypatch.setattr(part_header, "mask_value", value_masked)


OTHERS = ("@.org @-b.org", "bounce-@", "x@ 0@")
"""What is no alias, and in no link."""
SIMPLY_READ = (
    "<option><table>",
    "<script><!--<script>",
    "<svg>",
    "<noscript><plaintext>",
    "<noscript><select>",
)
"""How markup begins that the scan reads as most of it is meant."""
SABOTAGED = [
    *(
        ("text/plain", before)
        for before, after in RUNNING
        if after is None and before not in OTHERS
    ),
    *(
        ("text/html", before)
        for before, after in PAGES
        if (after is None or "@" in after) and not before.startswith(SIMPLY_READ)
    ),
    *(
        ("text/calendar", before)
        for before, after in CALENDAR
        if after is None and "l@" not in before
    ),
]


@pytest.mark.usefixtures("sabotage")
@pytest.mark.parametrize(("type", "before"), SABOTAGED)
def test_the_scan_puts_the_alias_back(type: str, before: str) -> None:
    """Whatever the masking did; the message leaves, in which the reader is in To all the same."""
    content = filled(before, B) + "\n"
    head, body = sent(content, B, f"To: {B}\nContent-Type: {type}; charset=utf-8\n")
    assert body == content
    assert f"To: {BUYER}\n" in head


@pytest.mark.usefixtures("sabotage")
@pytest.mark.parametrize(
    "field",
    [f"{name}: {before}" for name, before, after in HEADERS if after is None]
    + [f"Subject: {PIXEL}?e=@", f"Comments: {PIXEL}?e=@"],
)
def test_the_scan_puts_the_alias_back_in_a_field(field: str) -> None:
    field = filled(field, B)
    left = own(f"From: {SHOP}\nTo: {B}\n{field}\n\n", KNOWN, to=B).sent()
    assert field in [f"{h.name.decode()}: {h.value.decode()}" for h in left.headers]
    assert left.first(b"to") == BUYER.encode()


@pytest.mark.usefixtures("sabotage")
def test_the_scan_leaves_what_is_read() -> None:
    text = f"<p>{B}</p><!-- x -->\n"
    head, body = sent(text, B, f"To: {B}\nSubject: for {B}\nContent-Type: text/html\n")
    assert body == text.replace(B, BUYER)
    assert f"To: {BUYER}\nSubject: for {BUYER}\n" in head


@pytest.mark.usefixtures("sabotage")
@pytest.mark.parametrize("type", ["text/plain", "text/html", "application/json"])
def test_the_scan_knows_what_the_sender_wrote(type: str) -> None:
    """The reader's real address in a link is no reason to take the alias back elsewhere."""
    text = f"<a href='{PIXEL}?e={BUYER}'>x</a> {PIXEL}?e={BUYER} {B}\n"
    _, body = sent(text, B, f"Content-Type: {type}\n")
    assert body == (text.replace(B, BUYER) if type != "application/json" else text)


@pytest.mark.parametrize(
    ("address", "before", "after"),
    [
        (BUYER, "日本 @ へ", None),
        (BUYER, "=?utf-8?b?{word}?=", None),
        ("jörg@doe.example", "To @", None),
        ("jörg@doe.example", "To @", "Comments: ftp://#/x"),
        ("jörg@doe.example", "To @", "Subject: ftp://#/x"),
        ("jörg@doe.example", "=?utf-8?b?{word}?= and @", None),
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_an_address_in_a_word_in_base64_is_read(
    address: str, before: str, after: str | None, inner: bool
) -> None:
    """An encoded word is no token, in whatever fields it stands beside (RFC 2047)."""
    people = order(person(address, "partner", "d" * 32), BUYER, SHOP)
    people = KNOWN if address == BUYER else people
    alias = B if address == BUYER else f"{'d' * 32}@{DOMAIN}"
    word = base64.b64encode(f"To {alias}".encode()).decode()
    before = before.replace("{word}", word)
    beside = (after or "Comments: grüßt").replace("#", address)
    fields = f"Subject: {filled(before, alias)}\n{beside}\n"
    head = f"From: {SHOP}\n"
    raw = f"{head}Content-Type: message/rfc822\n\n{head}{fields}\n" if inner else head + fields
    copy = mail(f"{raw}\n", people, to=alias, split=True).sent()
    whole = copy.body if inner else b"".join(b"%s: %s\n" % (h.name, h.value) for h in copy.headers)
    shown = decode_words(bytes(whole))
    assert alias not in shown
    wanted = filled(before, address).replace(f"=?utf-8?b?{word}?=", f"To {address}")
    assert wanted in " ".join(shown.split())


@pytest.mark.parametrize(
    ("field", "times"),
    [
        ("Subject: =?utf-8?b?{of}?=", 0),
        ("Subject: =?utf-8?b?{of}?=\n =?utf-8?b?{of}?=", 0),
        ("Subject: {of}", 1),
        ("Subject: {of} =?utf-8?b?{of}?=", 1),
        ("Subject: =?utf-8?q?{of}?=", 1),
        ("Subject: =?utf-8?b?{link}?=", 1),
        ("X-Track: =?utf-8?b?{of}?=", 1),
        ("List-Id: =?utf-8?b?{of}?= <x.example>", 1),
    ],
)
def test_the_scan_counts_what_stands_in_tokens_and_not_in_words(field: str, times: int) -> None:
    """The reader's own address in base64, beside a field that is not ASCII."""
    of = base64.b64encode(f"of {BUYER}".encode()).decode()
    link = base64.b64encode(f"{PIXEL}?e={BUYER}".encode()).decode()
    name, _, value = field.format(of=of, link=link).partition(": ")
    fields = [Header(name.encode(), value.encode()), Header(b"Comments", "grüßt".encode())]
    found = Scanner({BUYER: "b" * 32, SHOP: "5" * 32}).look(fields, b"", "b" * 32)
    assert not found.hits
    assert bool(found.unread) == bool(times)
    assert set(found.unread) <= {f"header {name}"}


def test_a_link_to_the_readers_own_message_gets_no_address() -> None:
    """Their identifier is theirs again in header fields, for the thread; a link holds ours."""
    ours, original = f"<m-1@{DOMAIN}>", f"<n1-{BUYER}@far.example>"
    known = {ours: MappedId(ours, original, "b" * 32)}
    view = View(KNOWN, KNOWN.participants[0], known)
    assert view(f"<a href='mid:m-1@{DOMAIN}'>") == f"<a href='mid:m-1@{DOMAIN}'>"
    assert view.identifiers(ours.encode()) == original.encode()
    text = f"From: {CARRIER}\nIn-Reply-To: {ours}\nX-See: {ours}\n\nmid:m-1@{DOMAIN}\n"
    row = mail(text, KNOWN, to=B)
    done = plan(row.message, row.conversations, lambda: "1" * 32, known=known)
    left = applied(row.message, done)
    assert left.first(b"in-reply-to") == original.encode()
    assert left.body == row.message.body


TAGS = [
    "<p>", "</p>", "<br/>", '<td class="x" width=100>', "<b>", "</b>", "<a href='mailto:@'>",
    "</a>",
    "<html><head><meta charset=utf-8></head><body>", "<style>", "</style>", "<title>", "</title>",
    "<!-- ", " -->", "<p title='<'>", '<p title="', "<P>", "<svg>", "<option>", "<select>",
    '<p a=b"c>', "<1>", "<p", "<tdx>", "<p x='a'y>",
]  # fmt: skip
SHOWN = [B, B.upper(), "mailto:", " ", "\n", "&nbsp;", "&lt;", ">", "Hello", ".", "&#64;"]
PAGES = st.lists(st.sampled_from(TAGS[:8] * 3 + TAGS + SHOWN * 3), max_size=24)


@given(st.lists(PAGES.map("".join), min_size=1, max_size=3))
def test_plain_tags_are_read_as_all_others_are(pieces: list[str]) -> None:
    """What most pages are made of is read in one way; that changes nothing of what is shown."""

    def show() -> list[object]:
        page = Page()
        return [[page.show(piece, UNMASKER) for piece in pieces], page.__dict__["_begun"]]

    with pytest.MonkeyPatch.context() as patch:
        found = show()
        patch.setattr(html_nodes, "_read_plain", lambda source, start, end: None)
        assert found == show()


def test_a_page_of_plain_tags_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    reading = html_nodes._StrictReading
    real = reading.iter_texts
    monkeypatch.setattr(
        reading, "iter_texts", lambda self, text: read.append(text) or real(self, text)
    )
    head = "<html><head><style>p { color: red }</style><title>x</title></head>"
    row = f'<tr><td class="x">to</td><td><a href="https://x.example/">{B}</a><br></td></tr>\r\n'
    page = f"{head}<body><table>{row * 99}</table></body></html>"
    new = Page().show(page, UNMASKER)
    assert (new.count(ME), new.count(B)) == (99, 0)
    assert read == [head, head]
