"""A short packed file is found, whatever it is said to be, though its octets read as UTF-16."""

import base64
import gzip
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from builders import BUYER, hard

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner

TYPES = ["text/plain", "text/csv", "application/xml", "application/json", "application/x-any"]


@pytest.mark.parametrize("pack", [partial(gzip.compress, mtime=0), zlib.compress])
@pytest.mark.parametrize("kind", TYPES)
def test_a_short_packed_file_is_looked_into(kind: str, pack: Callable[[bytes], bytes]) -> None:
    scanner = Scanner({BUYER: hard("b")})
    header = [
        Header(b"Content-Type", kind.encode()),
        Header(b"Content-Transfer-Encoding", b"base64"),
    ]
    for number in range(60):
        data = pack(b"%s%d %s\n" % (b"x" * (number % 9), number * number, BUYER.encode()))
        assert [*scanner.scan(header, base64.encodebytes(data))], number
