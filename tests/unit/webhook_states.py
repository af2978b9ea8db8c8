"""The state of a webhook as the database gives it: one that works, but for what a test changes."""

from datetime import UTC, datetime

from conversation_tracker.database.publishing.webhooks import WebhookState

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def make_webhook(**changes: object) -> WebhookState:
    values: dict[str, object] = {
        "webhook": 7,
        "store": "shop",
        "url": "https://hooks.example.com:8443/T0/B1?key=hidden",
        "events": (),
        "active": True,
        "gone_at": None,
        "lost_at": None,
        "delivered_at": NOW,
        "failing_since": None,
        "waiting": 0,
        "waiting_since": None,
        "dead": 0,
        "said": None,
        "behind_since": None,
    }
    return WebhookState(**(values | changes))  # type: ignore[arg-type]
