"""`web`: shows orders until told to stop.

It listens at once: while the database is away there is a page that says so. SIGHUP has the
configuration read again; only where it listens takes a restart.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config, ConfigError
from conversation_tracker.pages.templates import compile_all
from conversation_tracker.telemetry.events import log
from conversation_tracker.telemetry.log_setup import catch_uncaught, configure
from conversation_tracker.telemetry.sd_notify import notify, watchdog
from conversation_tracker.web.application import Application, Site
from conversation_tracker.web.archive import Archive
from conversation_tracker.web.listener import Listener
from conversation_tracker.web.server import make_server
from conversation_tracker.web.views import Views


def run(config: Config, reload: Callable[[], Config]) -> int:
    """Show orders until told to stop.

    Args:
        config: the configuration.
        reload: reads it again; raises ConfigError.

    Returns:
        The exit code.

    Raises:
        Failure: it cannot listen.
    """
    configure(config.log_format)
    catch_uncaught()
    listener = Listener(config.listen)
    page = _Page(config, reload, listener)
    try:
        asyncio.run(page.serve())
    finally:
        listener.close()
    log.stopping(signal=page.signal)
    if page.hangs:
        # A thread waits for a database that does not answer, and would be waited for.
        sys.stderr.flush()
        os._exit(os.EX_OK)
    return os.EX_OK


class _Page:
    """The page as it is served."""

    def __init__(self, config: Config, reload: Callable[[], Config], listener: Listener) -> None:
        self.signal = ""
        self.hangs = False
        self._config = config
        self._reload = reload
        self._listener = listener
        self._archive = Archive(config.database)
        self._application = Application(self._make_site())
        self._server = make_server(self._application)
        self._asked = asyncio.Event()

    async def serve(self) -> None:
        """Serve until a signal says that it is enough."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._note_end, number)
        loop.add_signal_handler(signal.SIGHUP, self._take_config)
        self._archive.open()
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener.handle]))
        beating = asyncio.create_task(_beat())
        asked = asyncio.create_task(self._asked.wait())
        log.web(socket=str(self._listener.where))
        notify("READY=1\nSTATUS=serving")
        # So that nobody waits for it later.
        await loop.run_in_executor(None, compile_all)
        await asyncio.wait((serving, asked), return_when=asyncio.FIRST_COMPLETED)
        notify("STOPPING=1")
        await self._end(serving)
        for task in (beating, asked):
            task.cancel()
        if serving.done() and not serving.cancelled():
            serving.result()

    async def _end(self, serving: "asyncio.Task[None]") -> None:
        """Let answers that are under way come to their end, for a while."""
        self._server.should_exit = True
        await asyncio.wait((serving,), timeout=timeouts.get().web_end_seconds)
        if not serving.done():
            self._server.abort()
            await asyncio.wait((serving,), timeout=timeouts.get().web_end_seconds / 4)
        serving.cancel()
        self.hangs = self._application.under_way > 0
        self._application.close()
        self._archive.close()

    def _make_site(self) -> Site:
        views = Views(self._archive, self._config.frame_ancestors)
        return Site(views, self._config.user_header)

    def _note_end(self, number: int) -> None:
        self.signal = signal.Signals(number).name
        self._asked.set()

    def _take_config(self) -> None:
        """Read the configuration again; a faulty one changes nothing."""
        try:
            config = self._reload()
        except ConfigError as error:
            log.config_refused(faults=error.faults)
            return
        if config.listen != self._config.listen:
            log.config_refused(faults=[f"{config.path}: [web] listen: another one takes a restart"])
            return
        former, self._config = self._archive, config
        configure(config.log_format)
        if config.database != former.conninfo:
            self._archive = Archive(config.database)
            self._archive.open()
            asyncio.get_running_loop().call_later(timeouts.get().web_pool_seconds, former.close)
        self._application.site = self._make_site()
        log.config_reloaded(path=str(config.path))


async def _beat() -> None:
    """Give systemd a sign of life, where it wants any."""
    while watchdog() is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(timeouts.get().web_beat_seconds)
