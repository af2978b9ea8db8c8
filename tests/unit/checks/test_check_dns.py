"""`check --dns` asks a real name server, one of the test's own, and says what to publish."""

import base64
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dkim
import pytest

from conversation_tracker.checks.dialogue import BODY, list_fields
from conversation_tracker.checks.dns import alignment, mail_exchangers, sender_policy, signing_key
from conversation_tracker.checks.dns import check as check_dns
from conversation_tracker.checks.dns.names import NameSystem, NameSystemError
from conversation_tracker.checks.dns.signature import BadKeyError, read_key, verify
from conversation_tracker.checks.finding import CheckLine
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import signing
from conversation_tracker.postfix.names import list_authors
from conversation_tracker.postfix.settings import Settings
from private.nameserver import NameServer

DOMAIN, HOST, ADDRESS = "ct.example.com", "mail.example.com", "9.9.9.9"
SELECTOR = "tracker"
HERE = (f"{HOST}. A {ADDRESS}", f"{HOST}. AAAA 2620:fe::fe")
BOTH = (f"{DOMAIN}. MX 10 {HOST}.", f"*.{DOMAIN}. MX 10 {HOST}.")
AUTHOR = list_authors(DOMAIN)[0]


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer() as found:
        yield found


def ask(server: NameServer, *records: str) -> NameSystem:
    """Publish records, and return who asks for them."""
    server.publish(*records)
    return NameSystem([server.address], server.port)


def judge(facts: Iterator[CheckLine]) -> list[tuple[str, str]]:
    return [(fact.verdict, fact.text) for fact in facts]


@pytest.mark.parametrize(
    ("records", "expected", "says"),
    [
        ((*HERE, *BOTH), ["ok", "ok"], f"the MX of *.{DOMAIN} leads to this host"),
        ((*HERE, BOTH[0]), ["ok", "WRONG"], f"publish *.{DOMAIN}. IN MX 10 {HOST}."),
        (HERE, ["WRONG", "WRONG"], f"publish {DOMAIN}. IN MX 10 {HOST}."),
        ((*HERE, BOTH[1], f"{DOMAIN}. MX 0 ."), ["WRONG", "ok"], "says it takes no mail"),
        ((*HERE, BOTH[1], f"{DOMAIN}. MX 5 gone.example."), ["WRONG", "ok"], "has no address"),
        (BOTH, ["WRONG", "WRONG"], "has no address"),
        (
            (*HERE, BOTH[1], f"{DOMAIN}. MX 5 mx.example.", "mx.example. A 9.9.9.10"),
            ["note", "ok"],
            "see that it hands such mail on to here",
        ),
        (
            (*HERE, BOTH[1], f"{DOMAIN}. MX 5 mx.example.", f"mx.example. A {ADDRESS}"),
            ["ok", "ok"],
            "leads to this host",
        ),
    ],
)
def test_where_mail_goes(
    server: NameServer, records: tuple[str, ...], expected: list[str], says: str
) -> None:
    facts = judge(mail_exchangers.check(ask(server, *records), DOMAIN, HOST, soft=True))
    assert [verdict for verdict, _ in facts] == expected
    assert says in "\n".join(text for _, text in facts)


def test_without_soft_aliases_no_wildcard_is_needed(server: NameServer) -> None:
    names = ask(server, *HERE, BOTH[0])
    facts = judge(mail_exchangers.check(names, DOMAIN, HOST, soft=False))
    assert [verdict for verdict, _ in facts] == ["ok", "note"]


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 a:mail.example.com -all", "pass"),
        ("v=spf1 ip4:9.9.9.0/24 ~all", "pass"),
        ("v=spf1 ip4:9.9.8.0/24 ip6:2620::/16 ~all", "softfail"),
        ("v=spf1 a:elsewhere.example/8 -all", "pass"),
        ("v=spf1 a:elsewhere.example/24//64 -all", "fail"),
        ("v=spf1 include:_spf.example -all", "pass"),
        ("v=spf1 redirect=_spf.example", "pass"),
        ("v=spf1 -ip4:9.9.9.9 +all", "fail"),
        ("v=spf1 " + "a:elsewhere.example " * 10 + "+all", "pass"),
        ("V=SPF1 ?ALL", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf1 exists:%{i}.example -all", "unknown"),
        ("v=spf10 -all", "none"),
        ("v=spf1 exp=x.example mx -all", "pass"),
    ],
)
def test_a_policy_is_read_as_receivers_do(server: NameServer, policy: str, result: str) -> None:
    others = ('_spf.example. TXT "v=spf1 a:mail.example.com ?all"', "elsewhere.example. A 9.1.1.1")
    names = ask(server, *HERE, *BOTH, *others, f'{DOMAIN}. TXT "{policy}"', f'{DOMAIN}. TXT "x"')
    assert sender_policy.find_result(names, DOMAIN, ADDRESS) == result


