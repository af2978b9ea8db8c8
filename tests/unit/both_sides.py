"""Whether masking, and whether the final scan, finds somebody in a file."""

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.container.search import holds_address
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import scan

REAL = "john@doe.example"
RAW = REAL.encode()


def masking(data: bytes) -> bool:
    return holds_address(data, People([REAL]))


def scanning(data: bytes) -> bool:
    return scan([Header(b"Content-Type", b"application/pdf")], data, {REAL: "a"}) != []
