"""Clear-signed text that had to be masked loses its signature, with a note; any other keeps it."""

import base64
import quopri
import re
import subprocess
from pathlib import Path

import pytest
from builders import BUYER, CARRIER, SHOP, A, B, mail, order
from invitations import TALK, done, letter

from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.part import clear_signed
from conversation_tracker.core.masking.part.clear_signed import NOTE

CODE = "iQEzBAEBCAAdFiEE\nAbCdEfGh0123456789+/AbCdEfGh0123456789+/AbCdEfGh0123456789+/AbCd\n=aBcD"


def signed(text: str, head: str = "Hash: SHA256\n", fields: str = "", code: str = CODE) -> str:
    """Write a text between armour lines, with a signature of nobody's."""
    return (
        f"-----BEGIN PGP SIGNED MESSAGE-----\n{head}\n{text}\n"
        f"-----BEGIN PGP SIGNATURE-----\n{fields}\n{code}\n-----END PGP SIGNATURE-----\n"
    )


def copy(body: str, *fields: str) -> str:
    """Return the body that the buyer gets of a carrier's, without its encoding."""
    _, sent = done(letter(body, *(fields or ("Content-Type: text/plain; charset=utf-8",))))
    return sent.body[:].decode()


def quote(text: str, sign: str = "> ") -> str:
    """Quote all lines of a text."""
    return "".join(f"{sign}{line}".rstrip(" ") + "\n" for line in text.splitlines())


def test_a_masked_text_loses_its_signature_with_a_note_in_the_timeline() -> None:
    found, sent = done(
        letter(f"Hi,\n\n{signed(f'I am {CARRIER}')}\nBye\n", "Content-Type: text/plain")
    )
    assert sent.body[:].decode() == f"Hi,\n\nI am {A}\n{NOTE}\n\nBye\n"
    [record] = found.records
    assert record.notes == ("1 text/plain signature",)
    assert NOTE.encode() in record.raw[:]
    assert b"BEGIN PGP" not in record.raw[:]


@pytest.mark.parametrize(
    "body",
    [
        signed("Nobody is named here."),
        f"By {CARRIER}:\n\n{signed('Nobody.')}",
        signed("Nobody.", fields=f"Comment: from {CARRIER}\nVersion: 2\n"),
        signed(f"Who wrote {BUYER}"),
        signed("- - dashed"),
    ],
)
def test_one_that_stays_as_it_was_keeps_it(body: str) -> None:
    found, sent = done(letter(body, "Content-Type: text/plain"))
    assert CARRIER not in sent.body[:].decode()
    text, shown = clear_signed.find(body), clear_signed.find(sent.body[:].decode())
    assert len(text) == len(shown) == 1
    assert body[text[0].text : text[0].end] == sent.body[:].decode()[shown[0].text : shown[0].end]
    assert NOTE not in sent.body[:].decode()
    # The record masks the buyer as well.
    assert (found.records[0].notes != ()) is (BUYER in body)


def test_of_several_those_that_changed_lose_theirs() -> None:
    one, two = signed(f"I am {CARRIER}"), signed("And I am not.")
    assert copy(one + "\n" + two + one) == f"I am {A}\n{NOTE}\n\n{two}I am {A}\n{NOTE}\n"


@pytest.mark.parametrize(
    ("head", "end"),
    [
        ("Hash: SHA256\n", ""),
        ("", ""),
        ("Hash: SHA1, SHA512\nHash: MD5\n", ""),
        ("Charset: utf-8\nHash: SHA256\n", ""),
        ("NotDashEscaped: You need GnuPG to verify this message\n", ""),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("sign", ["", "> ", ">", "> > ", "| ", "  "])
def test_the_lines_around_go_in_quoted_text_too(
    head: str, end: str, line_end: str, sign: str
) -> None:
    text = signed(f"First\n\n- -- \n- - {CARRIER}\n- From me\n- item\nHash: no", head)
    shown = f"First\n\n-- \n- {A}\nFrom me\n- item\nHash: no\n{NOTE}\n"
    body, expected = quote(text, sign), quote(shown, sign)
    sent = copy(body.replace("\n", line_end))
    assert sent.replace("\r\n", "\n").split() == expected.split()
    assert [line.rstrip() for line in sent.splitlines()] == [
        line.rstrip() for line in expected.splitlines()
    ]


@pytest.mark.parametrize(
    "page",
    [
        "<pre>{}</pre>",
        "<p>Hi</p><pre>\n{}</pre>",
        "<div dir=ltr>{}</div>",
        "<html><body><blockquote>{}</blockquote></body></html>",
    ],
)
@pytest.mark.parametrize(
    "broken", ["\n", "<br>\n", "<br/>", "</div><div>", "</p>\r\n<p>", "&nbsp;<br>"]
)
def test_in_html(page: str, broken: str) -> None:
    text = signed(f"I am {CARRIER}\n- - one\n- item", "Hash: SHA256\n").strip("\n")
    sent = copy(page.format(text.replace("\n", broken)), "Content-Type: text/html")
    words = re.sub("<[^<>]*>|&nbsp;", " ", sent).split()
    assert " ".join(words).removeprefix("Hi ") == f"I am {A} - one - item {NOTE}"
    kept = copy(
        page.format(text.replace(CARRIER, "me").replace("\n", broken)), "Content-Type: text/html"
    )
    assert NOTE not in kept
    assert "BEGIN PGP SIGNATURE" in kept


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        ("-----END PGP SIGNATURE-----\n", ""),
        ("=aBcD\n-----END PGP SIGNATURE-----\n", ""),
    ],
)
def test_a_signature_that_is_cut_off_goes_as_far_as_it_goes(cut: str, left: str) -> None:
    text = signed(f"I am {CARRIER}", code=CODE.partition("\n")[2]).replace(cut, left)
    assert copy(f"{text}\nThanks\nJane") == f"I am {A}\n{NOTE}\n\nThanks\nJane"


