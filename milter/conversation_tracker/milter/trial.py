"""One suspect, decided on in a process of its own, whose end concerns nothing else.

A worker that finds a message among the suspects does not look into it. It hands it over a
connection to the parent, which starts a process for it (`isolation`), and waits for the outcome
without a mark in `in_flight`: whatever happens, happens to that process. No answer means that
it ended, or that its turn did not come. The values that go to and fro are ours, in Python's own
form.
"""

import os
import pickle
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config
from conversation_tracker.core.base.limits import Limits, find_seconds
from conversation_tracker.core.base.octets import LARGE, Octets, iter_windows
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Edit, ReplaceBody
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.paths.outcome import Outcome
from conversation_tracker.milter.spool import collect
from conversation_tracker.milter.time_limit import begin_time
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.telemetry.in_flight import InFlight

OUT_OF_MEMORY = 81
"""Exit code of a process in which the message took too much memory."""

_CONNECTIONS = 2
_BEGUN = b"!"
_SIZE = struct.Struct("=Q")


def _answer_seconds() -> float:
    """Return how long to wait for the outcome once its turn has come."""
    limits = timeouts.get()
    return limits.running_seconds + limits.trial_spare_seconds


def ask_alone(
    connection: socket.socket, transaction: Transaction, message: Message
) -> Outcome | None:
    """Ask the process at the other end to decide on a message.

    Args:
        connection: to the process, which need not be there yet.
        transaction: what its recipients led to.
        message: the message.

    Returns:
        The outcome; None if none came.
    """
    parts = (message.sender, message.recipients, message.headers, message.arrival)
    value = (transaction, parts, message.null, message.cut)
    try:
        connection.settimeout(timeouts.get().trial_turn_seconds)
        if connection.recv(1) != _BEGUN:
            return None
        connection.settimeout(_answer_seconds())
        _send(connection, value, message.body)
        answer, body = _receive(connection)
    except (OSError, EOFError):
        return None
    outcome: Outcome = answer[0]
    if not answer[1]:
        return outcome
    edits = tuple(_replace_body(each, body) for each in outcome.plan.edits)
    return replace(outcome, plan=replace(outcome.plan, edits=edits))


def decide_alone(
    connection: socket.socket, config: Config, in_flight: InFlight, digest: bytes
) -> int:
    """Decide on the message that comes over a connection, and answer there.

    Args:
        connection: to the worker.
        config: the configuration.
        in_flight: where this process has a row of its own.
        digest: what identifies the message.

    Returns:
        The exit code: 0 when it was decided on, 75 when it must be tried again.
    """
    connection.settimeout(_answer_seconds())
    try:
        connection.sendall(_BEGUN)
        (transaction, (sender, to, headers, arrival), null, cut), body = _receive(connection)
    except (OSError, EOFError):
        return os.EX_TEMPFAIL  # nobody waits any more
    database = Database(config.database, size=_CONNECTIONS)
    database.open()
    try:
        directory = database.directory()
    except DatabaseUnavailable:
        return os.EX_TEMPFAIL
    decide = Filter(database, lambda: directory, config.authserv_id, config.postmaster).decide
    try:
        with in_flight.mark(digest, arrival.queue_id):
            limits = Limits(begin_time(find_seconds(len(body))), collect)
            message = Message(sender, to, headers, body, arrival, null, cut, limits)
            outcome = decide(transaction, message)
    except MemoryError:
        return OUT_OF_MEMORY
    database.close()
    bodies = [each.body for each in outcome.plan.edits if isinstance(each, ReplaceBody)]
    edits = tuple(_replace_body(each, b"") for each in outcome.plan.edits)
    bare = replace(outcome, plan=replace(outcome.plan, edits=edits))
    with suppress(OSError):
        _send(connection, (bare, bool(bodies)), bodies[0] if bodies else b"")
    reply = outcome.plan.reply
    return os.EX_TEMPFAIL if reply is not None and reply.is_temporary else os.EX_OK


def _replace_body(edit: Edit, body: Octets) -> Edit:
    return ReplaceBody(body) if isinstance(edit, ReplaceBody) else edit


def _send(connection: socket.socket, value: object, body: Octets) -> None:
    head = pickle.dumps(value)
    connection.sendall(_SIZE.pack(len(head)) + head + _SIZE.pack(len(body)))
    for piece in iter_windows(body, 0, len(body)):
        connection.sendall(piece)


def _receive(connection: socket.socket) -> tuple[Any, Octets]:
    head = b"".join(_receive_pieces(connection))
    body = collect(_receive_pieces(connection))
    return pickle.loads(head), body


def _receive_pieces(connection: socket.socket) -> Iterator[bytes]:
    [left] = _SIZE.unpack(_receive_exactly(connection, _SIZE.size))
    while left:
        piece = connection.recv(min(left, LARGE))
        if not piece:
            raise EOFError
        left -= len(piece)
        yield piece


def _receive_exactly(connection: socket.socket, octets: int) -> bytes:
    found = b""
    while len(found) < octets:
        piece = connection.recv(octets - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
