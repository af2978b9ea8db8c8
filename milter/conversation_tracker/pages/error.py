"""The page that says what went wrong."""

from http import HTTPStatus

from conversation_tracker.pages.links import Links
from conversation_tracker.pages.templates import render

_TITLES = {
    400: "That was not understood",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    500: "Something went wrong",
    503: "Not available at the moment",
}


def render_error(status: int, words: str, links: Links | None = None) -> str:
    """Return the page of an error.

    Args:
        status: of the answer (RFC 9110).
        words: what is wrong and what to do, in whole sentences.
        links: makes addresses; None: of pages at the top of a host.
    """
    try:
        title = _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    return render("error.html", links=links or Links(), status=status, title=title, words=words)
