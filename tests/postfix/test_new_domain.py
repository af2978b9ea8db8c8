"""Mail for an alias domain that came to be this very moment."""

from typing import TYPE_CHECKING

from private import processes
from private.mailhost import MailHost

from .senders import Load, delivered, orders, parcels, recorded

if TYPE_CHECKING:
    from private.postgres import Postgres

NAME = "new_domain"


def test_mail_of_its_first_moment_is_forwarded_masked_and_recorded(
    postgres: "Postgres", migrated: str
) -> None:
    """Postfix routes it to the splitter, where it waits until the domain is known there too."""
    uri = postgres.create_database(NAME, template=migrated)
    try:
        with MailHost(uri) as host:
            # The workers ask for new domains a few times in a second.
            load = Load(orders(uri, 6), host)
            numbers = range(18)
            with load.sending(numbers):
                pass

            def gone() -> bool:
                host.postfix.flush()
                return not host.postfix.queue()

            assert processes.until(gone, 30.0, 0.5)
            assert load.other == []
            assert delivered(host) == recorded(uri) == parcels(numbers)
    finally:
        postgres.drop_database(NAME)
