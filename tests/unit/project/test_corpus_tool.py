"""Messages from the world keep the promises; the tool that checks this sees when they do not.

A folder of messages is taken from CONVERSATION_TRACKER_CORPUS, or from ../shared/corpus beside the
project; without either, the tool's own few messages are used.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from conversation_tracker.core.masking.address import mask, unmask
from conversation_tracker.core.masking.text.html_text import Page
from conversation_tracker.core.model import plan
from conversation_tracker.core.views.leaking_texts import LeakingTexts
from oracle import tool

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tests" / "corpus"


def corpus() -> list[Path]:
    """Return the folder to read, if there is one."""
    named = os.environ.get("CONVERSATION_TRACKER_CORPUS")
    beside = ROOT.parent / "shared" / "corpus"
    return [Path(named)] if named else [beside] if beside.is_dir() else []


def messages() -> Iterable[tuple[str, bytes]]:
    """Return the messages to check."""
    paths = corpus()
    return tool.messages(paths) if paths else tool.enumerate_built_in()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_real_messages_keep_the_promises(capsys: pytest.CaptureFixture[str]) -> None:
    """No exception, no leak, no change without a reason, in every copy of every message."""
    tally = tool.run(messages())
    with capsys.disabled():
        print("\n" + "\n".join(list(tool.told(tally))[-3:]))
    kept = [vars(each) for each in tally.findings if each.kind in tool.PROMISES]
    assert tally.copies >= 12
    assert kept == []


def test_the_tool_reads_its_own_messages_when_called_alone() -> None:
    """It runs from the command line, and prints JSON on demand."""
    source = {"PYTHONPATH": str(ROOT / "milter"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(TOOL), "--json"],
        capture_output=True, text=True, env=os.environ | source,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["copies"] == 12
    assert told["findings"] == []
    assert told["seen"]["text/html"] > 0


def test_the_tool_sees_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither masking nor scan, every channel is named."""
    monkeypatch.setattr(mask.Masker, "__call__", lambda self, text: text)
    monkeypatch.setattr(mask.Masker, "labels", {})
    monkeypatch.setattr(tool.copies, "scan_copy", lambda *_: ([], False))
    tally = tool.run(tool.enumerate_built_in())
    places = {each.where.split()[-1] for each in tally.findings if each.kind == "leak"}
    assert {"From", "text/plain", "text/html"} <= places


