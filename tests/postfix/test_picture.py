"""The picture in README.md is what the real program does."""

from typing import TYPE_CHECKING

from private.mailhost import MailHost

from ..pages import picture
from ..pages.blocks import ROOT

if TYPE_CHECKING:
    from private.postgres import Postgres


def test_the_picture_is_what_three_people_get(postgres: "Postgres", migrated: str) -> None:
    """If not, and it should be: `tests/docs --write`."""
    uri = postgres.create_database("picture", template=migrated)
    picture.prepare(uri)
    with MailHost(uri) as host:
        assert picture.find((ROOT / "README.md").read_text()) == picture.draw(host)
    postgres.drop_database("picture")
