"""The whole system, on a real Postfix: every file in cases/ is played as it stands there."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .casefile import Case, read
from .player import Player
from .stage import Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

CASES = [read(path) for path in sorted((Path(__file__).parent / "cases").glob("*.case"))]
Options = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def stages(postgres: "Postgres", migrated: str) -> Iterator[Callable[[Options], Stage]]:
    """Return a mail host by its tracker's configuration; each is started once."""
    started: dict[Options, Stage] = {}
    with ExitStack() as stack:

        def found(options: Options) -> Stage:
            if options not in started:
                host = stage(postgres, migrated, options=dict(options))
                started[options] = stack.enter_context(host)
            return started[options]

        yield found


@pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
def test_case(case: Case, stages: Callable[[Options], Stage]) -> None:
    """What the file's first lines say."""
    Player(stages(case.options), case).play()
