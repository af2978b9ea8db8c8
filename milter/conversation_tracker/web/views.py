"""What each page answers, once it is known who asks for what; all of it waits for the database."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.responses import Response

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.web import finding, lists, orders
from conversation_tracker.database.web.finding import NoAddress, NotYet, TookTooLong
from conversation_tracker.database.web.reading import NotThere, Row
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.order import render_order
from conversation_tracker.pages.orders import ListedOrder, Lists, render_orders
from conversation_tracker.pages.pictures import put_pictures
from conversation_tracker.pages.static import FILES, read_static
from conversation_tracker.web.archive import Archive
from conversation_tracker.web.asked import Cursor
from conversation_tracker.web.file_names import choose_type, clean_name
from conversation_tracker.web.headers import (
    guard_data,
    guard_download,
    guard_html,
    guard_page,
    guard_static,
)
from conversation_tracker.web.routes import AttachmentPage, HtmlPage, OrderPage, StaticFile
from conversation_tracker.web.typed import Typed

PAGE = 50
"""Messages of an order on one page."""

TEXTS = 4_000_000
"""Characters of all texts on one page; from one that is cut a link leads to the whole."""

LISTED = 50
"""Rows of each list."""

_HTML_TYPE = "text/html; charset=utf-8"
_LINKS = Links()


@dataclass(frozen=True, slots=True)
class Views:
    """The pages as one configuration has them.

    Attributes:
        archive: what they show.
        ancestors: the origins whose pages may embed an order.
    """

    archive: Archive
    ancestors: Sequence[str]

    def show_home(self, store: str, typed: Typed, actor: str) -> Response:
        """Return the lists, or what was found.

        Args:
            store: only of this store, "" for all.
            typed: what was searched for.
            actor: who is signed in, "" where nobody says.

        Raises:
            NotThere: no such store.
        """
        stores = self.archive.ask(lists.list_stores)
        if store and store not in stores:
            raise NotThere
        home = Lists(stores=stores, store=store, limit=LISTED)
        if typed.kind == "nothing":
            home = self._list(home, store or None)
        else:
            home = self._search(home, [store] if store else stores, typed, actor)
        return self._show("".join(render_orders(home, _LINKS)))

    def refuse_search(self, store: str) -> Response:
        """Return the page for what must not be searched for by a link."""
        stores = self.archive.ask(lists.list_stores)
        home = Lists(
            stores=stores, store=store if store in stores else "", by_address=True, found=(),
            fault="An address is searched for by this form only, never by a link.",
        )  # fmt: skip
        return self._show("".join(render_orders(home, _LINKS)), 400)

    def show_order(self, route: OrderPage, cursor: Cursor) -> Response:
        """Return an order's page."""
        after, before = cursor.bounds
        order = self.archive.ask(
            lambda connection: orders.fetch_order(
                connection, route.store, route.number, PAGE, before, after, TEXTS
            )
        )
        page = render_order(
            order,
            _LINKS,
            before=_write(cursor.before),
            after=_write(cursor.after),
            at=_write(cursor.at),
        )
        return self._show("".join(page))

    def send_order(self, route: OrderPage, cursor: Cursor) -> Response:
        """Return an order as JSON, a page of it."""
        after, before = cursor.bounds
        text = self.archive.ask(
            lambda connection: orders.fetch_order_json(
                connection, route.store, route.number, PAGE, before, after
            )
        )
        return Response(text, 200, {**guard_data(), "Vary": "Accept"}, "application/json")

    def send_file(self, route: AttachmentPage) -> Response:
        """Return a file as a download."""
        found = self.archive.ask(
            lambda connection: orders.fetch_attachment(
                connection, route.store, route.number, route.message, route.file
            )
        )
        headers = guard_download(clean_name(found.name, route.file))
        answer = Response(found.content, 200, headers)
        # Starlette would add a charset to text.
        answer.headers["Content-Type"] = choose_type(found.type)
        return answer

    def show_html(self, route: HtmlPage) -> Response:
        """Return a message's own HTML, which nothing is loaded for."""

        def read(connection: Connection) -> str:
            asked = (connection, route.store, route.number, route.message)

            def fetch(file: int) -> tuple[str, bytes] | None:
                try:
                    found = orders.fetch_attachment(*asked, file)
                except NotThere:
                    return None
                return found.type, found.content

            return put_pictures(orders.fetch_html(*asked), fetch)

        text = (
            '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
            f"<title>HTML</title></head><body>{self.archive.ask(read)}</body></html>\n"
        )
        return Response(text, 200, {**guard_html(self.ancestors), "Content-Type": _HTML_TYPE})

    def _list(self, home: Lists, store: str | None) -> Lists:
        def read(connection: Connection) -> Lists:
            bounced, refused, flagged = (
                _convert(lists.list_lately(connection, kind, store, LISTED))
                for kind in ("bounced", "refused", "flagged")
            )
            waiting = _convert(lists.list_waiting(connection, store, LISTED))
            return replace(home, waiting=waiting, bounced=bounced, refused=refused, flagged=flagged)

        return self.archive.ask(read)

    def _search(self, home: Lists, stores: Sequence[str], typed: Typed, actor: str) -> Lists:
        home = replace(
            home,
            words="" if typed.secret else typed.text,
            by_address=typed.kind == "address" or typed.secret,
            found=(),
        )
        try:
            found = self.archive.ask(lambda connection: _find(connection, stores, typed, actor))
        except NoAddress:
            return replace(home, fault="This is no mail address.")
        except NotYet:
            return replace(
                home, fault="An upgrade is at work: addresses can be searched for once it is done."
            )
        except TookTooLong:
            return replace(home, fault="That took too long. Choose one store, or more words.")
        return replace(home, found=_convert(found))

    def _show(self, text: str, status: int = 200) -> Response:
        headers = {**guard_page(self.ancestors), "Content-Type": _HTML_TYPE}
        return Response(_encode(text), status, headers)


def send_static(route: StaticFile, known: str) -> Response:
    """Return a file of ours.

    Args:
        route: which.
        known: tags of what the client has, as the header If-None-Match names them.
    """
    content = read_static(route.name).encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    same = tag in known
    headers = {**guard_static(tag), "Content-Type": FILES[route.name]}
    return Response(b"" if same else content, 304 if same else 200, headers)


def _find(connection: Connection, stores: Sequence[str], typed: Typed, actor: str) -> Sequence[Row]:
    """Find orders; what is found by number stands before what has the words."""
    one = stores[0] if len(stores) == 1 else None
    if typed.kind == "address":
        return finding.find_address(connection, typed.text, stores, LISTED, actor)
    if typed.kind == "alias":
        found = finding.find_alias(connection, typed.text)
        if found or typed.secret:
            return [row for row in found if row.store in stores]
    numbers = finding.find_numbers(connection, typed.text, one, LISTED)
    known = {(row.store, row.number) for row in numbers}
    words = finding.find_words(connection, typed.text, stores, LISTED)
    return [*numbers, *(row for row in words if (row.store, row.number) not in known)][:LISTED]


def _convert(rows: Sequence[Row]) -> list[ListedOrder]:
    return [
        ListedOrder(row.store, row.number, row.at, row.subject, row.role, row.status, row.reason)
        for row in rows
    ]


def _write(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")
