"""The ASGI application: who may ask, which page answers, and what is said where none can.

An answer is made in a thread, since the database is waited for there. Of what goes wrong nothing is
told but its kind. Each request is one line of the log, which names no address and no person.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from conversation_tracker.base import timeouts
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.web.reading import NotThere
from conversation_tracker.pages.error import render_error
from conversation_tracker.pages.links import Links
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.web.asked import BadRequest, read_cursor, read_fields, wants_json
from conversation_tracker.web.headers import guard_data, guard_page
from conversation_tracker.web.routes import (
    AttachmentPage,
    HomePage,
    HtmlPage,
    NoPage,
    OrderPage,
    Route,
    StaticFile,
    find_route,
)
from conversation_tracker.web.typed import read_address, read_typed
from conversation_tracker.web.views import Views, send_static

THREADS = 8
_WAITING_LIMIT = 64  # requests, under way or waiting for a thread
_HEAD_LIMIT = 32_768  # octets of all headers; h11 has none for what comes at once
_PATH_LIMIT = 8_192  # octets, with the query
_FORM_LIMIT = 10_000  # octets
_NAME_LIMIT = 200  # characters
_FORM_TYPE = "application/x-www-form-urlencoded"

_WORDS = {
    400: "The address is not well-formed.",
    403: "You are not signed in here. Open this page by the address that you were given.",
    404: "There is no such order, message or file here; or you may not see it.",
    405: "This page is only to be read.",
    413: "That is too much to search for.",
    414: "That is too much to search for.",
    415: "This is no form that a browser sends.",
    431: "The request has too many headers, or too long ones.",
    500: "Something went wrong here, and was noted. Please tell who runs this page.",
    503: "The database does not answer now. Nothing is lost; please try again in a moment.",
}
_CROSS_SITE = "The search came from another page. Search by the form of this page, over HTTPS."
_BUSY = "Many people read at this moment. Please try again in a moment."


class Declined(Exception):
    """A request that gets no page; `status` is the answer's, `words` says why."""

    def __init__(self, status: int, words: str = "", **headers: str) -> None:
        self.status = status
        self.words = words or _WORDS[status]
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(self.words)


@dataclass(frozen=True, slots=True)
class Site:
    """What one configuration makes of the application.

    Attributes:
        views: the pages.
        user_header: in which the proxy names who is signed in, "" if none does.
    """

    views: Views
    user_header: str


