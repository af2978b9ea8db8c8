"""Verdicts: what verifiers write is understood, and what a sender writes never passes for it.

The lines are of the forms in which OpenDKIM 2.11, OpenDMARC 1.4, rspamd 3, authentication_milter 3
and policyd-spf 3 write them; the forged ones hold what a sender may put in their way.
"""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.message import Arrival, Header, Message
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.syntax.results import parse_results
from conversation_tracker.core.syntax.signature import is_plain

ID = "mx.example.com"
AT = "victim.example"
AUTHOR = f"ann@{AT}"
PLAIN = "v=1; a=rsa-sha256; c=relaxed/simple; d=victim.example; s=2026; i=@victim.example; b=AbC+/="


def written(
    *lines: str,
    author: str = AUTHOR,
    sender: str | None = "bounce@esp.example",
    helo: str = "out.esp.example",
    signatures: tuple[str, ...] = (),
    name: str = "Authentication-Results",
) -> Message:
    """Make a message from outside with these results, signatures and envelope."""
    headers = [Header(name.encode(), line.encode("utf-8", "surrogateescape")) for line in lines]
    headers += [Header(b"DKIM-Signature", each.encode("utf-8")) for each in signatures]
    headers.append(Header(b"From", author.encode("utf-8")))
    return Message(
        Address.parse(sender) if sender else None,
        (),
        tuple(headers),
        b"",
        Arrival(helo=helo),
        null=sender == "",
    )


RIGHT = {
    "opendkim": f"{ID};\n\tdkim=pass (2048-bit key) header.d=victim.example"
    ' header.i=@victim.example header.b="AbC+/12="',
    "opendkim, dnssec": f"{ID};\n\tdkim=pass (2048-bit key; secure) header.d=victim.example"
    ' header.i=ann@victim.example header.b="AbCdEf12";\n\tdkim-atps=neutral',
    "opendkim, two signatures": f"{ID};\n\tdkim=fail reason=\"signature verification failed\""
    ' (1024-bit key) header.d=esp.example header.i=@esp.example header.b="x";\n\tdkim=pass'
    ' (2048-bit key) header.d=victim.example header.i=@victim.example header.b="y"',
    "opendkim, of a subdomain": f"{ID};\n\tdkim=pass (2048-bit key)"
    ' header.d=mail.victim.example header.i=@a.mail.victim.example header.b="AbCdEf12"',
    "opendmarc": f"{ID}; dmarc=pass (p=reject dis=none) header.from=victim.example",
    "opendmarc's own spf": f"{ID}; spf=pass smtp.mailfrom=bounce@victim.example",
    "opendmarc's own spf, domain": f"{ID}; spf=pass smtp.mailfrom=victim.example",
    "rspamd": f"{ID};\n\tdkim=pass header.d=victim.example header.s=2026 header.b=AbC/+d12;"
    "\n\tdmarc=pass (policy=reject) header.from=victim.example;"
    f"\n\tspf=pass ({ID}: domain of bounce@esp.example designates 192.0.2.1 as permitted sender)"
    " smtp.mailfrom=bounce@esp.example",
    "rspamd, a sender per recipient": f'{ID};\n\tarc=pass ("esp.example:s=arc:i=1");'
    "\n\tspf=pass smtp.mailfrom=bounce+ann=doe.example@esp.example;"
    "\n\tdkim=pass header.d=victim.example",
    "rspamd, no envelope sender": f"{ID};\n\tspf=pass smtp.helo=out.victim.example;"
    "\n\tdkim=pass header.d=victim.example",
    "rspamd, with what failed": f"{ID};\n\tdmarc=fail reason=\"SPF not aligned (relaxed), No valid"
    ' DKIM" header.from=victim.example (policy=none);\n\tspf=pass smtp.mailfrom=a@victim.example',
    "authentication_milter": f"{ID};\n  arc=none (no signatures found);\n  dkim=pass (2048-bit rsa"
    " key sha256) header.d=victim.example header.i=@victim.example header.b=AbCdEf12"
    " header.a=rsa-sha256 header.s=2026 x-bits=2048;\n  dmarc=pass policy.published-domain-policy="
    "reject\n  policy.applied-disposition=none (p=reject,d=none) header.from=victim.example;\n "
    " iprev=pass smtp.remote-ip=2001:db8::1 (out.esp.example);\n  spf=none"
    " smtp.mailfrom=bounce@esp.example smtp.helo=out.esp.example;",
    "policyd-spf": f"{ID}; spf=pass (sender SPF authorized) smtp.mailfrom=victim.example"
    " (client-ip=192.0.2.1; helo=out.esp.example; envelope-from=a@victim.example;"
    " receiver=<UNKNOWN>)",
    "version": f"{ID} 1; dmarc=pass header.from=victim.example",
    "letter case": f"{ID.upper()}; DMARC=Pass Header.From=Victim.Example.",
    "quoted": f'"{ID}"; dkim=pass header.d="victim.example"',
    "comments": f'{ID} (one (of "many" \\) ( \\" );)); dmarc=pass (p) header.from=victim.example',
    "folded": f"\n\t{ID};\n\t\n dmarc=pass\n\theader.from=victim.example\n",
}  # fmt: skip