@pytest.mark.parametrize("scanned", [False, True])
def test_the_tool_sees_the_reader_shown_to_others(
    scanned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With eyes that take everything for text, and no scan; with it the alias is put back."""

    def everywhere(_: object, text: str, own: unmask.Unmasker) -> str:
        for alias in own._aliases:
            text = text.replace(alias, own.own)
        return text

    monkeypatch.setattr(Page, "show", everywhere)
    monkeypatch.setattr(unmask.RunningText, "show", everywhere)
    if not scanned:
        monkeypatch.setattr(tool.copies, "scan_copy", lambda *_: ([], False))
    found = [(name, tool.seeded(raw)) for name, raw in tool.enumerate_built_in()]
    tally = tool.run(found)
    places = {each.where for each in tally.findings if each.kind == "shown to others"}
    assert places == (set() if scanned else {"text/plain", "text/html"})
    assert tally.count("refused") == 0


@pytest.mark.parametrize("cut", [False, True])
def test_the_scan_refuses_what_masking_leaves(cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With masking alone blinded, nothing leaks: it is cut out, or refused."""
    monkeypatch.setattr(mask.Masker, "__call__", lambda self, text: text)
    if not cut:
        monkeypatch.setattr(LeakingTexts, "cut_texts", lambda self, part, body, limits: body)
    tally = tool.run(tool.enumerate_built_in())
    assert tally.count("refused") == 0 if cut else tally.count("refused") >= 6
    assert tally.count("leak") == 0
    assert tally.count("leak in the record") == 0


def test_the_tool_sees_a_change_without_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that changed in a message without any address is a finding."""
    real = tool.plan

    def spoiled(*arguments: object, **named: object) -> plan.Plan:
        done = real(*arguments, **named)
        return replace(done, edits=(*done.edits, plan.ReplaceBody(b"Another body\r\n")))

    monkeypatch.setattr(tool, "plan", spoiled)
    tally = tool.run([("x", b"From: ann@friends.example\nSubject: x\n\nHello\n")])
    assert tally.count("changed without reason") >= 3


@pytest.mark.parametrize(("page", "times"), [("u?e=bob%40x.example", 0), ("u?n=1", 1)])
def test_an_offer_to_leave_by_one_click_goes_with_its_page(
    monkeypatch: pytest.MonkeyPatch, page: str, times: int
) -> None:
    """It goes only where no page for it is left as it was written."""
    real = tool.plan

    def spoiled(message: object, *arguments: object, **named: object) -> plan.Plan:
        done = real(message, *arguments, **named)
        gone = plan.ChangeHeader(b"List-Unsubscribe-Post", 1, None)
        return replace(done, edits=(*(e for e in done.edits if e != gone), gone))

    monkeypatch.setattr(tool, "plan", spoiled)
    raw = (
        "From: ann@friends.example\nTo: bob@x.example\n"
        f"List-Unsubscribe: <https://x.example/{page}>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nHello\n"
    )
    tally = tool.run([("x", raw.encode())])
    found = [each.where for each in tally.findings if each.leg == "store"]
    assert found == ["header List-Unsubscribe-Post"] * times


@pytest.mark.parametrize("kind", ["text/calendar", "text/plain"])
def test_whoever_is_named_across_a_fold_of_a_calendar_is_a_reason(kind: str) -> None:
    """A name may be an address, whose owner joins; a calendar is one by how it begins."""
    raw = (
        f"From: ann@friends.example\nContent-Type: {kind}\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\n"
        "BEGIN:VEVENT\nATTENDEE;CN=mailto: bob@friends.exam\n ple:urn:x\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    )
    tally = tool.run([("x", raw.encode())])
    assert tally.copies == 3
    assert tally.findings == []


@pytest.mark.parametrize(
    "word",
    [
        "=?utf-16-be?q?=00!=00\n =00b=00o=00b=00@=00f=00r=00i=00e=00n=00d=00s=00.=00e=00x=00a?=",
        "=?utf-16-be?q?=00b=00o=00b=00@=00f=00r=00i=00e=00n=00\n\td=00s=00.=00e=00x=00a?=",
        "=?utf-8?q?of_=62=6F=62=40frie=6E\n d=73=2Eexa?=",
        "=?utf-8?b?b2YgYm9iQGZya\r\n WVuZHMuZXhh?=",
    ],
)
def test_whoever_is_named_in_a_folded_encoded_word_is_a_reason(word: str) -> None:
    """Many programs read one, with a blank for the fold or without, though none may be folded."""
    texts = tool._of_header(f"x {word}")
    assert any("bob@friends.exa" in text for text in texts)


def test_the_tool_reads_mailboxes_and_folders(tmp_path: Path) -> None:
    """A folder's messages one by one; a mailbox is cut at its From lines."""
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\nx\n")
    box = b"From a Mon Jan  1 00:00:00 2024\nSubject: b\n\nFrom here on\n"
    (tmp_path / "b.mbox").write_bytes(box * 2)
    assert [name for name, _ in tool.messages([tmp_path])] == ["a.eml", "b.mbox:1", "b.mbox:2"]


def test_the_tool_reads_maildirs_packed_files_and_mailboxes_of_any_name(tmp_path: Path) -> None:
    """A mailbox is known by its first line; a file may be gzipped; folders lie in folders."""
    (tmp_path / "in" / "cur").mkdir(parents=True)
    (tmp_path / "in" / "cur" / "1.host:2,S").write_bytes(b"Subject: a\n\nx\n")
    box = b"From a Mon Jan  1 00:00:00 2024\nSubject: b\n\nFrom here on\n" * 2
    (tmp_path / "box").write_bytes(box)
    (tmp_path / "box.gz").write_bytes(gzip.compress(box))
    (tmp_path / "broken.gz").write_bytes(gzip.compress(box)[:30])
    names = [name for name, _ in tool.messages([tmp_path])]
    assert names == ["box:1", "box:2", "box.gz:1", "box.gz:2", "broken.gz", "in/cur/1.host:2,S"]


def test_with_addresses_in_every_place_nothing_leaks_and_nothing_is_refused() -> None:
    """Seeded messages have many channels, and all of them are masked."""
    found = [(name, tool.seeded(raw)) for name, raw in tool.enumerate_built_in()]
    tally = tool.run(found)
    assert [vars(each) for each in tally.findings] == []
    assert len(tally.seen) >= 10


@pytest.mark.parametrize(
    "text",
    [
        "\uff41\uff4e\uff4e@friends.example",
        "\U0001d5ee\U0001d5fb\U0001d5fb@friends.example",
        b"ann@friends.example".hex(),
        "7" + b"ann@friends.example".hex().upper() + "8",
    ],
)
def test_the_oracle_sees_other_forms_of_letters_and_hexadecimal_digits(text: str) -> None:
    """Compatibility characters are read as a reader reads them."""
    data = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode() + b"\r\n"
    assert tool._leaks(data, ["ann@friends.example"])


def test_the_oracle_knows_where_a_domain_of_one_label_ends() -> None:
    """What a hyphen or an underscore goes on with is another domain."""
    data = b"Subject: ann@friends-p, ann@friends_md\r\n\r\nann@friends-p\r\n"
    assert tool._leaks(data, ["ann@friends"]) == []
    assert tool._leaks(data + b"ann@friends.\r\n", ["ann@friends"])


def test_a_boundary_that_is_masked_is_followed_into_the_body() -> None:
    """The oracle reads the new body by its new header."""
    raw = (
        b'From: ann@friends.example\nContent-Type: multipart/mixed; boundary="ann@friends.example"'
        b"\n\n--ann@friends.example\n\nHello\n--ann@friends.example--\n"
    )
    tally = tool.run([("x", raw)])
    assert [vars(each) for each in tally.findings] == []


def test_memory_of_one_copy_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that takes more than its size allows is a finding."""
    raw = b"From: ann@friends.example\n\n" + b"Hello\n" * 20_000
    assert tool.run([("x", raw)]).count("memory") == 0
    monkeypatch.setattr(tool, "_peak", iter(range(10**6, 10**9, 10**6)).__next__)
    assert tool.run([("x", raw)]).count("memory") == 3


def test_nobody_is_named_by_a_part_of_a_word() -> None:
    """Nor by a boundary: who takes part is what programs read in a header, and no more."""
    raw = (
        b"From: ann@friends.example\nSubject: =?utf-8?q?I_am_ro?= =?utf-8?q?bin@friends.example?=\n"
        b"Cc: bob@friends.example\nContent-Type: multipart/mixed; boundary=1.eve@mail\n\nHello\n"
    )
    own = next(leg for leg in tool.legs(raw) if leg.name == "store")
    people = {str(p.address) for p in own.conversation.participants}
    assert people == {str(tool.BUYER), "ann@friends.example", "bob@friends.example"}