@pytest.mark.parametrize("policy", ["mx//64", "a:mail.example.com/24//64"])
def test_a_size_of_one_family_is_no_fault_at_a_host_that_has_both(
    server: NameServer, policy: str
) -> None:
    names = ask(server, *HERE, *BOTH, f'{DOMAIN}. TXT "v=spf1 {policy} -all"')
    for address in (ADDRESS, "2620:fe::1"):
        assert sender_policy.find_result(names, DOMAIN, address) == "pass"


@pytest.mark.parametrize(
    "records",
    [
        (f'{DOMAIN}. TXT "v=spf1 mx"', f'{DOMAIN}. TXT "v=spf1 -all"'),
        (f'{DOMAIN}. TXT "v=spf1 include:{DOMAIN} -all"',),
        (f'{DOMAIN}. TXT "v=spf1 redirect={DOMAIN}"',),
        (f'{DOMAIN}. TXT "v=spf1 include:none.example"',),
        (f'{DOMAIN}. TXT "v=spf1 {"a:elsewhere.example " * 11}+all"',),
        (f'{DOMAIN}. TXT "v=spf1 mxx -all"',),
        (f'{DOMAIN}. TXT "v=spf1 ip4:9.9.9.300 -all"',),
        (f'{DOMAIN}. TXT "v=spf1 {" a" * 11} -all"',),
        (
            f'{DOMAIN}. TXT "v=spf1 mx:many.example -all"',
            f"mx0.example. A {ADDRESS}",
            *(f"many.example. MX 10 mx{number}.example." for number in range(11)),
        ),
    ],
)
def test_a_policy_that_is_none_is_wrong(server: NameServer, records: tuple[str, ...]) -> None:
    names = ask(server, *records)
    [(verdict, text)] = judge(sender_policy.check(names, DOMAIN, HOST, [ADDRESS], ""))
    assert verdict == "WRONG"
    assert f'publish {DOMAIN}. IN TXT "v=spf1 a:{HOST} -all"' in text


@pytest.mark.parametrize(
    ("policy", "addresses", "relay", "expected", "says"),
    [
        ("v=spf1 mx -all", [ADDRESS, "2620:fe::fe"], "", "ok", "names this host (2620:fe::fe, 9."),
        ("v=spf1 ip4:9.9.9.9 -all", [ADDRESS, "2620:fe::fe"], "", "WRONG", "(2620:fe::fe)"),
        ("v=spf1 ?all", [ADDRESS], "", "note", "does not say"),
        ("other", [ADDRESS], "", "note", "has no SPF policy"),
        ("v=spf1 mx -all", [], "", "note", "has no public address"),
        ("v=spf1 -all", [ADDRESS], "relay.example", "note", "mail leaves by relay.example"),
    ],
)
def test_who_may_send_is_judged(
    server: NameServer, policy: str, addresses: list[str], relay: str, expected: str, says: str
) -> None:
    names = ask(server, *HERE, *BOTH, f'{DOMAIN}. TXT "{policy}"')
    [(verdict, text)] = judge(sender_policy.check(names, DOMAIN, HOST, addresses, relay))
    assert verdict == expected
    assert says in text