@pytest.mark.parametrize("line", RIGHT.values(), ids=RIGHT)
def test_what_verifiers_write_is_understood(line: str) -> None:
    assert find_verdict(written(line, signatures=(PLAIN,)), ID) == "verified"


def test_several_verifiers_add_a_field_each() -> None:
    lines = (
        f"{ID}; spf=fail smtp.mailfrom=esp.example",
        f"{ID}; dmarc=pass (p=none dis=none) header.from=victim.example",
        f"{ID};\n\tdkim=none",
    )
    assert find_verdict(written(*lines), ID) == "verified"
    assert find_verdict(written(*reversed(lines)), ID) == "verified"
    assert find_verdict(written(*lines[::2]), ID) == "failed"


GOOD = "dkim=pass header.d=victim.example"
FORGED = {
    "another verifier's": f"mx.example.org; {GOOD}",
    "below our name": f"evil.{ID}; {GOOD}",
    "our name and a job": f"{ID}/4ABC; {GOOD}",
    "our name in a comment": f"({ID}) mx.evil.example; {GOOD}",
    "behind a comment": f"(x) {ID}; {GOOD}",
    "our name with an escape": f'"mx\\.example.com"; {GOOD}',
    "our name with a comment inside": f"mx.(x)example.com; {GOOD}",
    "our name with a comment behind": f"{ID}(x); {GOOD}",
    "another version": f"{ID} 2; {GOOD}",
    "no results": f"{ID}; none",
    "none, and one": f"{ID}; none; {GOOD}",
    "only our name": ID,
    "empty": "",
    "failed": f"{ID}; dkim=fail header.d=victim.example",
    "in a comment": f"{ID}; dkim=none (; {GOOD} )",
    "in a nested comment": f"{ID}; dkim=none (( ) ; {GOOD} )",
    "in a comment with an escape": f"{ID}; dkim=none ( \\) ; {GOOD} )",
    "in a comment with a quotation mark": f'{ID}; dkim=none ( " ) " ; {GOOD} ")',
    "in a quoted reason": f'{ID}; dkim=fail reason="; {GOOD} "',
    "in a quoted reason with an escape": f'{ID}; dkim=fail reason="\\"; {GOOD} "',
    "in a quoted value": f'{ID}; spf=fail smtp.mailfrom="a; {GOOD} "@evil.example',
    "behind a comment never closed": f"{ID}; dkim=none (x; {GOOD}",
    "behind a comment never opened": f"{ID}; dkim=none x); {GOOD}",
    "behind a string never closed": f'{ID}; dkim=none reason="x; {GOOD}',
    "behind an escape": f"{ID}; dkim=none reason=\\(; {GOOD}",
    "behind half a result": f"{ID}; dkim=; {GOOD}",
    "behind a word": f"{ID}; dkim; {GOOD}",
    "behind nothing": f"{ID} {GOOD}",
    "a property twice": f"{ID}; {GOOD} header.d=evil.example",
    "a property twice, the other way": f"{ID}; dkim=pass header.d=evil.example"
    " Header.D=victim.example",
    "an identity elsewhere": f"{ID}; dkim=pass header.d=evil.example header.i=@victim.example",
    "an identity that ends alike": f"{ID}; dkim=pass header.d=evil.example"
    " header.i=@victim.example.notevil.example",
    "an identity above": f"{ID}; dkim=pass header.d=a.victim.example header.i=@victim.example",
    "a list": f"{ID}; dkim=pass header.d=evil.example,victim.example",
    "a quoted list": f'{ID}; dkim=pass header.d="evil.example victim.example"',
    "an address with two signs": f"{ID}; spf=pass smtp.mailfrom=a@evil.example@victim.example",
    "a quoted local part": f'{ID}; spf=pass smtp.mailfrom="@evil.example"@victim.example',
    "a property of another method": f"{ID}; dkim=pass smtp.mailfrom=victim.example"
    " header.from=victim.example",
    "another property": f"{ID}; spf=pass smtp.helo=victim.example",
    "another method": f"{ID}; x-dkim=pass header.d=victim.example",
    "a method's version": f"{ID}; dkim/1=pass header.d=victim.example",
    "a result that begins alike": f"{ID}; dkim=pass-not header.d=victim.example",
    "a result in two words": f"{ID}; dkim=fail pass header.d=victim.example",
    "a comment inside a word": f"{ID}; dkim=pa(x)ss header.d=victim.example",
    "a blank inside": f"{ID}; dkim = pass header . d = victim.example",
    "a control character": f"{ID}; dkim=none\x00; {GOOD}",
    "another line end": f"{ID}; dkim=none\r; {GOOD}",
    "a blank that is none": f"{ID}; dkim=pass header.d=evil.example\u00a0header.d=victim.example",
    "letters that look alike": f"{ID}; dkim=pass header.d=v\u0456ctim.example",
    "octets that are no text": f"{ID}; dkim=pass header.d=victim.example\udcff",
    "a top level domain": f"{ID}; dkim=pass header.d=example",
    "longer than anybody writes": f"{ID}; dkim=none ({'x' * 8200}); {GOOD}",
}  # fmt: skip


