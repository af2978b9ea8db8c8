"""Postfix's queue: which messages in it are ours to remove, and how."""

import json
import os
from collections.abc import Sequence

from conversation_tracker.postfix.settings import Settings, Unreadable, find_tool, run_tool


def list_ids(settings: Settings, word: str) -> list[str]:
    """Return the queue ids of the messages that have a word in an envelope address.

    Args:
        settings: Postfix's.
        word: the word.

    Raises:
        Unreadable: the queue cannot be seen.
    """
    done = run_tool([*_find(settings, "postqueue"), "-j"])
    if done.returncode != 0:
        raise Unreadable("postqueue does not show the queue")
    found = []
    for line in done.stdout.splitlines():
        if word in line:
            try:
                found.append(str(json.loads(line)["queue_id"]))
            except (ValueError, KeyError, TypeError):
                continue
    return found


def remove(settings: Settings, ids: Sequence[str]) -> bool:
    """Remove messages from the queue; return whether that could be done, which needs root.

    Args:
        settings: Postfix's.
        ids: their queue ids.
    """
    given = [part for each in ids for part in ("-d", each)]
    try:
        return run_tool([*_find(settings, "postsuper"), *given]).returncode == 0
    except Unreadable:
        return False


def _find(settings: Settings, program: str) -> list[str]:
    directory = settings.get_value("config_directory")
    return [find_tool(program, os.environ)[0], "-c", directory]
