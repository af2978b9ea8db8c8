"""What `systemctl status` shows of the service, and that a bad reload is seen there."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conversation_tracker.database.migrate import migrate
from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, CARRIER, World, mail, seeded

PATIENCE = 20.0
Wait = Callable[[str], list[str]]


@pytest.fixture
def wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wait]:
    """Be systemd: return a function that reads until a line fits, and gives all it read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def read(pattern: str) -> list[str]:
            said: list[str] = []
            while not any(re.fullmatch(pattern, line) for line in said):
                said += systemd.recv(1000).decode().splitlines()
            return said

        yield read


def test_the_status_line_tells_workers_mail_and_database(wait: Wait) -> None:
    with Postgres(fsync=False) as own:
        migrate(own.create_database("template"))
        uri = seeded(own, "template", "status")
        with closing(Tracker(uri, options={"workers": "2"})) as tracker:
            own.stop()
            tracker.start(wait=False)
            wait("STATUS=waiting for the database")
            own.start()
            wait("STATUS=2 workers, 0 messages in the last minute, the database answers")
            world = World(tracker, uri)
            alias = world.alias(BUYER, world.order(), "buyer")
            for number in range(3):
                assert world.send(CARRIER, alias, mail(f"{number}@carrier.example")).reply.ok
            wait("STATUS=2 workers, 3 messages in the last minute, the database answers")
            own.stop()
            wait("STATUS=2 workers, 3 messages .*, the database is out of reach")
            own.start()
            wait("STATUS=2 workers, 3 messages .*, the database answers")
            tracker.stop()
            wait("STATUS=finishing the messages in flight")


def test_a_refused_configuration_stands_there_until_one_is_accepted(
    wait: Wait, postgres: Postgres, migrated: str
) -> None:
    """The reload ends at once, and what was in force goes on."""
    uri = seeded(postgres, migrated, "refused")
    with Tracker(uri, options={"workers": "1"}) as tracker:
        wait("STATUS=1 worker, .*")
        good = tracker.config.read_text()
        tracker.config.write_text(good + "nonsense = 1\ntrusted_networks = here\n")
        started = time.monotonic()
        tracker.reload()
        said = wait("READY=1")
        assert time.monotonic() - started < 5
        assert said[0] == "RELOADING=1"
        refused = r"STATUS=configuration refused at \d\d:\d\d:\d\d UTC \(2 faults, see the log\): "
        assert re.match(refused + "the former is in force; 1 worker", said[1])
        assert len(tracker.events("config-refused")[0]["faults"]) == 2
        tracker.config.write_text(good)
        tracker.reload()
        assert wait("READY=1")[1].startswith("STATUS=1 worker, ")
    postgres.drop_database("refused")
