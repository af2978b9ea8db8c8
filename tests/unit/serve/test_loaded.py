"""What `serve` loads, and when: a worker holds no module that its mail does not need.

Each is tried in a process of its own, as the modules of this one are those of all tests.
"""

import subprocess
import sys
from importlib.util import find_spec

import pytest

# Beside libmilter, the driver of the database and the log; none of them is for `serve`.
OF_OTHERS = (
    *("bleach", "cryptography", "dns", "jinja2", "prometheus_client", "starlette", "urllib3"),
    *("uvicorn", "wcwidth", "http", "multiprocessing", "unittest", "urllib.request", "xml"),
    *("sqlite3", "tarfile", "gzip"),
)
# What few messages need, it loads with the first of them.
OF_FEW_MESSAGES = (
    *("html", "idna", "zstandard"),
    *(
        f"conversation_tracker.core.{name}"
        for name in (
            "masking.container.document.pdf_encryption",
            "masking.container.document.pdf_filters",
            "masking.container.document.pdf_fonts",
            "masking.container.document.pdf_page",
            "reports.bounce_text",
            "reports.delivery_status",
            "reports.notice",
            "reports.redaction",
            "reports.report",
            "scanning.carving",
            "scanning.pdf",
            "views.cut_leaks",
        )
    ),
)
_SERVE = """\
import sys
import conversation_tracker.cli.main
import conversation_tracker.serve.startup
import conversation_tracker.serve.supervisor
"""
_PLAN = """
before = set(sys.modules)
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation, Order, Participant
from conversation_tracker.core.model.message import Message, Recipient, parse
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.planning import plan
john, desk = Address.parse("john@doe.example"), Address.parse("desk@carrier.example")
people = Participant("b" * 32, "buyer", john), Participant("a" * 32, "partner", desk)
order = Conversation(Store("shop"), Order(7, "1001", "207700027841", "ct.example.com"), people)
to = Address.parse("b" * 32 + "@ct.example.com")
headers, body = parse({raw!r})
recipient = Recipient(("<" + str(to) + ">").encode(), to, 7, "b" * 32)
done = plan(Message(desk, (recipient,), headers, body), [order], lambda: "c" * 32)
assert done.reply is None, done.reply
"""
HEAD = (
    "Received: from a.example by b.example; Mon, 23 Nov 2026 12:00:00 +0000\n"
    "From: =?utf-8?q?J=C3=A9r=C3=B4me?= <desk@carrier.example>\n"
    f"To: <{'b' * 32}@ct.example.com>\nSubject: =?utf-8?q?Your_parcel_=E2=80=93_news?=\n"
    "Message-ID: <1@carrier.example>\nMIME-Version: 1.0\n"
)
MAIL = {
    "text": "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    "Grüße an john@doe.example\n> yours\n-- \ndesk@carrier.example\n",
    "html": "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n"
    '\n<html><body><p class=3D"x">Gr=C3=BC=C3=9Fe john@doe.example &amp; you</p>\n'
    '<a href=3D"mailto:desk@carrier.example">us</a></body></html>\n',
}


def load(code: str) -> set[str]:
    """Run a program; return the modules that it has loaded at its end."""
    show = code + "\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_serve_loads_nothing_that_only_others_or_few_messages_need() -> None:
    loaded = load(_SERVE + "before = set()")
    assert loaded.isdisjoint(OF_OTHERS)
    assert loaded.isdisjoint(OF_FEW_MESSAGES)
    assert "conversation_tracker.core.rules.planning" in loaded


@pytest.mark.parametrize("name", [*OF_OTHERS, *OF_FEW_MESSAGES])
def test_what_is_not_loaded_is_there(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("kind", MAIL)
def test_a_usual_message_loads_nothing_more(kind: str) -> None:
    """What each message needs is loaded before the first, once for all workers."""
    raw = (HEAD + MAIL[kind]).encode()
    assert load(_SERVE + _PLAN.format(raw=raw)) <= {"html", "html.entities"}
