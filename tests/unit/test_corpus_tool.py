"""Messages from the world keep the promises; the tool that checks this sees when they do not.

A folder of messages is taken from CONVERSATION_TRACKER_CORPUS, or from ../shared/corpus beside the
project; without either, the tool's own few messages are used.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from conversation_tracker.core import mask, plan, scan

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tests" / "corpus"


def _loaded() -> ModuleType:
    loader = SourceFileLoader("corpus_tool", str(TOOL))
    spec = importlib.util.spec_from_loader("corpus_tool", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus_tool"] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


tool = _loaded()


def corpus() -> list[Path]:
    """Give the folder to read, if there is one."""
    named = os.environ.get("CONVERSATION_TRACKER_CORPUS")
    beside = ROOT.parent / "shared" / "corpus"
    return [Path(named)] if named else [beside] if beside.is_dir() else []


def messages() -> Iterable[tuple[str, bytes]]:
    """Give the messages to check."""
    paths = corpus()
    return tool.messages(paths) if paths else tool.enumerate_built_in()


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
    monkeypatch.setattr(tool.copies, "scan", lambda *_: [])
    tally = tool.run(tool.enumerate_built_in())
    places = {each.where.split()[-1] for each in tally.findings if each.kind == "leak"}
    assert {"From", "text/plain", "text/html"} <= places


def test_the_scan_refuses_what_masking_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """With masking alone blinded, nothing leaks: it is refused."""
    monkeypatch.setattr(mask.Masker, "__call__", lambda self, text: text)
    tally = tool.run(tool.enumerate_built_in())
    assert tally.count("refused") >= 6
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


def test_the_tool_reads_mailboxes_and_folders(tmp_path: Path) -> None:
    """A folder's messages one by one; a mailbox is cut at its From lines."""
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\nx\n")
    box = b"From a Mon Jan  1 00:00:00 2024\nSubject: b\n\nFrom here on\n"
    (tmp_path / "b.mbox").write_bytes(box * 2)
    assert [name for name, _ in tool.messages([tmp_path])] == ["a.eml", "b.mbox:1", "b.mbox:2"]


def test_the_oracle_and_the_scan_are_apart() -> None:
    """The scan shares no code with what it checks."""
    for module in (scan, scan.readings, sys.modules[scan.Watch.__module__]):
        text = Path(str(module.__file__)).read_text()
        for other in ("mask", "spelling", "markup", "body", "mime", "headers", "words", "charset"):
            assert f"core.{other} " not in text
            assert f"import {other}\n" not in text
