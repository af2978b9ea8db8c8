"""Addresses in links of version 3 of URL Defense, however they are written in the link itself.

What such a link takes out stands in base64 behind it. Another gateway may have escaped the whole,
or the same once more. And tags whose brackets are escaped, as where a page is shown as text.
"""

import base64
import re
from urllib.parse import quote

import pytest
from builders import A, mail
from cost import linear
from spellings import ALIAS, BODIES, FIELDS, JOHN, PEOPLE

from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

_TAKEN_OUT = re.compile(r"[^\w:/.?=~&#-]")


def third(link: str) -> str:
    """Write a link as version 3 does."""
    gone = "".join(_TAKEN_OUT.findall(link))
    code = base64.urlsafe_b64encode(gone.encode()).decode().rstrip("=")
    return f"https://urldefense.com/v3/__{_TAKEN_OUT.sub('*', link)}__;{code}!!Ab!x$"


def safe(link: str, kept: str = "") -> str:
    """Write a link as Safe Links does."""
    escaped = quote(link, safe=kept)
    return f"https://x.safelinks.protection.outlook.com/?url={escaped}&data=05"


def link(address: str) -> str:
    """Write a link with an address in it."""
    return f"https://c.example/t?e={address}&x=1"


SPELLINGS = {
    "dots": third(link("john.doe@home..example")),
    "dots at the end": third("https://c.example/u/john.doe@home...example"),
    "blank": third(link("john.doe%E3%80%80@home.example")),
    "no width": third(link("john.doe@ho%E2%81%A0me.example")),
    "words": third("https://c.example/u/john.doe_at_home.example"),
    "escaped again": safe(third(link(JOHN))),
    "escaped again, some": safe(third(link(JOHN)), "!*_:$"),
    "escaped twice": safe(safe(third(link(JOHN)))),
    "in itself": third("https://c.example/?u=" + quote(third(link(JOHN)), safe="*_!")),
    "in itself, escaped": third(safe(third(link(quote(JOHN))))),
    "percent": safe(third(link("john.doe%40home.example"))),
    "a tag": "john.doe@home.exa&lt;b&gt;mple",
    "a tag in an attribute": '<img alt="john.doe@home.exa&lt;font color=&quot;red&quot;&gt;mple">',
    "a tag in srcdoc": '<iframe srcdoc="john.doe@ho&lt;wbr&gt;me.example"></iframe>',
    "a tag, escaped twice": '<iframe srcdoc="jo&amp;lt;i&amp;gt;hn.doe@home.example"></iframe>',
}
PLACES = {
    **{n: BODIES[n] for n in ("plain", "html", "html, quoted-printable", "json", "flowed")},
    **{n: FIELDS[n] for n in ("Subject", "a description")},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SPELLINGS)
def test_it_is_masked(name: str, place: str) -> None:
    raw = PLACES[place](SPELLINGS[name])
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    for left in (render(copy.headers, copy.body), bytes(done.records[0].raw)):
        assert ALIAS[:32].encode() in left.replace(b"=\n", b"").replace(b"=\r\n", b"")
        assert SPELLINGS[name].encode() not in left
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw.partition(b"\n")[2]))


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_link_of_somebody_else_stays(name: str) -> None:
    text = SPELLINGS[name].replace("john", "joan").replace("jo&amp", "jane&amp")
    raw = f"From: {JOHN}\nContent-Type: text/html\n\nsee {text} now\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
    assert sent.body == f"see {text} now\n".encode()


def test_what_was_escaped_by_another_gateway_is_so_again() -> None:
    raw = f"From: {JOHN}\n\nsee {safe(third(link(JOHN)))} now\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
    assert sent.body == f"see {safe(third(link(ALIAS)))} now\n".encode()


@pytest.mark.parametrize(
    "run",
    [
        *("https%3A%2F%2Furldefense.com%2Fv3%2F__", "urldefense%2fv3%2f__x__%3BQA", "%2fv3%2f__"),
        *("urldefense.com/v3/__urldefense%2fv3%2f__", "&lt;b", "&lt;b&gt;", "%3cb", "&amp;", "%25"),
        *(safe(third(link(JOHN))) + " ", third(third(link(JOHN)))),
        "j&lt;b&gt;ohn.doe@home.example ",
    ],
)  # fmt: skip
def test_links_in_links_are_read_in_linear_time(run: str) -> None:
    def plan(size: int) -> None:
        text = f"john.doe@home.exa&lt;b&gt;mple {run * (size // len(run))}"
        raw = f"From: {JOHN}\n\nx urldefense {text}\n".encode()
        assert mail(raw, PEOPLE, to=A, sender=JOHN).plan().reply is None

    linear(plan, 16_000)
