"""A message that our code would never come back from, through Postfix: other mail goes on."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from private.mailhost import MailHost

if TYPE_CHECKING:
    from private.postgres import Postgres

NAME = "walls_postfix"
# What loops may use an eighth of the processor time it has in service; what backtracks, as much.
SOONER = """
from dataclasses import replace
from conversation_tracker.base import timeouts
usual = timeouts.get()
timeouts.use(replace(usual, processor_seconds=usual.processor_seconds / 8))
"""
HOOK = """
import re
from conversation_tracker.milter.filter import Filter
decide = Filter.decide
def message(self, transaction, message):
    body = message.body[:]
    if b"backtracks" in body:
        re.match("(?:a|a)*b", "a" * 60)
    while b"loops" in body:
        pass
    return decide(self, transaction, message)
Filter.decide = message
"""
CARRIER, SHOP = "desk@carrier.example", "sales@shop.example"


@pytest.mark.parametrize("deed", ["backtracks", "loops"])
def test_other_mail_goes_on_and_the_culprit_is_refused_for_good(
    postgres: "Postgres",
    migrated: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deed: str,
) -> None:
    """With the walls where they stand in service."""
    (tmp_path / "sitecustomize.py").write_text(SOONER * (deed == "loops") + HOOK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    uri = postgres.create_database(NAME, template=migrated)
    try:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO tracker.stores (name, alias_domain, sender_domains, hourly_limit)"
                " VALUES ('shop', 'ct.example.com', '{shop.example}', 100000)"
            )
            query = "SELECT tracker.mask('shop', %s, %s)"
            aliases = [connection.execute(query, (n, SHOP)).fetchone() for n in ("1", "2")]
            culprit_to, other_to = (row[0] for row in aliases if row is not None)
        with (
            MailHost(uri, options={"workers": "2"}) as host,
            ThreadPoolExecutor(1) as threads,
        ):
            data = f"From: {CARRIER}\r\nMessage-ID: <1@x.example>\r\n\r\nThis {deed}\r\n".encode()

            def until_final() -> list[str]:
                said: list[str] = []
                while not said or said[-1].startswith("4"):
                    said.append(str(host.send(CARRIER, culprit_to, data).final.text))
                return said

            answers = threads.submit(until_final)
            took = []
            while not answers.done():
                number, started = len(took), time.monotonic()
                other = f"From: {CARRIER}\r\nMessage-ID: <{number}@y.example>\r\n\r\nHello\r\n"
                while not host.send(CARRIER, other_to, other.encode()).ok:
                    time.sleep(0.1)
                took.append(time.monotonic() - started)
                time.sleep(0.1)
            said = answers.result()
            assert said[-1].startswith("5"), said
            assert len(said) == 2
            assert len(host.tracker.events("worker-died")) == 1
            # At most one waited, for the worker that was held up.
            assert len([each for each in took if each > 5]) <= 1, took
    finally:
        postgres.drop_database(NAME)
