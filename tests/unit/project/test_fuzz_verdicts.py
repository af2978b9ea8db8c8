"""The fuzzer's own verdicts and builders: each sees what it is for."""

import base64
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import BUYER, CARRIER, DOMAIN, EVERYBODY, SHOP, B, mail, order, person

import calendars
import hostile
import limits
import oracle
import people
import places
import play
import seeds
import targets
from choices import Choices
from conversation_tracker.core.masking.part import content_lines
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import render
from conversation_tracker.core.rules import claims, joining
from conversation_tracker.core.views.disclosure import Disclosure
from shapes import SIGNS

TOOL = Path(__file__).parents[2] / "fuzz"
ALIASES = (B, B.upper())


def written(number: int, *, store: bool = False) -> tuple[list[places.Placed], bytes]:
    """Write a message with the buyer's alias in many places."""
    choices = Choices(random.Random(number).randbytes(300))
    writer = places.Writer(choices, ALIASES, BUYER, sent_by_store=store)
    return writer.placed, writer.message(CARRIER)


def test_a_copy_that_keeps_the_rule_is_accepted() -> None:
    for number in range(50):
        placed, raw = written(number)
        assert placed
        message = mail(raw, EVERYBODY, to=B).sent()
        places.check(placed, render(message.headers, message.body))


def test_an_address_with_quotation_marks_is_expected_in_no_parameter() -> None:
    """None may stand there (RFC 5545 section 3.2): the alias stays, and the copy is accepted."""
    whole, token = '"a b"@doe-example.com', "d" * 32
    reader = person(whole, "partner", token)
    parameters = 0
    for number in range(200):
        choices = Choices(random.Random(number).randbytes(300))
        aliases = (f"{token}@{DOMAIN}", f"{token}@{DOMAIN}".upper())
        writer = places.Writer(choices, aliases, whole, sent_by_store=False)
        raw = writer.message(CARRIER)
        copy = mail(raw, order(BUYER, SHOP, CARRIER, reader), to=aliases[0]).sent()
        places.check(writer.placed, render(copy.headers, copy.body))
        given = [each for each in writer.placed if re.match(r"ATTENDEE;X-A=\w+;", each.shown)]
        parameters += len(given)
        assert not any(each.seen for each in given)
    assert parameters


@pytest.mark.parametrize("link", ["mailto:jörg%40doe.example", "https://t.example/?e=jörg@doe"])
def test_a_link_in_a_field_may_be_in_percent_form(link: str) -> None:
    """It says the same then (RFC 3986 section 2.1), and no more than that may change."""
    raw = f"From: {CARRIER}\nList-Help: <{link}>\n\n".encode()
    placed = [places.Placed("header List-Help", f"<{link}>", seen=False)]
    places.check(placed, raw)
    places.check(placed, raw.replace("ö".encode(), b"%C3%B6"))
    with pytest.raises(limits.Broken):
        places.check(placed, raw.replace("ö".encode(), b"%C3%B8"))


def test_the_readers_address_in_a_place_that_nobody_reads_is_seen() -> None:
    for number in range(50):
        placed, raw = written(number)
        if all(each.seen for each in placed) or not any(B in each.shown for each in placed):
            continue
        shown = raw.replace(b"=\n", b"").replace(B.encode(), BUYER.encode())
        if b"base64" not in raw and B.encode() in raw:
            with pytest.raises(limits.Broken):
                places.check(placed, shown)


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
def test_an_alias_that_a_reader_would_see_is_seen(type_: str) -> None:
    placed = [places.Placed(type_, f"q1q {BUYER}", seen=True)]
    raw = f"From: {CARRIER}\nContent-Type: {type_}\n\nq1q %s\n"
    places.check(placed, (raw % BUYER).encode())
    places.check(placed, (raw % BUYER.replace("@", "&#64;" if "html" in type_ else "@")).encode())
    with pytest.raises(limits.Broken):
        places.check(placed, (raw % B).encode())


