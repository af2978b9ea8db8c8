"""What every path may use besides the message itself."""

from dataclasses import dataclass

from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory, Lookup


@dataclass(frozen=True, slots=True)
class Context:
    """What every path may use besides the message itself.

    Attributes:
        database: where conversations are.
        directory: the alias domains and stores, as they were when the message ended.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.
        reader: who gets the mail to an alias domain's postmaster.
        named: the order that a store's own mail names, as far as it was looked up ahead.
    """

    database: Database
    directory: Directory
    authserv_id: str = ""
    reader: str = ""
    named: Lookup | None = None
