"""Octets in a file: found as in memory, whatever stands around them."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.milter import spool
from conversation_tracker.milter.spool import Spool

SEARCHES = """
import mmap, tempfile
from conversation_tracker.milter.spool import Spool

def make_spool():
    with tempfile.TemporaryFile() as file:
        file.truncate(1024 * mmap.PAGESIZE)
        return Spool(file.fileno(), 0, access=mmap.ACCESS_READ)

for closed in range(3):  # each time something else is not mapped any more
    spools = [make_spool() for _ in range(3)]
    spools.pop(closed).close()
    for each in spools:
        for size in range(1, 12):
            word = b"zyxwvutsrqpo"[:size]
            for sub in (word, b"\\0" + word, word + b"\\0"):
                assert each.find(sub) == each.rfind(sub) == -1
                assert each.find(sub, 5, len(each) - 1) == -1
"""


def test_no_search_reads_behind_a_file_that_fills_its_pages() -> None:
    """A message of so many octets would end the worker, and all messages it has in hand."""
    done = subprocess.run([sys.executable, "-c", SEARCHES], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def kept(data: bytes) -> Iterator[Spool]:
    file = os.memfd_create("spool")
    os.write(file, data)
    found = Spool(file, 0, access=mmap.ACCESS_READ)
    os.close(file)
    with found:
        yield found


@given(
    st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab"]), min_size=1, max_size=30).map(b"".join),
    st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=5).map(b"".join),
    st.integers(0, 40),
    st.none() | st.integers(0, 40),
    st.integers(5, 9),
)
def test_octets_are_found_as_in_memory(
    data: bytes, sub: bytes, start: int, end: int | None, window: int
) -> None:
    """Wherever a search begins and ends, and however little of a file is looked at in one go."""
    with pytest.MonkeyPatch.context() as patch, kept(data) as found:
        patch.setattr(spool, "_RESIDENT", window)
        assert found.find(sub, start, end) == data.find(sub, start, end)


@pytest.mark.parametrize("window", range(5, 10))
def test_octets_that_lie_in_two_windows_are_found(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand once, at each place: no other find may hide that they were passed over."""
    monkeypatch.setattr(spool, "_RESIDENT", window)
    for before in range(4 * window):
        for sub in (b"abcde"[:size] for size in range(1, 6)):
            with kept(b"." * before + sub + b"." * (before % 3)) as found:
                assert found.find(sub) == before, sub