@pytest.mark.parametrize("bound", ["", "9.9.9.9", "nowhere", "[9.9.9.9]"])
def test_what_postfix_cannot_bind_to_is_no_address_of_its(server: NameServer, bound: str) -> None:
    names = ask(server, *HERE, *BOTH, f'{DOMAIN}. TXT "v=spf1 mx -all"')
    main = {"myhostname": HOST, "smtp_bind_address": bound}
    settings = Settings(main, (), lambda _table, _key: None)
    facts = judge(check_dns.check(names, settings, Socket("inet", "x", 1), {DOMAIN: True}))
    assert any(text.startswith(f"the SPF policy of {DOMAIN} names this host") for _, text in facts)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, str]]:
    """Keys of some sizes, and another of the usual one: private (PEM), and public (base64)."""
    home = tmp_path_factory.mktemp("keys")
    found = {}
    for name, bits in (("usual", 2048), ("other", 2048), ("short", 1024), ("tiny", 768)):
        path = home / name
        command = ["openssl", "genrsa", "-traditional", "-out", path, str(bits)]
        subprocess.run(command, check=True, capture_output=True)
        public = subprocess.run(
            ["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        found[name] = (path.read_bytes(), base64.b64encode(public).decode())
    return found


def sign(key: bytes, how: bytes = b"relaxed/relaxed", domain: str = DOMAIN) -> str:
    """Sign the message that signers are asked to sign, by code that is not ours."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in list_fields(AUTHOR))
    header, body = how.split(b"/")
    field = dkim.sign(
        lines.encode() + b"\r\n" + BODY, SELECTOR.encode(), domain.encode(), key,
        canonicalize=(header, body),
    )  # fmt: skip
    return field.decode().partition(":")[2].removesuffix("\r\n").lstrip(" ")


@pytest.mark.parametrize("how", [b"relaxed/relaxed", b"simple/simple", b"relaxed/simple"])
def test_a_signature_is_verified(keys: dict[str, tuple[bytes, str]], how: bytes) -> None:
    private, public = keys["usual"]
    signature = sign(private, how)
    key = read_key(f"v=DKIM1; k=rsa; p={public}")
    assert key.bits == 2048
    assert verify(signature, list_fields(AUTHOR), BODY, key)
    assert not verify(signature, list_fields(AUTHOR), BODY + b"x\r\n", key)
    assert not verify(signature, list_fields(f"x{AUTHOR}"), BODY, key)
    assert not verify(signature, list_fields(AUTHOR), BODY, read_key(f"p={keys['other'][1]}"))
    assert not verify(signature.replace("d=", "d=x"), list_fields(AUTHOR), BODY, key)


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5_000, "x", ""])
def test_a_length_that_is_no_number_is_told(
    keys: dict[str, tuple[bytes, str]], length: str
) -> None:
    private, public = keys["usual"]
    signature = f"{sign(private)}; l={length}"
    with pytest.raises(BadKeyError):
        verify(signature, list_fields(AUTHOR), BODY, read_key(f"p={public}"))


@pytest.mark.parametrize(
    "record",
    ["", "v=DKIM2; p=x", "v=DKIM1", "v=DKIM1; p=", "k=ed25519; p=AAAA", "p=!", "p=AAAA", "p=MIIB"],
)
def test_what_is_no_key_is_told(record: str) -> None:
    with pytest.raises(BadKeyError):
        read_key(record)


@pytest.mark.parametrize(
    ("name", "record", "expected", "says"),
    [
        ("usual", "v=DKIM1; k=rsa; p={usual}", ["ok"], "belongs to the signer's private key"),
        ("usual", "p={usual}; t=y", ["ok", "note"], "take t=y out"),
        ("usual", "v=DKIM1; p={other}", ["WRONG"], "does not belong to the signer's private key"),
        ("usual", "v=DKIM1; p=", ["WRONG"], "revoked"),
        ("usual", "", ["WRONG"], "has no key"),
        ("short", "p={short}", ["note"], "make one of 2048"),
        ("tiny", "p={tiny}", ["WRONG"], "768 bits"),
    ],
)
def test_the_key_is_the_signers(
    server: NameServer,
    keys: dict[str, tuple[bytes, str]],
    name: str,
    record: str,
    expected: list[str],
    says: str,
) -> None:
    public = {each: key for each, (_, key) in keys.items()}
    text = record.format(**public)
    pieces = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    where = f"{SELECTOR}._domainkey.{DOMAIN}"
    names = ask(server, *([f"{where}. TXT {pieces}"] if record else []))
    facts = judge(signing_key.check(names, DOMAIN, AUTHOR, [sign(keys[name][0])]))
    assert [verdict for verdict, _ in facts] == expected
    assert says in facts[-1][1]


def test_two_keys_at_one_name_are_wrong_and_no_signer_is_a_note(
    server: NameServer, keys: dict[str, tuple[bytes, str]]
) -> None:
    where = f"{SELECTOR}._domainkey.{DOMAIN}"
    names = ask(server, f'{where}. TXT "v=DKIM1; p="', f'{where}. TXT "p=x"')
    signature = sign(keys["usual"][0])
    [(verdict, text)] = judge(signing_key.check(names, DOMAIN, AUTHOR, [signature]))
    assert (verdict, "2 records" in text) == ("WRONG", True)
    [(verdict, text)] = judge(signing_key.check(names, DOMAIN, AUTHOR, []))
    assert (verdict, f"postfix/signer --domain {DOMAIN}" in text) == ("note", True)


def test_the_record_of_our_own_signer_is_shown(
    server: NameServer,
    keys: dict[str, tuple[bytes, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is shown can be published as it stands."""
    record = signing.write_record(DOMAIN, SELECTOR, keys["usual"][1])
    (tmp_path / f"{DOMAIN}.txt").write_text(f"{record}\n")
    monkeypatch.setattr(
        signing_key, "find_record", lambda domain: (tmp_path / f"{domain}.txt").read_text().strip()
    )
    signature = sign(keys["usual"][0])
    [fact] = signing_key.check(ask(server), DOMAIN, AUTHOR, [signature])
    assert fact.advice == f"publish {record}"
    names = ask(server, fact.advice.removeprefix("publish "))
    assert judge(signing_key.check(names, DOMAIN, AUTHOR, [signature]))[0][0] == "ok"


@pytest.mark.parametrize(
    ("records", "signers", "soft", "expected", "says"),
    [
        ({DOMAIN: "v=DMARC1; p=reject"}, [DOMAIN], True, "ok", f"is reject ({DOMAIN})"),
        ({"example.com": "v=DMARC1; p=reject; sp=none"}, [DOMAIN], True, "ok", "is none (exam"),
        ({"example.com": "v=DMARC1; p=reject"}, ["example.com"], True, "ok", "is reject (example"),
        ({}, [DOMAIN], True, "note", f'publish _dmarc.{DOMAIN}. IN TXT "v=DMARC1; p=none"'),
        ({DOMAIN: "v=DMARC1; p=reject; sp=none"}, [DOMAIN], True, "ok", f"is none ({DOMAIN}"),
        ({DOMAIN: "v=DMARC1; p=reject; sp=none"}, [DOMAIN], False, "ok", f"is reject ({DOMAIN}"),
        ({DOMAIN: "v=DMARC1; p=none; adkim=s"}, [DOMAIN], True, "WRONG", "adkim=r"),
        ({DOMAIN: "v=DMARC1; p=none; adkim=s"}, [DOMAIN], False, "ok", "is none"),
        ({DOMAIN: "v=DMARC1; p=none"}, ["other.example"], True, "WRONG", "signed by other.example"),
        ({DOMAIN: "v=DMARC1; p=none"}, ["com"], True, "WRONG", "signed by com"),
        ({DOMAIN: "v=DMARC1; p=reject"}, [], True, "WRONG", "is not signed"),
        ({DOMAIN: "v=DMARC1; p=none"}, [], True, "ok", "is none"),
        ({DOMAIN: "v=DMARC1; p=maybe"}, [DOMAIN], True, "WRONG", "no p="),
    ],
)
def test_alignment(
    server: NameServer,
    records: dict[str, str],
    signers: list[str],
    soft: bool,
    expected: str,
    says: str,
) -> None:
    names = ask(server, *(f'_dmarc.{name}. TXT "{text}"' for name, text in records.items()))
    [(verdict, text)] = judge(alignment.check(names, DOMAIN, signers, soft=soft))
    assert verdict == expected
    assert says in text


def test_no_answer_is_never_taken_for_no_record(server: NameServer) -> None:
    names = ask(server)
    with pytest.raises(NameSystemError, match="NoNameservers"):
        names.ask("broken.example.com", "MX")
    assert names.failures == 1
    assert names.ask("x" * 64 + ".example.com", "A") == []
    assert names.ask("none.example.com", "MX") == []
    assert names.failures == 1


def test_a_long_record_comes_whole(server: NameServer) -> None:
    """It is cut in an answer by UDP, and asked for again by TCP."""
    text = " ".join(f'"{letter * 250}"' for letter in "abcdef")
    names = ask(server, f"long.example. TXT {text}")
    assert names.ask("long.example", "TXT") == ["".join(letter * 250 for letter in "abcdef")]


def test_nobody_there_is_no_answer(change_timeouts: Callable[..., object]) -> None:
    change_timeouts(check_dns_seconds=0.3)
    with pytest.raises(NameSystemError):
        NameSystem(["127.0.0.1"], 9).ask("example.com", "A")
