"""What `erase` says and leaves behind, and that a restored backup can be made to forget again."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from records import map_identifier
from tracker_command import JOHN, Tracker, record

from private.postgres import binaries

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

PARTNER = "partner0@partner.example"
ERASE = "SELECT * FROM tracker.erase_person(%s, %s)"


def erased(shop: "Shop", address: str, *, messages: bool = False) -> dict[str, object]:
    return shop.row(ERASE, address, messages)


def test_what_was_done_is_counted(shop: "Shop") -> None:
    for number in ("1", "2"):
        shop.mask("john@doe.example", number)
    shop.mask("desk@carrier.example")
    shop.mask("john+shop@doe.example", "3")
    map_identifier(shop, "<john=doe.example@carrier.example>", "desk@carrier.example")
    map_identifier(shop, "<own@doe.example>", "john@doe.example")
    apart = "bounce+john=doe.example@esp.example"
    shop.unmask(shop.mask("john@doe.example", "1"))
    shop.connection.execute(
        "WITH p AS (INSERT INTO tracker.participants (order_id, token, role, introduced)"
        "   SELECT id, gen_random_uuid(), 'return', false FROM tracker.orders"
        "    WHERE store = %s AND number = '1' RETURNING id, order_id)"
        " INSERT INTO tracker.return_addresses SELECT id, order_id, %s FROM p",
        (shop.name, apart),
    )
    done = erased(shop, "John@DOE.example")
    assert done == {
        "orders": 2,
        "aliases": 2,
        "return_paths": 1,
        "identifiers": 3,
        "names": 0,
        "deleted": 0,
        "kept": 0,
        "kept_until": None,
        "unmaskings": 1,
        "tagged": 1,
    }
    kinds = shop.rows("SELECT kind, count(*) FROM tracker.erasures GROUP BY kind ORDER BY kind")
    assert kinds == [("address", 1), ("identifier", 2)]
    assert shop.one("SELECT tracker.erase('john@doe.example')") == 0


def test_the_command_says_what_stays_and_why(tracker: Tracker) -> None:
    record(tracker)
    alias = tracker.sql("SELECT tracker.mask('shop', '1', %s)", JOHN)[0][0]
    tracker("unmask", str(alias), "--reason", "parcel came back")
    tracker("mask", "shop", "2", "john.doe+shop@example.org")
    result = tracker("erase", JOHN)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[:4] == [
        "erased from 1 order",
        "  1 alias stops working (550 5.2.1)",
        "  the name taken out of 1 recorded message",
        "what stays, and why:",
    ]
    rest = "\n".join(lines[4:])
    for said in (
        "1 recorded message of these orders, masked, until 2028-01-31",
        "names too",
        # Nobody finds them by the address any more: who does it again deletes nothing.
        "erase --messages would have deleted what they wrote or got",
        "1 note that an alias was unmasked",
        "1 address like this one with a +tag",
        "Postfix's log",
        "others' mailboxes",
        "erase --again",
    ):
        assert said in rest
    assert "john" not in result.out.lower()


def test_messages_they_wrote_or_got_go_if_that_is_wanted(tracker: Tracker) -> None:
    """And no others: the partner's to a colleague stays, and so does another order."""
    record(tracker, states=("accepted", "accepted"))
    count = "SELECT count(*) FROM tracker.messages"
    assert tracker.sql(count) == [(1,)]
    ids = "SELECT id FROM tracker.participants WHERE address = %s"
    copy = (
        "INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id,"
        " sender_name, message_id, subject, first_words, size, attachment_names, automatic,"
        " auto_reply, verdict, notes, raw) SELECT order_id, %s, '', 'internal', (" + ids + "),"
        " '', '', %s, '', 1, '{}', false, false, 'trusted', '{}', '' FROM tracker.messages LIMIT 1"
        " RETURNING id, at"
    )
    tracker.sql(copy, b"a", PARTNER, "to a colleague")
    [(number, at)] = tracker.sql(copy, b"b", PARTNER, "to john")
    tracker.sql(
        "INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)"
        " VALUES (%s, %s, (" + ids + "), gen_random_uuid(), '')", number, at, JOHN,
    )  # fmt: skip
    tracker.sql("UPDATE tracker.orders SET waiting_since = '2026-01-31 23:30 UTC'")
    tracker.sql(
        "INSERT INTO tracker.refusals (order_id, digest, author_id, subject, reply)"
        " SELECT order_id, 'x', id, 'His', '550 5.7.1 No' FROM tracker.participants"
        "  WHERE address = %s", JOHN,
    )  # fmt: skip
    result = tracker("erase", "--messages", JOHN)
    assert result.code == 0
    assert "2 recorded messages deleted, which they wrote or got" in result.out
    assert "erase --messages" not in result.out
    assert tracker.sql("SELECT subject FROM tracker.messages") == [("to a colleague",)]
    assert tracker.sql("SELECT count(*) FROM tracker.refusals") == [(0,)]
    assert tracker.sql("SELECT waiting_since FROM tracker.orders") == [(None,)]


