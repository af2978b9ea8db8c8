"""What of a text may leave in which the final scan finds an address that masking did not.

The two are written apart, so each may know a reading that the other does not. That is no reason to
refuse a message: the fewest octets that show somebody by themselves are cut out of the text
wherever they stand, and the alias is put in their place. What cannot be cut so stays, and is the
caller's to refuse.
Nothing here raises but what limits raise.
"""

import codecs
from collections.abc import Iterator

from conversation_tracker.core.base.limits import Limits, replace_spans
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part.message_body import RUNNING
from conversation_tracker.core.masking.part.unmasked_parts import is_leaf
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax import charset, parameters, transfer
from conversation_tracker.core.syntax.mime import Part

_LONGEST = 128 * 1024  # octets of a text that is looked at again and again
_MOST = 8  # ways to write an address, each of which is cut out wherever it stands
_WIDEST = 1024  # octets of one; what is read only together with more cannot be cut
_NARROW = 64
_TELLING = frozenset({"charset", "format", "delsp", "method"})  # how a text is read
_WIDE = {"utf_16": 2, "utf_32": 4}  # octets of a character
_GREAT = (codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


class LeakingTexts:
    """Cuts out of a copy's texts what shows anybody but its reader.

    Args:
        scanner: looks for everybody who takes part.
        own: token of whose address may be shown: the reader's, None if nobody's.
        domain: of the aliases.
        flagged: files that cannot be masked may pass.
        keep_text: the text of the message itself is not masked.
    """

    def __init__(
        self,
        scanner: Scanner,
        own: str | None,
        domain: str,
        *,
        flagged: bool = False,
        keep_text: bool = False,
    ) -> None:
        # One that remembers nothing: what it is asked here it is not asked again.
        self._scanner = Scanner(scanner.forbidden, scanner.limits)
        self._own, self._domain = own, domain
        self._flagged, self._keep_text = flagged, keep_text

    def cut_texts(self, part: Part, body: Octets, limits: Limits) -> Octets:
        """Return a body whose texts may leave, as far as they can be cut.

        Args:
            part: the structure of the body.
            body: the body, masked.
            limits: what looking may use, and where to keep a large body.
        """
        edits: list[tuple[int, int, Octets]] = []
        for each in part.walk():
            limits.check()
            if each.content[1] - each.content[0] > _LONGEST:
                continue
            if each.embedded is not None:
                edits += self._cut_embedded_message(each, body, limits)
            elif is_leaf(each) and not (self._keep_text and each.type in RUNNING):
                edits += self._cut_leaf(each, body)
        return replace_spans(body, edits, limits)

    def _cut_embedded_message(
        self, part: Part, body: Octets, limits: Limits
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edit of a message inside that is transfer-encoded, if it can be cut."""
        assert part.embedded is not None
        data, inside = part.embedded
        new = self.cut_texts(inside, data, limits)
        if new is not data:
            raw = body[slice(*part.content)]
            yield *part.content, transfer.encode(raw, data[:], new[:], part.encoding)

    def _cut_leaf(self, part: Part, body: Octets) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edit of a leaf, if it can be cut."""
        data = new = part.decode(body)
        if len(data) > _LONGEST or charset.is_no_text(data):
            return
        told = [each for each in part.parameters if each.name in _TELLING]
        written = [part.type.encode(), *(parameters.render(p.name, p.value) for p in told)]
        header = Header(b"Content-Type", b"; ".join(written))
        codec = _find_codec(data, part.charset)
        step = _WIDE.get(codec[:6], 1)
        for _ in range(_MOST):
            token = self._find(header, new)
            if token is None:
                break
            start, end = self._find_stretch(header, new, step)
            if end - start > _WIDEST:
                break
            alias = f" {token}@{self._domain} ".encode(codec, "replace")
            new = new.replace(new[start:end], alias)
        if new is not data:
            raw = body[slice(*part.content)]
            yield *part.content, transfer.encode(raw, data, new, part.encoding)

    def _find(self, header: Header, data: bytes) -> str | None:
        """Return the token of somebody whom a piece of a text shows; None if nobody."""
        self._scanner.limits.check()
        hits = self._scanner.scan([header], data, self._own)
        return next((hit.token for hit in hits if not (self._flagged and hit.in_file)), None)

    def _find_stretch(self, header: Header, data: bytes, step: int) -> tuple[int, int]:
        """Find the fewest octets that show somebody by themselves, where the first one is shown.

        Args:
            header: says what the text is.
            data: octets of it that show somebody.
            step: octets of a character.
        """
        least, end = 0, -(-len(data) // step)
        while end - least > 1:
            middle = (least + end) // 2
            if self._find(header, data[: middle * step]) is None:
                least = middle
            else:
                end = middle
        # A piece from here shows somebody; one from `most` does not. Short ones are cheap to ask.
        start, most = 0, end
        width = _NARROW
        while start == 0 and width < end:
            if self._find(header, data[(end - width) * step : end * step]) is None:
                most = end - width
                width *= 2
            else:
                start = end - width
        while most - start > 1:
            middle = (start + most) // 2
            if self._find(header, data[middle * step : end * step]) is None:
                most = middle
            else:
                start = middle
        return start * step, min(end * step, len(data))


def _find_codec(data: bytes, label: str) -> str:
    """Name the codec of a text; of a wide one, that which writes no mark before what it writes."""
    codec = charset.find_codec(data, label).replace("-", "_")
    if codec in _WIDE:
        return codec + ("_be" if data.startswith(_GREAT) else "_le")
    return codec
