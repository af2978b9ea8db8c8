"""What was measured: as JSON, as a table to read, and as a section of a page."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import wrap
from typing import Any

from bench.through import Cost

Results = dict[str, dict[str, list[float]]]
Costs = dict[str, dict[str, list[Cost]]]

_WIDTH = 118
_BEGIN = "<!-- written by tests/benchmark --table -->"
_END = "<!-- end of what tests/benchmark --table writes -->"
_SECTION = re.compile(f"{re.escape(_BEGIN)}\n.*?{re.escape(_END)}\n", re.DOTALL)
_KINDS = {
    "text": "4 kB of text",
    "html": "40 kB of html that quotes a reply",
    "files": "2 MB with two pictures",
    "several": "4 kB of text for two recipients",
}
_TITLES = {
    "through": "Through Postfix",
    "direct": "By the milter protocol",
    "records": "Recorded alone",
    "statements": "Statements, of the asker's processor",
}
_NAMES = {
    "none": "no milter",
    "idle": "a milter in C that takes all callbacks and does nothing",
    "edit": "a milter in C that makes the tracker's edits and does nothing else",
    "opendkim": "OpenDKIM, signing",
    "rspamd": "rspamd, without what asks the network",
    "tracker": "tracker, masked and recorded",
    "one alias": "tracker, all for one alias",
    "not ours": "tracker, mail that is not its business",
}


def summary(
    through: Costs, direct: Results, records: Results, statements: Results
) -> dict[str, Any]:
    """Return medians, and each as a share of the first one of its group.

    Args:
        through: what mail through Postfix took in each round, by kind of mail and variant.
        direct: messages a second by the milter protocol, by kind of mail and connections.
        records: the same for recording alone, by connections.
        statements: how many in a second of the asker's processor, by statement and way.
    """
    rates = {
        group: {name: [each.rate for each in costs] for name, costs in variants.items()}
        for group, variants in through.items()
    }
    told = {"through": rates, "direct": direct, "records": records, "statements": statements}
    made = {name: _groups(results) for name, results in told.items()}
    for group, variants in through.items():
        for name, costs in variants.items():
            made["through"][group][name]["cpu_ms"] = {
                "postfix": round(median(each.postfix_ms for each in costs), 2),
                "milter": round(median(each.milter_ms for each in costs), 2),
                "database": round(median(each.database_ms for each in costs), 2),
            }
    return made


def _groups(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for group, variants in results.items():
        first = next(iter(variants.values()))
        made[group] = {
            name: {
                "median": round(median(rates), 1),
                "ratio": round(_share(rates, first), 3),
                "rates": [round(each, 1) for each in rates],
            }
            for name, rates in variants.items()
        }
    return made


def _share(rates: Sequence[float], first: Sequence[float]) -> float:
    """Compare round by round: what slows the machine down slows both."""
    return median(one / other for one, other in zip(rates, first, strict=True))


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table's lines."""
    for key, title in _TITLES.items():
        if told[key]:
            yield f"{title:44}{'per second':>12}{'ratio':>8}"
        for group, variants in told[key].items():
            for name, values in variants.items():
                line = f"  {group:18}{name:24}{values['median']:12.0f}{values['ratio']:8.2f}"
                yield line + _list_times(values.get("cpu_ms", {}))
    for name, values in told["used"].items():
        shown = ", ".join(f"{what.replace('_', ' ')} {value:.2f}" for what, value in values.items())
        yield f"  {name}: {shown}"
    if told["megabytes"]:
        shown = ", ".join(f"{each:.0f}" for each in told["megabytes"])
        yield f"Resident memory of each worker after 50 connections: {shown} MB"


def _list_times(used: Mapping[str, float]) -> str:
    return "".join(f"  {what} {value:.2f} ms" for what, value in used.items() if value)


def require_section(page: Path) -> None:
    """See that a page has the two marks, before minutes are spent on what belongs between them.

    Raises:
        RuntimeError: it has not.
    """
    if len(_SECTION.findall(page.read_text())) != 1:
        raise RuntimeError(f"{page} has not got the line {_BEGIN} once, with its end")


def write_section(page: Path, through: Mapping[str, Any], how: str) -> None:
    """Write the section of a page that holds the table anew.

    Args:
        page: a Markdown file that has the two marks.
        through: what `summary` says of mail through Postfix.
        how: how often what was sent.
    """
    said = wrap(f"{_describe()} {how}", _WIDTH)
    section = "\n".join([_BEGIN, *said, "", *_rows(through), _END, ""])
    page.write_text(_SECTION.sub(lambda _: section, page.read_text()))


def _describe() -> str:
    """Say where and when it was measured."""
    now = datetime.now(UTC)
    version = _ask("psql", "--version").split()[2]
    return (
        f"Measured by `tests/benchmark --table` on {now.day} {now:%B %Y}: {_find_processors()},"
        f" Postfix {_ask('postconf', '-h', 'mail_version')}, PostgreSQL {version} with fsync,"
        f" Python {platform.python_version()}."
    )


def _rows(through: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows; a share is of the first variant's messages a second."""
    columns = ("mail", "through Postfix with", "a second", "share")
    times = ("Postfix, ms", "milter, ms", "PostgreSQL, ms", "together")
    yield f"| {' | '.join(columns + times)} |"
    yield "|---" * len(columns + times) + "|"
    for kind, variants in through.items():
        shown = _KINDS[kind]
        for name, values in variants.items():
            used = values["cpu_ms"]
            cells = [
                shown,
                _NAMES[name],
                f"{values['median']:.0f}",
                f"{values['ratio']:.2f}",
                f"{used['postfix']:.2f}",
                f"{used['milter']:.2f}" if name != "none" else "",
                f"{used['database']:.2f}" if used["database"] else "",
                f"{sum(used.values()):.1f}",
            ]
            yield "| " + " | ".join(cells) + " |"
            shown = ""


def _find_processors() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    return f"{os.cpu_count()} processors ({model[1].strip() if model else platform.machine()})"


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