@pytest.mark.parametrize("line", FORGED.values(), ids=FORGED)
def test_what_is_not_a_verifiers_result_verifies_nobody(line: str) -> None:
    assert find_verdict(written(line, signatures=(PLAIN,)), ID) == "failed"


def test_what_is_added_for_arc_or_by_another_name_is_no_result() -> None:
    line = f"{ID}; {GOOD}"
    for name in ("ARC-Authentication-Results", "X-Authentication-Results", "Received-SPF"):
        assert find_verdict(written(f"i=1; {line}", line, name=name), ID) == "failed"


# What OpenDKIM 2.11 makes of each `i=`, `d=` or `s=`: the result of a signature nobody can verify.
SMUGGLED = f"{ID};\n\tdkim=fail reason=\"signature verification failed\" (1024-bit key)" \
    " header.d=evil.example header.i=x;dkim=pass header.d=victim.example" \
    " header.i=@evil.example"  # fmt: skip


@pytest.mark.parametrize(
    "signature",
    [
        "v=1; d=evil.example; s=x; i=x=3Bdkim=3Dpass=20header.d=3Dvictim.example@evil.example",
        "v=1; d=evil.example; s=x; i=x=3bdkim=3dpass=20header.d=3dvictim.example@evil.example",
        "v=1; d=evil.example; s=x; i=\n x=\n\t3Bdkim=3Dpass@evil.example",
        "v=1; d=evil.example; s=x; i = x=3Bspf=3Dpass@evil.example ; b=x",
        "v=1; d=evil.example=3Bdkim=3Dpass; s=x; i=@evil.example",
        "v=1; d=evil.example; s=x dkim=pass; i=@evil.example",
        "v=1; d=evil.example; s=x(; i=@evil.example",
        'v=1; d=evil.example; s=x"; i=@evil.example',
        "v=1; d=evil.example; s=x; I=x=3B@evil.example; i=@evil.example",
        "v=1; i=@evil.example; i=x=3B@evil.example; d=evil.example",
        "i=x=3B",
        "v=1;;d=evil.example; s=x;\n\ti=x=28@evil.example",
        "v=1; a=rsa-sha256=3Bdkim=3Dpass; d=evil.example; s=x",
        "v=1; d=b\u00fccher.example; s=x",
    ],
)
def test_a_signature_that_says_more_than_words_makes_results_worthless(signature: str) -> None:
    """Also what another verifier found: which of them repeated it, nobody knows."""
    assert not is_plain(signature.encode())
    for line in (SMUGGLED, f"{ID}; {GOOD}", f"{ID}; dmarc=pass header.from=victim.example",
                 f"{ID}; spf=pass smtp.mailfrom=victim.example"):  # fmt: skip
        assert find_verdict(written(line, signatures=(PLAIN, signature)), ID) == "failed"
        assert find_verdict(written(line, signatures=(signature, PLAIN)), ID) == "failed"


