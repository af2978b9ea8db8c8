"""What a request asks for besides its path: read strictly, or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

_MOST_FIELDS = 20
_INSTANT = timedelta(microseconds=1)  # as exact as times of messages are


class BadRequest(Exception):
    """What was asked makes no sense; `str` is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which messages are wanted: the last before a time, the first after one, or those of one."""

    before: datetime | None = None
    after: datetime | None = None
    at: datetime | None = None

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return the times between which the wanted ones lie, neither of them among these."""
        if self.at is None:
            return self.after, self.before
        return self.at - _INSTANT, self.at + _INSTANT


def read_fields(encoded: bytes) -> dict[str, str]:
    """Read a query, or a form as a browser sends it; of a name that comes twice the first counts.

    Raises:
        BadRequest: it is none, or has very many fields.
    """
    try:
        found = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict",
            max_num_fields=_MOST_FIELDS,
        )  # fmt: skip
    except ValueError:
        raise BadRequest("What was sent is not well-formed.") from None
    return dict(reversed(found))


def read_cursor(fields: Mapping[str, str]) -> Cursor:
    """Read `before`, `after` and `at`, each a time as RFC 3339 has it.

    Raises:
        BadRequest: one is no time, or more than one is given.
    """
    names = ("before", "after", "at")
    found = {name: _read_time(fields[name]) for name in names if fields.get(name)}
    if len(found) > 1:
        raise BadRequest("Ask for messages before a time, after one, or of one.")
    return Cursor(**found)


def _read_time(text: str) -> datetime:
    try:
        # A + that is not encoded is a blank.
        at = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 else text)
        if at.tzinfo is not None and 1 < at.year < 9999:
            return at
    except ValueError:
        pass
    raise BadRequest("That is no time of a message. Open the order anew.")


def wants_json(fields: Mapping[str, str], accept: str) -> bool:
    """Whether JSON is wanted: `format` says so, or else the header Accept (RFC 9110).

    Args:
        fields: of the query.
        accept: the header, "" if there is none.

    Raises:
        BadRequest: there is no such format.
    """
    wanted = fields.get("format", "")
    if wanted not in ("", "html", "json"):
        raise BadRequest("There is no such format: html or json.")
    if wanted:
        return wanted == "json"
    weights = {"application/json": 0.0, "text/html": 0.0}
    for each in accept[:1000].split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        if kind in weights:
            weights[kind] = _read_weight(parameters)
    return weights["application/json"] > weights["text/html"]


def _read_weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