@pytest.mark.parametrize(
    ("type_", "text", "place"),
    [
        ("text/html", '<img src="https://t.example/?e={}">', "attribute src"),
        ("text/html", "<!-- {} -->", "comment"),
        ("text/html", "<style>{}</style>", "style"),
        ("text/html", "<textarea>{}</textarea>", "textarea"),
        ("text/html", "<p>https://t.example/?e={}</p>", "URL"),
        ("text/plain", "see https://t.example/?e={}", "URL"),
        ("application/json", '{{"e": "{}"}}', "application/json"),
    ],
)
@pytest.mark.parametrize("spelled", [BUYER, "john%40doe.example", "am9obkBkb2UuZXhhbXBsZQ"])
def test_places_that_nobody_reads_are_told(type_: str, text: str, place: str, spelled: str) -> None:
    raw = f"From: {CARRIER}\nContent-Type: {type_}\n\n{text.format(spelled)}\n".encode()
    before = raw.replace(spelled.encode(), B.encode())
    found = places.elsewhere(raw, BUYER, oracle.tool._forms)
    assert set(found) == {place}
    with pytest.raises(limits.Broken, match=place):
        oracle.unseen(before, raw, BUYER)
    oracle.unseen(raw, raw, BUYER)
    oracle.unseen(before, before, BUYER)


def test_what_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.05)

    def endless() -> None:
        while True:
            pass

    with pytest.raises(limits.Endless, match=re.escape(__file__)):
        limits.bounded(endless, 0)


def test_what_takes_more_than_its_size_allows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.0)
    with pytest.raises(limits.Broken, match="s for 0 octets"):
        limits.bounded(lambda: sum(range(8_000_000)), 0)
    limits.bounded(lambda: sum(range(8_000_000)), 1_000_000)
    held = limits._peak()
    monkeypatch.setattr(limits, "SECONDS", 60.0)
    monkeypatch.setattr(limits, "MEMORY", 1024 * 1024)
    with pytest.raises(limits.Broken, match="MB for 10 octets"):
        limits.bounded(lambda: len(bytearray(b"x") * (held + 32 * limits.MEMORY)), 10)


def test_people_have_all_kinds_of_valid_addresses() -> None:
    keys: set[str] = set()
    most = 0
    for number in range(600):
        cast = people.cast(Choices(random.Random(number).randbytes(200)))
        tokens = [each.token for each in cast]
        assert len(set(tokens)) == len(tokens)
        found = [each.address for each in cast if each.address is not None]
        assert all(Address.parse(str(each)) == each for each in found[:20])
        keys |= {each.key for each in found}
        most = max(most, len(cast))
    domains = {key.rpartition("@")[2] for key in keys}
    assert most > 300
    assert {"y", "doe", "a.b", "gmail.com", "googlemail.com", "[192.0.2.1]"} <= domains
    assert any(domain.count(".") == 99 for domain in domains)
    assert any(key.startswith('"') for key in keys)
    assert any(not key.isascii() for key in keys)
    assert any(len(key.partition("@")[0]) == 64 for key in keys)
    assert any(one != two and one.endswith(two) for one in keys for two in people._DOMAINS)


def test_shapes_are_large_and_of_many_signs() -> None:
    texts = [hostile.shape(Choices(random.Random(n).randbytes(60))) for n in range(300)]
    assert max(map(len, texts)) > hostile.MOST // 2
    assert sum(any(sign in text for text in texts) for sign in SIGNS) > len(SIGNS) * 0.8


def test_real_messages_are_a_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "From: ann@friends.example\nX-Kept: 1\nTo: bob@x.example\n\nWrite to bob@x.example now\n"
    (tmp_path / "one.eml").write_text(text)
    (tmp_path / "README.md").write_text("no message\n")
    monkeypatch.setenv(seeds.VARIABLE, str(tmp_path))
    seeds._files.cache_clear()
    try:
        assert seeds.available()
        found = [
            seeds.message(Choices(random.Random(n).randbytes(100)), CARRIER) for n in range(20)
        ]
    finally:
        monkeypatch.delenv(seeds.VARIABLE)
        seeds._files.cache_clear()
    assert not seeds.available()
    assert all(each.startswith(f"From: {CARRIER}\n".encode()) for each in found)
    assert all(b"ann@friends.example" not in each and b"X-Kept: 1" in each for each in found)
    assert len(set(found)) > 10


def test_the_command_takes_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_text(f"From: {BUYER}\n\nHello\n")
    found = tmp_path / "input"
    found.write_bytes(b"\x03" * 40)
    command = [sys.executable, TOOL, "message", found, "--corpus", tmp_path]
    environment = {key: os.environ[key] for key in os.environ if key != seeds.VARIABLE}
    assert subprocess.run(command, check=False, env=environment).returncode == 0