@pytest.mark.parametrize(
    "given",
    [
        (),
        (JOHN, "--list", "-"),
        (JOHN, "--again", "-"),
        ("--messages",),
        ("--list", "-", "--again", "-"),
        ("--list", "-", "--messages"),
    ],
)
def test_one_thing_at_a_time(tracker: Tracker, given: tuple[str, ...]) -> None:
    result = tracker("erase", *given)
    assert (result.code, result.out) == (2, "")


def test_the_trace_has_who_and_no_address(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker("erase", JOHN, SUDO_USER="anna")
    [(user, actor, kind, length)] = tracker.sql(
        "SELECT db_user, actor, kind, octet_length(digest) FROM tracker.erasures"
    )
    assert (user, actor, kind, length) == ("postgres", "anna", "address", 32)
    listed = tracker("erase", "--list", "-").out
    assert listed.startswith("conversation-tracker erasures ")
    assert "john" not in listed


def test_a_list_is_kept_as_long_as_a_backup_can_undo_it(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker("erase", JOHN)
    assert tracker.sql(
        "SELECT keep_until::date = (now() + interval '2 years')::date FROM tracker.erasures"
    ) == [(True,)]
    assert tracker("expire").code == 0
    assert tracker.sql("SELECT count(*) FROM tracker.erasures") == [(1,)]
    tracker.sql("UPDATE tracker.erasures SET keep_until = now() - interval '1 hour'")
    assert tracker("expire").code == 0
    assert tracker.sql("SELECT count(*) FROM tracker.erasures") == [(0,)]
    # An order that lives for longer than messages are kept.
    tracker.sql("UPDATE tracker.stores SET message_retention = '1 day'")
    tracker("mask", "shop", "2", JOHN)
    tracker("erase", JOHN)
    assert tracker.sql("SELECT keep_until > now() + interval '50 days' FROM tracker.erasures") == [
        (True,)
    ]


def dump(uri: str, path: Path) -> None:
    subprocess.run([binaries() / "pg_dump", "-Fc", "-f", path, "-d", uri], check=True)


def restore(postgres: "Postgres", path: Path, uri: str) -> str:
    """Put a dump in the place of a database."""
    name = psycopg.conninfo.conninfo_to_dict(uri)["dbname"]
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    command = [binaries() / "pg_restore", "--exit-on-error", "-d", uri, path]
    subprocess.run(command, check=True)
    return uri


def test_a_restored_backup_forgets_again(
    tracker: Tracker, postgres: "Postgres", tmp_path: Path
) -> None:
    """By the list alone: nobody has to know who was erased."""
    record(tracker)
    tracker.sql(
        "INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)"
        " SELECT order_id, 'x', %s, id FROM tracker.participants WHERE address = %s",
        "<ann=far.example@partner.example>", PARTNER,
    )  # fmt: skip
    tracker("mask", "shop", "2", "j.ane@gmail.com")
    tracker("mask", "shop", "3", "stays@example.org")
    dump(tracker.database, tmp_path / "backup")
    # Ann takes part in nothing: what holds her address is another's identifier.
    for address in (JOHN, "jane@googlemail.com", "ann@far.example"):
        assert tracker("erase", address).code == 0
    left = "SELECT address FROM tracker.participants WHERE address IS NOT NULL ORDER BY address"
    gone = tracker.sql(left)
    assert gone == [(PARTNER,), ("stays@example.org",)]
    names = "SELECT sender_name FROM tracker.messages"
    mapped = "SELECT count(*) FROM tracker.message_ids"
    assert tracker.sql(names) == [("",)]
    kept = tmp_path / "erasures"
    assert tracker("erase", "--list", str(kept)).code == 0
    assert kept.stat().st_mode & 0o777 == 0o600

    restore(postgres, tmp_path / "backup", tracker.database)
    assert len(tracker.sql(left)) == 4
    assert tracker.sql(names) == [("John Doe",)]
    assert tracker.sql(mapped) == [(1,)]
    result = tracker("erase", "--again", str(kept))
    assert (result.code, result.out) == (0, "erased again: 2 addresses that had come back\n")
    assert tracker.sql(left) == gone
    assert tracker.sql(names) == [("",)]
    assert tracker.sql(mapped) == [(0,)]
    # The list is whole again, for the next time; and again is as good as once.
    lines = kept.read_text().splitlines()
    now = tracker("erase", "--list", "-").out.splitlines()
    assert {line.split()[-1] for line in now} == {line.split()[-1] for line in lines}
    result = tracker("erase", "--again", str(kept))
    assert result.out == "erased again: 0 addresses that had come back\n"


def test_messages_that_a_restored_backup_brings_back_go_again(
    tracker: Tracker, postgres: "Postgres", tmp_path: Path
) -> None:
    """Theirs alone, and only of those whose messages were deleted; what came later stays."""
    people = (JOHN, "jane@gmail.com", "ann@far.example")
    for number, address in enumerate(people, 1):
        tracker("mask", "shop", str(number), address)
    tracker.sql(
        "INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id,"
        " sender_name, message_id, subject, first_words, size, attachment_names, automatic,"
        " auto_reply, verdict, notes, raw, at)"
        " SELECT order_id, convert_to(p.id || t.what, 'UTF8'), '', 'inbound', p.id, '', '',"
        "        o.number || ' ' || t.what, '', 1, '{}', false, false, 'trusted', '{}', '',"
        "        now() + t.after"
        "   FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id,"
        "        (VALUES ('old', interval '-1 day'), ('new', interval '1 day')) AS t(what, after)"
    )
    subjects = "SELECT array_agg(subject ORDER BY subject) FROM tracker.messages"
    dump(tracker.database, tmp_path / "backup")
    assert tracker("erase", "--messages", JOHN).code == 0
    assert tracker("erase", "--messages", "J.ane@googlemail.com").code == 0
    assert tracker("erase", "ann@far.example").code == 0
    assert tracker.sql(subjects) == [(["3 new", "3 old"],)]
    assert tracker("erase", "--list", str(tmp_path / "erasures")).code == 0
    for _restored in range(2):  # the second time with the list that the first left
        restore(postgres, tmp_path / "backup", tracker.database)
        assert tracker("erase", "--again", str(tmp_path / "erasures")).code == 0
        assert tracker.sql(subjects) == [(["1 new", "2 new", "3 new", "3 old"],)]
        assert tracker("erase", "--list", str(tmp_path / "erasures")).code == 0


def test_who_came_back_after_they_were_erased_stays(tracker: Tracker, tmp_path: Path) -> None:
    """The backup is younger than that: their new alias works on."""
    tracker("mask", "shop", "1", JOHN)
    tracker("erase", JOHN)
    tracker.sql("UPDATE tracker.erasures SET at = at - interval '1 hour'")
    alias = tracker("mask", "shop", "2", JOHN).out.strip()
    assert tracker("erase", "--list", str(tmp_path / "erasures")).code == 0
    result = tracker("erase", "--again", str(tmp_path / "erasures"))
    assert result.out == "erased again: 0 addresses that had come back\n"
    assert tracker("unmask", alias, "--reason", "a test").out == f"{JOHN}\n"
    # Who was there in the very second of a list, which has no fractions, goes.
    tracker.sql(
        "UPDATE tracker.erasures SET at = p.joined_at FROM tracker.participants AS p"
        " WHERE p.address IS NOT NULL"
    )
    assert tracker("erase", "--list", str(tmp_path / "erasures")).code == 0
    result = tracker("erase", "--again", str(tmp_path / "erasures"))
    assert result.out == "erased again: 1 address that had come back\n"


LINE = "2026-11-29T10:00:00Z 2028-11-29T10:00:00Z address " + "0" * 64 + "\n"
END = "end of list, erasures: 0\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("something else\n", "no list of erasures"),
        ("conversation-tracker erasures 00\n" + END, "another database"),
        (f"HEAD{LINE[:60]}\n{END}", "line 2"),
        ("HEAD2026-11-29 2028-11-29T10:00:00Z address " + "0" * 64 + "\n", "line 2"),
        ("HEADnow then who " + "0" * 64 + "\n", "line 2"),
        ("HEAD2026-11-29T10:00:00Z 2028-11-29T10:00:00Z address " + "g" * 64 + "\n", "line 2"),
        ("HEAD", "not whole"),
        (f"HEAD{LINE}", "not whole"),
        (f"HEAD{LINE}{END}", "not whole, or lines were added before its end"),
        (f"HEAD{LINE}{END.replace('0', '2')}", "1 erasure, and its end says 2"),
        (f"HEAD{LINE}HEAD{LINE}{END.replace('0', '1')}", "line 3: the list before it is not whole"),
        (
            f"HEAD{END}{LINE}{END.replace('0', '1')}",
            "line 4: the end of a list that does not begin",
        ),
    ],
)
def test_what_is_no_list_changes_nothing(
    tracker: Tracker, tmp_path: Path, text: str, says: str
) -> None:
    head = tracker("erase", "--list", "-").out.removesuffix(END)
    (tmp_path / "list").write_text(text.replace("HEAD", head))
    result = tracker("erase", "--again", str(tmp_path / "list"))
    assert (result.code, result.out) == (2, "")
    assert says in result.complaint
    assert tracker.sql("SELECT count(*) FROM tracker.erasures") == [(0,)]


