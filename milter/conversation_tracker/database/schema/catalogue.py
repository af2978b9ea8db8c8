"""What a database's tables are like, and where that differs from what the program's files make.

What they should be like is not written down anywhere: the files are run once more, beside the
schema there is, and undone. So the same server describes both in the same words.
"""

from collections.abc import Sequence

from psycopg import Connection

from conversation_tracker.database.schema.files import File, Files

_SET_ASIDE = "ALTER SCHEMA tracker RENAME TO tracker_set_aside"


def find_differences(
    connection: Connection, files: Files, applied: Sequence[File] = ()
) -> list[str]:
    """Compare the schema with one that is made of the baseline.

    Args:
        connection: a connection within a transaction.
        files: the program's files.
        applied: the numbered files after the baseline that the database has.

    Returns:
        A line for each difference, none where it is equal.
    """
    found = _describe(connection, files)
    with connection.transaction(force_rollback=True):
        connection.execute(_SET_ASIDE)
        for file in (files.baseline, *applied):
            connection.execute(file.text.encode())
        wanted = _describe(connection, files)
    lacking = [f"lacks {line}" for line in wanted if line not in found]
    return lacking + [f"has {line}" for line in found if line not in wanted]


def _describe(connection: Connection, files: Files) -> list[str]:
    values = {
        "ours": sorted(
            {name for file in (*files.repeatable, *files.before) for _, name in file.makes}
            - {name for _, name in files.baseline.makes}
        ),
        "baseline": sorted(name for _, name in files.baseline.makes),
    }
    return [line for (line,) in connection.execute(files.catalogue.text.encode(), values)]