def played(turns: int) -> None:
    """Play some orders against the model."""
    chance = random.Random(3)
    for _ in range(turns):
        play.game(Choices(chance.randbytes(chance.choice([20, 60, 200]))))


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (joining, "_is_introducing", lambda *_, **__: True),
        (joining, "_is_introducing", lambda *_, ours: ours),
        (joining, "_note_claims", lambda _message, conversation, _found: conversation),
        (joining, "_choose_buyer", lambda *_: None),
        (claims, "find_false_store_authors", lambda *_: []),
        (claims, "is_unwelcome", lambda *_: False),
        (Conversation, "is_full", property(lambda _: False)),
        (Conversation, "size", property(lambda _: 0)),
        (Conversation, "find_owner", Conversation.find_exact),
        (Disclosure, "note", lambda *_: None),
    ],
)
def test_a_rule_that_is_not_kept_is_seen(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: object
) -> None:
    """The model tells the program from one that knows the rule less."""
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises((limits.Broken, AssertionError)):
        played(1500)


@pytest.mark.parametrize(
    ("line", "leaks"),
    [
        ("X-A:(John!@Com.\r\n a=b", False),
        ("X-A:(John!@Com.\r\n  a=b", True),
        ("X-A:(Joh\r\n\tn!@Co\r\n m", True),
    ],
)
def test_a_short_address_in_a_calendar_is_read_without_folds(line: str, leaks: bool) -> None:
    """The domain goes on in the next line, or ends there."""
    raw = f"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n{line}\r\nEND:VCALENDAR\r\n"
    assert bool(oracle._leaks(raw.encode(), ["john!@com"])) is leaks


@pytest.mark.parametrize(
    "cut", ["=\n-{}", "=\r\n=2D{}", "=2d=\n{}", "-{}", "\n -{}"], ids=lambda cut: repr(cut)
)
def test_a_soft_alias_that_a_line_end_cuts_is_one(cut: str) -> None:
    """In text that one program decodes and another does not, as of a lost boundary."""
    text = BUYER + cut.format("207700027841b.ct.example.com")
    assert not oracle._pattern(BUYER).search(text.lower())
    assert oracle._pattern(BUYER).search(f"{BUYER}{cut.format('x')}".lower())
    assert oracle._pattern(BUYER).search(BUYER)


def test_whose_local_part_ends_with_an_escape_is_not_looked_for() -> None:
    """`=?utf-8?q?=40=40x.example?=` is `@@x.example`, and `=40@x.example` to who decodes half."""
    assert list(targets._watched({"=40@googlemail.com": "", BUYER: ""})) == [BUYER]


def test_no_stranger_is_invited_by_a_parameter() -> None:
    """Without quotation marks, the value of a line begins at the first colon of a parameter."""
    for number in range(500):
        choices = Choices(random.Random(number).randbytes(80))
        choices.strangers_only = True
        line = calendars._person(choices)
        about = content_lines.find_subject(line.replace("\n", ""))
        assert about is None, line


@pytest.mark.parametrize(
    ("words", "leaks"),
    [
        (["John@Doe.Example.", "Org"], False),
        (["John@Doe.", "Example"], True),
        (["John@Doe.Example", ", Org"], True),
    ],
)
@pytest.mark.parametrize("between", ["\r\n  ", " "])
def test_encoded_words_side_by_side_are_read_as_one(
    words: list[str], leaks: bool, between: str
) -> None:
    """RFC 2047 section 6.2: a domain goes on in the next of them."""
    codes = (base64.b64encode(each.encode()).decode() for each in words)
    name = between.join(f"=?us-ascii?B?{code}?=" for code in codes)
    raw = f'Content-Type: text/plain; name="{name}"\r\n\r\nHello\r\n'
    assert bool(oracle._leaks(raw.encode(), ["john@doe.example"])) is leaks


@pytest.mark.parametrize(
    ("line", "leaks"),
    [
        ("X-A: j\\ohn@doe.example", True),
        ("j\\ohn@doe.example", False),
        ("\xe9: j\\ohn@doe.example", False),
        ("\xe9: john@doe.example", True),
    ],
)
def test_pairs_are_quoted_in_fields_only(line: str, leaks: bool) -> None:
    assert bool(oracle._leaks(f"{line}\r\n\r\n".encode(), ["john@doe.example"])) is leaks