class Application:
    """Answers requests; `site` may be replaced between two of them."""

    def __init__(self, site: Site) -> None:
        """Make it.

        Args:
            site: what it shows.
        """
        self.site = site
        self.under_way = 0
        self._threads = ThreadPoolExecutor(THREADS, "answer")

    def close(self) -> None:
        """Make no more answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        began = time.monotonic()
        request = Request(scope, receive)
        route: Route = NoPage()
        as_json = False
        self.under_way += 1
        try:
            try:
                route = _find_route(scope)
                as_json = isinstance(route, OrderPage) and _accepts_json(request)
                answer = await self._answer(request, route)
            except ClientDisconnect:
                return
            except Exception as error:
                answer = self._explain(error, as_json)
            try:
                await answer(scope, receive, send)
            finally:
                log.request(
                    method=request.method if request.method in ("GET", "HEAD", "POST") else "other",
                    page="json" if as_json else route.page,
                    status=answer.status_code,
                    ms=(time.monotonic() - began) * 1000,
                )
        finally:
            self.under_way -= 1

    async def _answer(self, request: Request, route: Route) -> Response:
        site = self.site
        if isinstance(route, NoPage):
            raise Declined(404)
        methods = ("GET", "HEAD", "POST") if isinstance(route, HomePage) else ("GET", "HEAD")
        if request.method not in methods:
            raise Declined(405, Allow=", ".join(methods))
        if isinstance(route, StaticFile):
            return send_static(route, request.headers.get("if-none-match", ""))
        actor = _find_actor(request, site.user_header)
        if self.under_way > _WAITING_LIMIT:
            raise Declined(503, _BUSY, **_retry())
        work = await self._prepare(site.views, request, route, actor)
        if isinstance(work, Response):
            return work
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(
                loop.run_in_executor(self._threads, work), timeouts.get().web_answer_seconds
            )
        except TimeoutError:
            raise Declined(503, **_retry()) from None

    async def _prepare(
        self,
        views: Views,
        request: Request,
        route: HomePage | OrderPage | AttachmentPage | HtmlPage,
        actor: str,
    ) -> Callable[[], Response] | Response:
        """Read what is asked; return what makes the answer, or the answer."""
        fields = read_fields(request.scope["query_string"])
        match route:
            case OrderPage():
                cursor = read_cursor(fields)
                if wants_json(fields, request.headers.get("accept", "")):
                    return lambda: views.send_order(route, cursor)
                return lambda: views.show_order(route, cursor)
            case AttachmentPage():
                return lambda: views.send_file(route)
            case HtmlPage():
                return lambda: views.show_html(route)
        if request.method != "POST":
            store, typed = fields.get("store", ""), read_typed(fields.get("q", ""))
            if typed.secret:
                return lambda: views.refuse_search(store)
            return lambda: views.show_home(store, typed, actor)
        fields = read_fields(await _read_form(request))
        store, typed = fields.get("store", ""), read_typed(fields.get("q", ""))
        if "address" in fields:
            typed = read_address(fields["address"])
        if not typed.secret:
            # So that it may be shown again, or sent to somebody. Whatever page sent it might have
            # had that link.
            where = Links().orders(store, typed.text)
            return Response(status_code=303, headers={**guard_data(), "Location": where})
        if not _is_ours(request):
            raise Declined(403, _CROSS_SITE)
        return lambda: views.show_home(store, typed, actor)

    def _explain(self, error: Exception, as_json: bool) -> Response:
        """Return the answer that says what went wrong."""
        match error:
            case Declined():
                return self._refuse(error, as_json)
            case NotThere():
                return self._refuse(Declined(404), as_json)
            case BadRequest():
                return self._refuse(Declined(400, str(error)), as_json)
            case DatabaseUnavailable():
                return self._refuse(Declined(503, **_retry()), as_json)
        log.error(Event.ERROR, error)
        return self._refuse(Declined(500), as_json)

    def _refuse(self, refused: Declined, as_json: bool) -> Response:
        if as_json:
            # RFC 9457.
            problem = {"status": refused.status, "detail": refused.words}
            headers: Mapping[str, str] = {
                **guard_data(), "Vary": "Accept", "Content-Type": "application/problem+json",
            }  # fmt: skip
            text = json.dumps(problem)
        else:
            headers = {
                **guard_page(self.site.views.ancestors), "Content-Type": "text/html; charset=utf-8",
            }  # fmt: skip
            text = render_error(refused.status, refused.words)
        return Response(text, refused.status, {**headers, **refused.headers})


def _find_route(scope: Any) -> Route:
    if len(scope["raw_path"]) + len(scope["query_string"]) > _PATH_LIMIT:
        raise Declined(414)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEAD_LIMIT:
        raise Declined(431)
    try:
        return find_route(scope["raw_path"])
    except ValueError:
        raise Declined(400) from None


def _accepts_json(request: Request) -> bool:
    try:
        fields = read_fields(request.scope["query_string"])
        return wants_json(fields, request.headers.get("accept", ""))
    except BadRequest:
        return False


def _find_actor(request: Request, header: str) -> str:
    """Find who is signed in, as the proxy says; one who says so themselves comes in twice.

    Raises:
        Declined: it should say, and does not.
    """
    if not header:
        return ""
    found = request.headers.getlist(header)
    name = _decode(found[0]).strip() if len(found) == 1 else ""
    if not name or len(name) > _NAME_LIMIT or not name.isprintable():
        raise Declined(403)
    return name


def _decode(value: str) -> str:
    """Read a header's value as UTF-8 where it is that."""
    octets = value.encode("latin-1")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return value


def _is_ours(request: Request) -> bool:
    """Whether a page of ours sent a form, or no browser did."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # An old browser names at least the origin.
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


async def _read_form(request: Request) -> bytes:
    """Read a form.

    Raises:
        Declined: it is none, or too long.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM_TYPE:
        raise Declined(415)

    async def read() -> bytes:
        body = b""
        async for each in request.stream():
            body += each
            if len(body) > _FORM_LIMIT:
                raise Declined(413, Connection="close")
        return body

    try:
        return await asyncio.wait_for(read(), timeouts.get().web_head_seconds)
    except TimeoutError:
        raise Declined(400, Connection="close") from None


def _retry() -> dict[str, str]:
    return {"Retry_After": str(timeouts.get().web_retry_seconds)}