@pytest.mark.parametrize("name", ["ARC-Seal", "ARC-Message-Signature"])
def test_who_sealed_a_message_smuggles_no_result_in(name: str) -> None:
    """Some verifiers write the domains of an ARC chain into their results as they came."""
    line = f'{ID}; arc=pass ("x:s=") ; {GOOD} (":i=1")'
    for seal, expected in (
        (f's=") ; {GOOD} ("; d=evil.example; i=1', "failed"),
        ("s=a; d=b.example; i=1", "verified"),
    ):
        given = written(line)
        message = replace(given, headers=(*given.headers, Header(name.encode(), seal.encode())))
        assert find_verdict(message, ID) == expected


@pytest.mark.parametrize(
    "signature",
    [
        PLAIN,
        "v=1; d=victim.example; i=a.n_n+x-1@mail.victim.example; s=a.b._c; z=From:x=3By|To:(;",
        "v=1; d=victim\n\t.example; s=x; h=from:to=3B; bh=x==; b=AbC=\n\tdEf=",
        "v=1; d=victim=2Eexample; i==61nn=40victim.example",
        "",
    ],
)
def test_a_plain_signature_is_plain(signature: str) -> None:
    assert is_plain(signature.encode())
    assert find_verdict(written(f"{ID}; {GOOD}", signatures=(signature,)), ID) == "verified"


@pytest.mark.parametrize(
    ("helo", "line"),
    [
        ("x; dkim=pass header.d=victim.example", f"{ID}; spf=none smtp.helo=x; {GOOD}"),
        ("x);dkim=pass header.d=victim.example (", f"{ID}; spf=none (helo=x); {GOOD} ()"),
        ("x smtp.mailfrom=victim.example", f"{ID}; spf=pass smtp.helo=x smtp.mailfrom={AT}"),
        ("x\tspf=pass", f"{ID}; {GOOD}"),
        ("h\u00e9", f"{ID}; {GOOD}"),
    ],
)  # fmt: skip
def test_what_a_client_calls_itself_smuggles_no_result_in(helo: str, line: str) -> None:
    """OpenDMARC and rspamd write HELO into their results as it came."""
    assert find_verdict(written(line, helo=helo), ID) == "failed"


@pytest.mark.parametrize(
    "helo", ["", "out.esp.example", "[192.0.2.1]", "[IPv6:2001:db8::1]", "a_b"]
)
def test_an_ordinary_name_of_a_client_is_harmless(helo: str) -> None:
    assert find_verdict(written(f"{ID}; {GOOD}", helo=helo), ID) == "verified"


@pytest.mark.parametrize(
    "sender",
    [
        '"x; dkim=pass header.d=victim.example"@evil.example',
        '"x) ;spf=pass ("@evil.example',
        '"a\\"b"@evil.example',
        None,
    ],
)
def test_an_envelope_sender_that_needs_quotes_smuggles_no_result_in(sender: str | None) -> None:
    assert find_verdict(written(f"{ID}; {GOOD}", sender=sender), ID) == "failed"


@pytest.mark.parametrize("sender", ["", "bounce+a=b.example@esp.example", "j\u00f6rg@esp.example"])
def test_an_ordinary_envelope_sender_is_harmless(sender: str) -> None:
    assert find_verdict(written(f"{ID}; {GOOD}", sender=sender), ID) == "verified"


@pytest.mark.parametrize(
    "author",
    [
        f"{AUTHOR}, <x@evil.example;dkim=pass header.d=victim.example>",
        f'"<x@evil.example;dkim=pass header.d=victim.example>" <{AUTHOR}>',
        f"{AUTHOR} (x; spf = Pass smtp.mailfrom=victim.example)",
        f"{AUTHOR}, <@>",
    ],
)
def test_an_author_who_writes_a_result_is_not_believed(author: str) -> None:
    line = f"{ID}; dmarc=none (p=none dis=none) header.from=x; {GOOD}"
    assert find_verdict(written(line, author=author), ID) == "failed"


