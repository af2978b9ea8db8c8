"""Known addresses that stand in clear for everybody, left out of a text before a cheap look at it.

They are masked before anything else is read in a text. But the label of their domain is in it, so
each of them would have to be looked around for what is hidden. Nothing here raises.
"""

from collections.abc import Collection

_FEW = 16  # addresses to look for one by one
_LARGE = 4096  # characters of a text in which that is not worth it
_BEFORE = "<\n "
_BEHIND = ">\r\n"
_STAND_IN = "z@z"  # an address as well, and what begins like a tag goes on doing so


def leave_out_clear(low: str, keys: Collection[str]) -> str:
    r"""Return a text in which other addresses stand for those in `<` and `>`, or alone in a line.

    Args:
        low: a lower-cased text, as it is before anything in it is masked.
        keys: the addresses that are replaced wherever they stand in clear, in lower case.
    """
    if len(keys) > _FEW or len(low) > _LARGE:
        return low
    for key in keys:
        if key in low:
            low = _leave_out(low, key)
    return low


def _leave_out(low: str, key: str) -> str:
    pieces: list[str] = []
    done = 0
    at = low.find(key)
    while at >= 0:
        end = at + len(key)
        if (not at or low[at - 1] in _BEFORE) and (end == len(low) or low[end] in _BEHIND):
            pieces.append(low[done:at])
            done = end
        at = low.find(key, end)
    return _STAND_IN.join((*pieces, low[done:]))
