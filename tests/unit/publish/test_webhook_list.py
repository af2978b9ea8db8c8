"""The command `webhooks`: what is shown of each webhook, and what is not."""

import json

from webhook_states import NOW, make_webhook

from conversation_tracker.support.webhooks import write_json, write_table


def test_the_state_in_a_word() -> None:
    assert make_webhook().condition == "active"
    assert make_webhook(failing_since=NOW).condition == "failing"
    assert make_webhook(active=False).condition == "off"
    assert make_webhook(active=False, failing_since=NOW).condition == "off"
    assert make_webhook(active=False, gone_at=NOW).condition == "gone"


def test_a_table_shows_the_host_and_no_more_of_the_url() -> None:
    states = [
        make_webhook(),
        make_webhook(webhook=12, events=("closed", "left out"), dead=3, waiting=14, said="500"),
    ]
    lines = list(write_table(states, 120))
    assert lines[0].split() == (
        "id store host events state waiting dead last answer delivered".split()
    )
    assert "hooks.example.com:8443" in lines[1]
    assert lines[2].split()[:1] == ["12"]
    assert "closed, left out" in lines[2]
    assert "14" in lines[2]
    assert all("hidden" not in line and "B1" not in line for line in lines)
    assert all(len(line) <= 120 for line in lines)


def test_json_has_the_same_and_no_secret() -> None:
    [told] = json.loads(write_json([make_webhook(behind_since=NOW, waiting=2)]))
    assert told == {
        "id": 7,
        "store": "shop",
        "host": "hooks.example.com:8443",
        "events": [],
        "active": True,
        "state": "active",
        "waiting": 2,
        "dead": 0,
        "lastAnswer": None,
        "delivered": "2026-11-29T12:00:00+00:00",
        "failingSince": None,
        "behindSince": "2026-11-29T12:00:00+00:00",
        "lost": None,
    }
    assert json.loads(write_json([])) == []
    assert "hidden" not in repr(make_webhook())