def test_every_author_must_be_aligned() -> None:
    line = f"{ID}; dkim=pass header.d=evil.example"
    for author in (f"x@evil.example, {AUTHOR}", f"{AUTHOR}, x@evil.example"):
        assert find_verdict(written(line, author=author), ID) == "failed"
    both = f"{line}; {GOOD}"
    assert find_verdict(written(both, author=f"x@evil.example, {AUTHOR}"), ID) == "verified"


def test_an_international_domain_is_compared_in_its_ascii_form() -> None:
    author = "ann@b\u00fccher.example"
    line = f"{ID}; dkim=pass header.d=xn--bcher-kva.example"
    assert find_verdict(written(line, author=author), ID) == "verified"
    assert find_verdict(
        written(f"{ID}; dkim=pass header.d=b\u00fccher.example", author=author), ID
    ) == ("failed")


@given(st.text(alphabet=' \t\n;()"\\=.@dkimpas/1-', max_size=60), st.sampled_from(["", " ", "; "]))
def test_nothing_raises_and_a_field_that_is_odd_gives_nothing_odd(text: str, end: str) -> None:
    value = f"{ID}; dkim=none {text}{end}".encode()
    for result in parse_results(value, ID):
        assert result.method.isascii()
        assert result.result.isascii()
        assert not set("();=") & set("".join(result.properties))


PIECES = st.sampled_from(
    ["; ", ";", GOOD, f"spf=pass smtp.mailfrom=a@{AT}", f"dmarc=pass header.from={AT}", "(", ")",
     '"', "\\", " ", "\t", "x", "=", ".evil.example", "@", ",", "<", ">", "header.i=", "none",
     f"); {GOOD} ("]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def encoded(text: str) -> str:
    """Write a text as a signature's tag has it (RFC 6376 section 2.11)."""
    return "".join(c if c.isalnum() else f"={ord(c):02X}" for c in text)


def enveloped(local: str) -> str | None:
    """Write an address with this local part, None if there is no such address."""
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    try:
        return str(Address.parse(f'"{escaped}"@evil.example'))
    except AddressError:
        return None


@given(TEXTS)
def test_whatever_a_verifier_repeats_of_a_stranger_makes_them_nobody_else(text: str) -> None:
    """Each template is a verifier's that writes a stranger's words down as they came."""
    repeated = f"{text}@evil.example"
    for message in (
        written(
            f"{ID};\n\tdkim=fail (1024-bit key) header.d=evil.example header.i={repeated}",
            signatures=(f"v=1; d=evil.example; s=x; i={encoded(repeated)}",),
        ),
        written(f"{ID}; spf=none smtp.helo={text}", helo=text),
        written(f"{ID}; dkim=none; spf=none (helo={text}; x) smtp.helo={text}", helo=text),
        written(
            f"{ID};\n\tspf=pass ({ID}: domain of {repeated} designates 192.0.2.1"
            f" as permitted sender) smtp.mailfrom={repeated};\n\tdkim=none",
            sender=enveloped(text),
        ),
        written(
            f"{ID}; spf=pass smtp.mailfrom=evil.example (envelope-from={repeated}; receiver=x)",
            sender=enveloped(text),
        ),
        written(
            f"{ID}; dmarc=none (p=none dis=none) header.from={text}",
            author=f"{AUTHOR}, <x@{text}>",
        ),
        written(f"{ID}; dmarc=none header.from={text}", author=f'"{text}" <{AUTHOR}>'),
        written(f"{ID}; dmarc=none header.from={text}", author=f"{AUTHOR} ({text})"),
    ):
        assert find_verdict(message, ID) == "failed"


@pytest.mark.parametrize(
    "piece",
    ["(", "()", "\\", '"', '"\\', ";", "a", "a=", "a=b;", " ", "\n ", "a.b=", "((", "=", "3B="],
)
def test_long_runs_cost_little(piece: str) -> None:
    """Many fields and signatures at the limits of a message's header take their share."""
    begun = time.process_time()
    run = piece * (7_000 // len(piece))
    line = f"{ID}; dkim=none x={run}"
    signature = f"v=1; i={run}"
    for _ in range(60):
        parse_results(line.encode(), ID)
        parse_results(f"{ID}{run}".encode(), ID)
        is_plain(signature.encode())
        is_plain(run.encode())
    assert time.process_time() - begun < 5
