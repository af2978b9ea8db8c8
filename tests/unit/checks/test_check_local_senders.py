"""`check` says where programs of this host may write as a store past the tracker."""

import pytest

from conversation_tracker.checks import local_senders
from conversation_tracker.postfix.settings import Settings

MAIN = {
    "authorized_submit_users": "static:anyone",
    "myorigin": "mail.example.com",
    "myhostname": "mail.example.com",
    "mydestination": "mail.example.com, localhost",
    "virtual_mailbox_domains": "",
    "virtual_alias_domains": "",
}


def find(senders: list[str], **changes: str) -> list[str]:
    """Return what is said."""
    settings = Settings(main=MAIN | changes, services=(), ask=lambda *_: None)
    return [str(line) for line in local_senders.check(settings, senders)]


@pytest.mark.parametrize(
    "changes",
    [
        {"mydestination": "localhost, shop.example"},
        {"virtual_mailbox_domains": "shop.example"},
        {"virtual_alias_domains": "shop.example"},
        {"myorigin": "Shop.Example"},
        {"myhostname": "shop.example"},
    ],
)
def test_store_whose_domain_is_this_host_s_is_told_of_sendmail(changes: dict[str, str]) -> None:
    """One note that names its domain, and says that such mail is not masked."""
    [line] = find(["other.example", "shop.example"], **changes)
    assert line.startswith("note")
    assert "shop.example" in line
    assert "other.example" not in line
    assert "/usr/sbin/sendmail for a real address is not masked" in line


def test_store_of_another_host_is_not_told() -> None:
    """Nothing of this host's writes from its domain."""
    assert not find(["shop.example", "shop.mail.example.com"])


@pytest.mark.parametrize("users", ["", "root", "!www-data, static:all"])
def test_nobody_is_told_where_an_administrator_chose_who_may(users: str) -> None:
    """Whoever names who may hand in has thought of it."""
    assert not find(["shop.example"], mydestination="shop.example", authorized_submit_users=users)
