"""A newer program takes over under load, as docs/upgrading.md says how, and no mail is lost.

The newer program is this one with one more migration, and with another function in the place of one
that this one needs: the worst that a release can do to the hosts that still run the one before.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import conversation_tracker
from conversation_tracker.base.failure import USAGE
from conversation_tracker.database.migrate import migrate
from private import processes
from private.mailhost import MailHost
from private.postgres import Postgres

from .senders import CARRIER, Load, delivered, letter, orders, parcels, recorded

ORDERS, MESSAGES = 6, 60
Newer = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the newer program is in."""
    folder = tmp_path_factory.mktemp("newer")
    package = folder / "conversation_tracker"
    shutil.copytree(Path(conversation_tracker.__file__).parent, package)
    (package / "database/sql/migrations").mkdir(exist_ok=True)
    (package / "database/sql/migrations/9999-newer.sql").write_text("SELECT 1")
    function = package / "database/sql/repeatable/record.sql"
    function.write_text(re.sub(r"\brecord([.(])", r"record_anew\1", function.read_text()))
    source = package / "database/recording.py"
    text = source.read_text()
    assert "tracker.record(" in text
    source.write_text(text.replace("tracker.record(", "tracker.record_anew("))
    return folder


@pytest.fixture
def newer(program: Path, monkeypatch: pytest.MonkeyPatch) -> Newer:
    """Return a block in which what is started is the newer program."""

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setenv("PYTHONPATH", str(program))
            yield

    return block


@pytest.fixture
def uri() -> Iterator[str]:
    """Return a database that this program has migrated."""
    with Postgres(fsync=False) as server:
        found = server.create_database("mail")
        migrate(found)
        yield found


def test_stopped_migrated_and_started_under_load(uri: str, newer: Newer) -> None:
    """Mail waits meanwhile; there is no way back but by a backup, and mail waits then too."""
    numbers, aliases = range(MESSAGES), orders(uri, ORDERS)
    with MailHost(uri) as host:
        load = Load(aliases, host)
        with load.sending(numbers):
            assert processes.until(lambda: len(load.taken) >= MESSAGES // 4, 30.0)
            assert host.tracker.stop() == os.EX_OK
            assert processes.until(lambda: load.deferred, 30.0)
            with newer():
                assert host.tracker.run("migrate").stdout.count("9999-newer") == 1
                host.tracker.start()
        host.postfix.wait_until_queue_empty()
        assert load.other == []
        assert delivered(host) == recorded(uri) == parcels(numbers)
        host.tracker.stop()
        host.tracker.start(wait=False)
        assert host.tracker.wait() == USAGE
        replies = host.send(CARRIER, aliases[0], letter(0, aliases[0]))
        assert replies.final.code == 451


def test_one_host_after_the_other_under_load(uri: str, newer: Newer) -> None:
    """Once the first has migrated, the second takes nothing that it could not record."""
    numbers, aliases = range(MESSAGES), orders(uri, ORDERS)
    with (
        MailHost(uri, hostname="mx1.example.com") as one,
        MailHost(uri, hostname="mx2.example.com") as two,
    ):
        load = Load(aliases, one, two)
        # The later half is sent when the second is out of date: it must not run out before.
        with load.sending(numbers[: MESSAGES // 2]):
            assert processes.until(lambda: len(load.taken) >= MESSAGES // 4, 30.0)
            assert one.tracker.stop() == os.EX_OK
            with newer():
                assert one.tracker.run("migrate").returncode == os.EX_OK
                one.tracker.start()
        with load.sending(numbers[MESSAGES // 2 :]):
            known = len(load.taken)
            assert processes.until(lambda: len(load.taken) >= known + MESSAGES // 6, 30.0)
            assert two.tracker.stop() == os.EX_OK
            with newer():
                two.tracker.start()
        for host in (one, two):
            host.postfix.wait_until_queue_empty()
        assert load.other == []
        assert any("4.3.0" in answer for answer in load.deferred)
        assert delivered(one, two) == recorded(uri) == parcels(numbers)
