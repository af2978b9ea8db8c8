"""Alerts and dashboard ask for what is served; alerts fire when they should and say what to do."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from conversation_tracker.telemetry.counters import Metrics
from conversation_tracker.telemetry.exporter import Tracked

FOLDER = Path(__file__).parents[3] / "docs" / "monitoring"
RULES = FOLDER / "alerts.yml"
PREFIX = "conversation_tracker_"
NOT_OURS = {"instance", "job"}  # Prometheus adds them to each sample
ASKED = re.compile(r"\b(conversation_tracker_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')

# Each alert: after how many minutes it fires, and what its series hold from one to the next.
FIRES: dict[str, tuple[int, dict[str, str]]] = {
    "TrackerDown": (5, {'up{job="conversation-tracker",instance="mx"}': "0+0x10"}),
    "TrackerWithoutWorkers": (3, {"workers": "0+0x10"}),
    "TrackerDatabaseAway": (3, {"workers_without_database": "2+0x10"}),
    "TrackerWebhookBehind": (8, {"webhooks_behind_seconds": "3700+60x10"}),
    "TrackerWebhookEventsDead": (5, {"webhook_events_dead": "0 0 3+0x20"}),
    "TrackerFeedBehind": (5, {"feed_behind_seconds": "70+60x10"}),
    "TrackerTextsBehind": (5, {"texts_behind_seconds": "70+60x10"}),
    "TrackerFailures": (5, {'messages_total{outcome="failed",direction="none"}': "0 0 1+0x20"}),
    "TrackerWorkersDie": (10, {"worker_restarts_total": "0 0 1 2 3+0x20"}),
    "TrackerWorkersEnded": (
        10,
        {"workers_overdue_total": "0 0 1+0x60", "workers_outgrown_total": "0+0x60"},
    ),
    "TrackerMessageCondemned": (10, {"messages_condemned_total": "0 0 1+0x60"}),
    "TrackerPoolWaits": (10, {"pool_waiting": "3+0x20"}),
    "TrackerOrderLocked": (10, {"order_locked_total": "0 0 1+0x20"}),
    "TrackerSlow": (
        30,
        {
            'message_seconds_bucket{le="2.5"}': "0+90x60",
            'message_seconds_bucket{le="5.0"}': "0+100x60",
            'message_seconds_bucket{le="+Inf"}': "0+100x60",
        },
    ),
    "TrackerDefersMail": (
        45,
        {
            'refused_recipients_total{reply="451 4.3.0"}': "0+5x60",
            'refused_messages_total{reply="451 4.7.1"}': "0+5x60",
        },
    ),
    "TrackerUnknownAliases": (80, {'refused_recipients_total{reply="550 5.1.1"}': "0+3x90"}),
    "TrackerCannotMask": (50, {'refused_messages_total{reply="554 5.6.0"}': "0+1x60"}),
    "TrackerNoMail": (460, {'messages_total{outcome="untouched",direction="none"}': "7+0x500"}),
    "TrackerVersionsDiffer": (
        1450,
        {
            'build_info{version="1",instance="a"}': "1+0x1500",
            'build_info{version="2",instance="b"}': "1+0x1500",
        },
    ),
}
QUIET = {
    'up{job="conversation-tracker",instance="mx"}': "1+0x500",
    "workers": "2+0x500",
    "workers_without_database": "0 1 0+0x500",
    "feed_behind_seconds": "0 70 5 0 50+0x500",
    "texts_behind_seconds": "0 80 5 0 55+0x500",
    "webhooks_behind_seconds": "0 3601 2 0 600+0x500",
    "webhook_events_dead": "0+0x500",
    'messages_total{outcome="failed",direction="none"}': "3+0x500",
    'messages_total{outcome="forwarded",direction="inbound"}': "0+5x500",
    "worker_restarts_total": "0 1+0x500",
    "workers_overdue_total": "0+0x500",
    "workers_outgrown_total": "0+0x500",
    "messages_condemned_total": "0+0x500",
    "pool_waiting": "0 2 2 2 0+0x500",
    "order_locked_total": "4+0x500",
    'message_seconds_bucket{le="2.5"}': "0+100x500",
    'message_seconds_bucket{le="+Inf"}': "0+101x500",
    'refused_recipients_total{reply="550 5.1.1"}': "0+1x500",
    'refused_recipients_total{reply="451 4.3.0"}': "0+1x500",
    'refused_messages_total{reply="451 4.7.1"}': "0+1x500",
    'refused_messages_total{reply="554 5.6.0"}': "0 1 2 3+0x500",
    'build_info{version="1",instance="a"}': "1+0x500",
}


@cache
def served() -> dict[str, list[dict[str, str]]]:
    """Return the labels of every sample that is really served, by its name."""
    metrics = Metrics()
    metrics.share()
    found: dict[str, list[dict[str, str]]] = {}
    for family in Tracked(metrics).collect():
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def unknown(expression: str) -> Iterator[str]:
    """Yield what an expression asks for that no sample has."""
    for name, matchers in ASKED.findall(expression):
        labels = {key: (sign, value) for key, sign, value in MATCHER.findall(matchers)}
        wanted = {key: each for key, each in labels.items() if key not in NOT_OURS}
        if not any(
            all(key in sample and _fits(sample[key], *each) for key, each in wanted.items())
            for sample in served().get(name, [])
        ):
            yield f"{name} {wanted}"
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        names = {key for samples in served().values() for sample in samples for key in sample}
        yield from {each.strip() for each in grouped.split(",")} - names - NOT_OURS


def _fits(value: str, sign: str, wanted: str) -> bool:
    return bool(re.fullmatch(wanted, value)) if sign == "=~" else (value == wanted) is (sign == "=")


def alerts() -> dict[str, str]:
    """Return the text of each alert by its name."""
    parts = re.split(r"^      - alert: (\w+)\n", RULES.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def expressions() -> list[str]:
    """Return what the dashboard asks for, with its variables filled in."""
    asked = [target["expr"] for panel in board()["panels"] for target in panel["targets"]]
    asked += [
        f"count({each['definition'].removeprefix('label_values(').rpartition(',')[0]})"
        for each in board()["templating"]["list"]
        if each["type"] == "query"
    ]
    return [
        each.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$job", "x")
        for each in asked
    ]


def run(*words: str | Path) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("expression", "faults"),
    [
        ("rate(conversation_tracker_nothing_total[5m])", 1),
        ('conversation_tracker_messages_total{outcome="lost"}', 1),
        ('conversation_tracker_messages_total{outcome=~"f.*"}', 0),
        ("sum by (outcome, word) (conversation_tracker_messages_total)", 1),
    ],
)
def test_what_is_not_served_is_found(expression: str, faults: int) -> None:
    assert len(list(unknown(expression))) == faults


def test_every_alert_asks_for_what_is_served_and_says_what_to_do() -> None:
    run("check", "rules", RULES)
    for name, text in alerts().items():
        assert list(unknown(text.partition("labels:")[0])) == [], name
        assert re.search(r"labels: \{severity: (critical|warning)\}", text), name
        assert re.search(r'summary: "[^"]{20,}"\n\s+action: "[^"]{20,}"', text), name
    comments = re.findall(r"^      #.*\n      - alert: ", RULES.read_text(), re.MULTILINE)
    assert len(comments) == len(alerts())


def series(name: str) -> str:
    return name if name.startswith("up{") else PREFIX + name


def scenario(inputs: dict[str, str], minutes: int, firing: list[str]) -> str:
    """Return one test of promtool's: which alerts fire after so many minutes of these series."""
    lines = ["  - interval: 1m", "    input_series:"]
    for name, values in inputs.items():
        lines += [f"      - series: '{series(name)}'", f"        values: '{values}'"]
    expected = [f"{{labels: '{{alertname=\"{each}\"}}', value: 1}}" for each in firing]
    lines += [
        "    promql_expr_test:",
        """      - expr: 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0'""",
        f"        eval_time: {minutes}m",
        f"        exp_samples: [{', '.join(expected)}]",
    ]
    return "\n".join(lines)


