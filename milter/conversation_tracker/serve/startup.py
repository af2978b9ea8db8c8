"""How `serve` begins: it waits for the database (`readiness`), then opens the socket.

A socket that cannot be opened is a `Failure`. What happens afterwards is the business of
`supervisor`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.config.config import Config
from conversation_tracker.database.readiness import wait_for_database
from conversation_tracker.telemetry.events import log
from conversation_tracker.telemetry.log_setup import catch_uncaught, configure
from conversation_tracker.telemetry.sd_notify import notify


def serve(
    config: Config, reload: Callable[[], Config], judge: Callable[[Config], Sequence[str]]
) -> int:
    """Serve until told to stop.

    Args:
        config: the configuration.
        reload: reads it again; raises ConfigError.
        judge: says what is not safe in one, though it can be used.

    Returns:
        The exit code.

    Raises:
        Failure: libmilter, the schema or the socket is not as it must be.
    """
    configure(config.log_format)
    catch_uncaught()

    def take(taken: Config) -> Config:
        if faults := judge(taken):
            log.config_unsafe(faults=faults)
        return taken

    take(config)
    _check_directory(config)
    try:
        import milter

        from conversation_tracker.serve.supervisor import Supervisor
    except ImportError as error:
        raise Failure(USAGE, f"serve needs pymilter and libmilter: {error}") from None
    notify("STATUS=waiting for the database")
    wait_for_database(config.database)
    try:
        return Supervisor(config, lambda: take(reload())).run()
    except (milter.error, OSError) as error:
        raise Failure(TEMPORARY, f"cannot listen on {config.socket}: {error}") from None


def _check_directory(config: Config) -> None:
    """Refuse a unix socket whose directory is missing: trying again would not help."""
    directory = Path(config.socket.path).parent
    if config.socket.kind == "unix" and not directory.is_dir():
        raise Failure(USAGE, f"cannot listen on {config.socket}: there is no directory {directory}")
