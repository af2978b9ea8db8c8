"""What was measured, as a table to read and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

Results = dict[str, dict[str, list[float]]]


def summary(through: Results, direct: Results, records: Results) -> dict[str, Any]:
    """Return medians, and each as a share of the first one of its group.

    Args:
        through: messages a second through Postfix in each round, by kind of mail and variant.
        direct: the same for the milter protocol, by kind of mail and connections.
        records: the same for recording alone, by connections.
    """
    groups = {"through": through, "direct": direct, "records": records}
    return {name: _groups(results) for name, results in groups.items()}


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
    titles = ("Through Postfix", "By the milter protocol", "Recorded alone")
    for title, key in zip(titles, ("through", "direct", "records"), strict=True):
        if told[key]:
            yield f"{title:44}{'per second':>12}{'ratio':>8}"
        for group, variants in told[key].items():
            for name, values in variants.items():
                yield f"  {group:18}{name:24}{values['median']:12.0f}{values['ratio']:8.2f}"
    for name, values in told["used"].items():
        shown = ", ".join(f"{what.replace('_', ' ')} {value:.2f}" for what, value in values.items())
        yield f"  {name}: {shown}"
    if told["megabytes"]:
        shown = ", ".join(f"{each:.0f}" for each in told["megabytes"])
        yield f"Resident memory of each worker after 50 connections: {shown} MB"