def test_every_alert_fires_when_it_should_and_no_other(tmp_path: Path) -> None:
    """One scenario each; and none fires while all is well, also where a moment was not."""
    assert FIRES.keys() == alerts().keys()
    tests = [scenario(QUIET, minutes, []) for minutes in (5, 90, 300)]
    tests += [scenario(inputs, minutes, [name]) for name, (minutes, inputs) in FIRES.items()]
    file = tmp_path / "alerts.test.yml"
    head = f"rule_files: ['{RULES}']\nevaluation_interval: 1m\ntests:\n"
    file.write_text(head + "\n".join(tests) + "\n")
    run("test", "rules", file)


def test_the_dashboard_asks_for_what_is_served(tmp_path: Path) -> None:
    for each in expressions():
        assert list(unknown(each)) == [], each
    rules = [{"record": f"x{n}", "expr": each} for n, each in enumerate(expressions())]
    file = tmp_path / "rules.json"  # which is YAML, too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    run("check", "rules", file)


def test_the_dashboard_shows_every_metric() -> None:
    asked = {name for each in expressions() for name, _ in ASKED.findall(each)}
    parts = {f"{PREFIX}message_seconds_{each}" for each in ("sum", "count")}
    assert served().keys() - parts - asked == set()


def test_every_panel_is_described_and_none_lies_on_another() -> None:
    places = {}
    for panel in board()["panels"]:
        assert panel["title"]
        assert len(panel["description"]) > 10
        at = panel["gridPos"]
        places[panel["title"]] = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
    assert len(places) == len(board()["panels"])
    for one, other in combinations(places.values(), 2):
        assert not one & other
    named = {
        each
        for panel in board()["panels"]
        for each in re.findall(r"Tracker[A-Z]\w+", panel["description"])
    }
    assert named <= alerts().keys()
