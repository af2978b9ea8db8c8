"""A rule of the database that a message breaks: neither our log nor the server's quotes the row."""

from collections.abc import Iterator

import pytest

from conversation_tracker.database.migrate import migrate
from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, World, mail, seeded

LATE = "latecomer@late.example"


@pytest.fixture
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, as `migrate` leaves one where it may do everything."""
    uri = seeded(postgres, migrated, "silence")
    migrate(uri)
    yield uri
    postgres.drop_database("silence")


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_broken_rule_quotes_nobody(postgres: Postgres, uri: str, format: str) -> None:
    with Tracker(uri, options={"workers": "1", "log_format": "json"}) as tracker:
        world = World(tracker, uri)
        alias = world.alias(BUYER, world.order(), "buyer")
        world.sql(
            "ALTER TABLE tracker.participants ADD CONSTRAINT nobody_is_late"
            " CHECK (address NOT LIKE '%%@late.example')"
        )
        tracker.stop()
        tracker.config.write_text(tracker.config.read_text().replace("json", format))
        known = len(tracker.log_text())
        tracker.start(wait=False)
        assert waits_for_mail(world, alias)
        result = world.send(LATE, alias, mail(LATE))
        assert result.reply.text == "451 4.3.0 Temporary failure, try again later"
        said = tracker.log_text()[known:]
    assert "CheckViolation" in said
    assert "latecomer" not in said
    server = postgres.log_text()
    assert "nobody_is_late" in server
    assert "latecomer" not in server


def waits_for_mail(world: World, alias: str) -> bool:
    """Wait until a message of somebody else gets through."""

    def works() -> bool:
        try:
            return world.send(BUYER, alias, mail(BUYER)).reply.ok
        except (OSError, EOFError):
            return False

    return processes.until(works, 20)