def test_a_text_without_a_signature_stays_but_for_the_address() -> None:
    text = signed(f"I am {CARRIER}").partition("-----BEGIN PGP SIGNATURE")[0]
    assert copy(text) == text.replace(CARRIER, A)
    later = signed(f"I am {CARRIER}")
    assert copy(text + later) == text.replace(CARRIER, A) + f"I am {A}\n{NOTE}\n"


def test_one_inside_another() -> None:
    """RFC 9580 section 7.1: the dashes of the inner lines are escaped."""
    inner = signed("Nobody").replace("-----BEGIN", "- -----BEGIN").replace("-----END", "- -----END")
    assert copy(signed(f"{inner}I am {CARRIER}")) == f"{signed('Nobody')}I am {A}\n{NOTE}\n"
    named = inner.replace("Nobody", f"- - - {CARRIER}")
    assert copy(signed(f"{named}Bye")) == f"- {A}\n{NOTE}\nBye\n{NOTE}\n"


@pytest.mark.parametrize("way", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize(
    "type",
    [
        "text/plain; charset=iso-8859-1",
        "text/plain; charset=utf-16",
        "text/plain; charset=utf-7",
        "text/plain; format=flowed; delsp=yes",
        "text/plain",
        "text/x-pgp; charset=utf-8",
        "application/pgp; format=text; x-action=sign",
        "application/octet-stream; name=letter.asc",
        "application/octet-stream; name=letter.txt",
        "text/markdown",
    ],
)
def test_whatever_it_is_written_in(way: str, type: str) -> None:
    label = re.search("charset=([a-z0-9-]+)", type)
    charset = label[1] if label else "utf-8"
    way = "base64" if charset == "utf-16" else way
    data = signed(f"Größe: {CARRIER}").encode(charset)
    if way == "base64":
        data = base64.encodebytes(data)
    elif way == "quoted-printable":
        data = quopri.encodestring(data)
    found, sent = done(letter(data, f"Content-Type: {type}", f"Content-Transfer-Encoding: {way}"))
    content = sent.body[:]
    if way == "base64":
        content = base64.b64decode(content)
    elif way == "quoted-printable":
        content = quopri.decodestring(content)
    text = content.decode(charset)
    assert text.removeprefix("\ufeff") == f"Größe: {A}\n{NOTE}\n"
    assert found.records[0].notes == (f"1 {type.partition(';')[0]} signature",)


def test_in_parts_and_messages_inside() -> None:
    text = signed(f"I am {CARRIER}")
    body = (
        f"--x\nContent-Type: text/plain\n\n{text}\n"
        f"--x\nContent-Type: message/rfc822\n\nSubject: x\n\n{text}\n--x--\n"
    )
    found, sent = done(
        letter(body, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=x")
    )
    assert sent.body[:].decode() == body.replace(text, f"I am {A}\n{NOTE}\n")
    assert found.records[0].notes == ("1 text/plain signature", "2 text/plain signature")


def test_a_signature_that_names_its_maker_goes_with_the_lines_around() -> None:
    """RFC 9580 section 5.2.3.30: the signer's user ID."""
    code = base64.encodebytes(b"\x88\x75\x04\x01" + CARRIER.encode() + b"\0" * 40).decode().strip()
    assert copy(signed("Nobody", code=code)) == f"Nobody\n{NOTE}\n"


def test_where_the_text_stays_so_does_the_signature() -> None:
    text = signed(f"I am {CARRIER}")
    talk = order(BUYER, SHOP, CARRIER, mask_body=False)
    found, sent = done(letter(text, "Content-Type: text/plain"), conversation=talk)
    assert sent.body[:].decode() == text
    assert NOTE.encode() in found.records[0].raw[:]


def test_the_readers_own_address_breaks_a_signature_too() -> None:
    assert copy(signed(f"You are {B}")) == f"You are {BUYER}\n{NOTE}\n"


@pytest.mark.parametrize(
    "body",
    [
        f"{CARRIER}\n-----BEGIN PGP MESSAGE-----\n\n{CODE}\n-----END PGP MESSAGE-----\n",
        f"{CARRIER}\n-----BEGIN PGP SIGNATURE-----\n\n{CODE}\n-----END PGP SIGNATURE-----\n",
        f"{CARRIER}\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{CODE}\n-----END PGP PUBLIC KEY BLOCK"
        "-----\n",
        f"{CARRIER} -----BEGIN PGP SIGNED MESSAGE-----",
        f"{CARRIER} -----END PGP SIGNATURE----- -----BEGIN PGP SIGNED MESSAGE-----",
    ],
)
def test_other_armour_is_left(body: str) -> None:
    assert copy(body) == body.replace(CARRIER, A)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("before", [0, LARGE - 300, LARGE - 200, LARGE - 100, LARGE])
def test_a_large_one(way: str, before: int) -> None:
    """Where a window ends, no half of a signature stays."""
    filler = "Nothing is said here, at length.\n" * 32_000
    text = f"{'x' * 32}\n" * (before // 33) + signed(f"I am {CARRIER}") + filler
    if before == 0:
        text = signed(f"{filler}{CARRIER}\n{filler}")
    data = text.encode()
    if way == "base64":
        data = base64.encodebytes(data)
    elif way == "quoted-printable":
        data = quopri.encodestring(data)
    found, sent = done(
        letter(data, "Content-Type: text/plain", f"Content-Transfer-Encoding: {way}")
    )
    content = sent.body[:]
    if way == "base64":
        content = base64.b64decode(content)
    elif way == "quoted-printable":
        content = quopri.decodestring(content)
    shown = content.decode()
    assert "-----" not in shown
    assert "iQEz" not in shown
    assert shown.count(NOTE) == 1
    assert found.records[0].notes == ("1 text/plain signature",)


def test_gpg_has_nothing_to_complain_of(tmp_path: Path) -> None:
    """What a real program signed reads on without its signature; what stayed verifies."""
    home = tmp_path / "keys"
    home.mkdir(mode=0o700)

    def run(*command: str, data: str = "") -> str:
        asked = ["gpg", "--homedir", str(home), "--batch", "--passphrase", "", *command]
        return subprocess.run(asked, input=data, capture_output=True, text=True, check=True).stdout

    run("--quick-gen-key", "Nobody <nobody@neutral.example>", "ed25519", "sign")
    text = "Dear all,\n-- \nFrom me\n- one\n"
    one = run("--clear-sign", data=text)
    two = run("--clear-sign", data=f"{text}{CARRIER}\n")
    sent = copy(f"{one}\n{two}")
    kept, end, rest = sent.partition("-----END PGP SIGNATURE-----\n")
    run("--verify", data=kept + end)
    assert rest == f"\n{text}{A}\n{NOTE}\n"


def test_hostile_texts_take_bounded_time() -> None:
    from cost import within

    begin, code = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"
    end = "-----END PGP SIGNATURE-----"
    for text in (
        begin * 20_000,
        f"{begin}\n" * 20_000 + f"{code}\n{end}\n" * 20_000,
        f"{begin}{code}{end}" * 10_000,
        begin + "\nHash: x" * 50_000,
        begin + " <br>" * 100_000,
        f"{begin}\n\n" + "- - x\n" * 100_000 + code + "a" * 100_000,
        (begin + ">" * 300) * 2_000,
        f"{begin}{code}" + "<" * 500_000,
    ):
        row = mail(
            letter(f"{CARRIER}\n{text}", "Content-Type: text/plain"), TALK, to=B, sender=CARRIER
        )
        within(20, row.plan)


@pytest.mark.parametrize(
    "line",
    [
        "Abcd: -----BEGIN PGP SIGNATURE-----\n",
        "Abcd: -----BEGIN PGP SIGNATURE-----\nAbcd: -----END PGP SIGNATURE-----\n",
        "Hash: -----BEGIN PGP SIGNED MESSAGE-----\n",
        "<-----BEGIN PGP SIGNATURE----->",
        "<-----BEGIN PGP SIGNED MESSAGE----->",
    ],
)
def test_armour_lines_in_what_stands_behind_others_cost_their_length(line: str) -> None:
    from cost import within

    within(3, lambda: clear_signed.find(line * (400_000 // len(line))))
