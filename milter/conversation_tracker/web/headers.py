"""The headers that say what a browser may do with an answer.

Every answer has a Content-Security-Policy without any way to load or run what is not ours. What the
sender of a message made is a page of its own in a sandbox, or a download.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " frame-src 'self'; form-action 'self'; base-uri 'none'"
)
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HTML = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'"
)


def guard_page(ancestors: Sequence[str] = ()) -> Mapping[str, str]:
    """Return the headers of a page of ours.

    Args:
        ancestors: the origins whose pages may embed it.
    """
    allowed = " ".join(ancestors) or "'none'"
    return _ALWAYS | {"Content-Security-Policy": f"{_PAGE}; frame-ancestors {allowed}"}


def guard_html(ancestors: Sequence[str]) -> Mapping[str, str]:
    """Return the headers of a message's own HTML, which a page of ours shows in a frame.

    Args:
        ancestors: the origins whose pages may embed that page.
    """
    allowed = " ".join(("'self'", *ancestors))
    return _ALWAYS | {"Content-Security-Policy": f"{_HTML}; frame-ancestors {allowed}"}


def guard_data() -> Mapping[str, str]:
    """Return the headers of what is no page."""
    return _ALWAYS | {"Content-Security-Policy": _NOTHING}


def guard_static(tag: str) -> Mapping[str, str]:
    """Return the headers of a file of ours; a browser keeps it, and asks whether it is the same.

    Args:
        tag: what it is known by.
    """
    return {**guard_data(), "Cache-Control": "no-cache", "ETag": tag}


def guard_download(name: str) -> Mapping[str, str]:
    """Return the headers of a file that is to be kept, and not opened here.

    Args:
        name: the file's, by `file_names.clean_name`.
    """
    plain = "".join(each if each.isascii() and each not in '"\\%' else "_" for each in name)
    words = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {
        **guard_data(),
        "Content-Security-Policy": f"sandbox; {_NOTHING}",
        "Content-Disposition": words,
    }
