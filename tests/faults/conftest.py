"""One site for all tests of this folder; each begins with empty books and leaves it whole."""

from collections.abc import Iterator

import pytest

from .site import Site


@pytest.fixture(scope="session")
def standing() -> Iterator[Site]:
    """The servers."""
    with Site() as site:
        yield site


@pytest.fixture
def site(standing: Site) -> Iterator[Site]:
    """The servers, with nothing counted yet; at the end all is counted."""
    standing.fresh()
    yield standing
    assert standing.counted() == []
    assert standing.ledger.outcomes()["taken"] > 0
