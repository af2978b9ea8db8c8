"""Header values with ESC in them as it is: addresses behind colours and character sets.

Everything else reads a control character as a blank (`encoded_words`). Nothing here raises.
"""

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.text.rare_spellings import mask_readings
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.syntax import charset


def mask_sequences(value: bytes, mask: Mask) -> bytes:
    """Mask a raw header value in which such sequences stand; the same object if nothing changed."""
    if b"\x1b" not in value:
        return value
    return charset.change_text(value, "", lambda text: mask_readings(mask(text), mask))[0]


def mask_field(header: Header, mask: Mask) -> Header:
    """Mask such sequences in a field; the same object if nothing changed."""
    return header.change(mask_sequences(header.value, mask))