def test_a_list_that_is_cut_is_none(tracker: Tracker, tmp_path: Path) -> None:
    """Wherever it is cut, at the end of a line too; its very last line end is no loss."""
    for number in range(10):
        tracker("mask", "shop", "1", f"john{number}@doe.example")
        tracker("erase", f"john{number}@doe.example")
    whole = tracker("erase", "--list", "-").out
    assert whole.endswith("\nend of list, erasures: 10\n")
    tracker.sql("DELETE FROM tracker.erasures")
    lines = whole.splitlines(keepends=True)
    for text in ("".join(lines[:-1]), "".join(lines[:5]), whole[:-2], whole[:-200], lines[0]):
        (tmp_path / "list").write_text(text)
        result = tracker("erase", "--again", str(tmp_path / "list"))
        assert (result.code, result.out) == (2, ""), text
        assert tracker.sql("SELECT count(*) FROM tracker.erasures") == [(0,)]
    # Several at once, and what is added by hand behind the end.
    (tmp_path / "list").write_text(f"{whole}{LINE}\n{whole.strip()}")
    assert tracker("erase", "--again", str(tmp_path / "list")).code == 0
    assert tracker.sql("SELECT count(*) FROM tracker.erasures") == [(11,)]


def test_the_servers_log_has_the_digest(tracker: Tracker, postgres: "Postgres") -> None:
    """Which a restore does not take back; and no address, with the role's parameters quoted."""
    tracker("mask", "shop", "1", JOHN)
    with psycopg.connect(tracker.database, autocommit=True) as connection:
        connection.execute("SELECT tracker.erase(%s)", (JOHN,))
        row = connection.execute("SELECT encode(digest, 'hex') FROM tracker.erasures").fetchone()
    assert row is not None
    lines = [each for each in postgres.log_text().splitlines() if row[0] in each]
    assert [each for each in lines if "LOG:  conversation tracker: address erased" in each]
    assert "john" not in "".join(lines)
