"""Who joins by a message, as whom and how known, and who is left out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    OUR_STORE,
    REF,
    SHOP,
    A,
    B,
    Mail,
    S,
    applied,
    counter,
    envelope,
    fresh,
    hard,
    mail,
    order,
    own,
    person,
    soft,
    written,
)

from conversation_tracker.core.model import conversation, replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.rules.planning import plan

VERIFIED = "Authentication-Results: mx.example; dkim=pass header.d="
MANY = [f"n{number}@far.example" for number in range(98)]


def guest(address: str, token: str, **changes: Any) -> Participant:
    """Make a guest whom the database knows."""
    return replace(
        person(address, "partner", token * 32), introduced=False, handed_out=False, **changes
    )


def decided(row: Mail, authserv_id: str = "mx.example") -> Plan:
    """Plan a message with a verifier in front."""
    return plan(row.message, row.conversations, counter(), row.own, authserv_id=authserv_id)


def joined(done: Plan) -> dict[str, tuple[str, bool]]:
    """Show who joins or changes: role, and whether introduced."""
    assert done.reply is None, done.reply
    return {str(p.address): (p.role, p.introduced) for p in done.records[0].joined}


def passed(row: Mail, verdict: Any = "verified") -> Mail:
    """Make the copy that the splitter hands to the second pass."""
    arrival = replace(row.message.arrival, split=True, first_pass=FirstPass(b"d" * 32, verdict))
    return replace(row, message=replace(row.message, arrival=arrival))


# Who is introduced


@pytest.mark.parametrize(
    ("row", "introduced"),
    [
        (own(written(SHOP, f"Cc: {ANN}"), order(BUYER, SHOP), to=B), True),
        (own(written("new@shop.example", f"Cc: {ANN}"), order(BUYER), to=B), True),
        (mail(written(BUYER, f"{VERIFIED}doe.example", f"Cc: {ANN}"), order(BUYER), to=B), True),
        (mail(written(BUYER, f"Cc: {ANN}"), order(BUYER), to=B, trusted=True), True),
        # The verdict is missing, or no: a From is nobody's word.
        (mail(written(BUYER, f"Cc: {ANN}"), order(BUYER), to=B), False),
        (mail(written(BUYER, f"{VERIFIED}evil.example", f"Cc: {ANN}"), order(BUYER), to=B), False),
        # Not introduced themselves: strangers, guests, and who has a return address.
        (mail(written("x@y.example", f"Cc: {ANN}"), order(BUYER), to=B, trusted=True), False),
        (
            mail(
                written("x@y.example", f"{VERIFIED}y.example", f"Cc: {ANN}"),
                order(BUYER, guest("x@y.example", "c")),
                to=B,
            ),
            False,
        ),
        (
            mail(
                written("x@y.example", f"{VERIFIED}y.example", f"Cc: {ANN}"),
                order(BUYER, person("x@y.example", "return", "c" * 32)),
                to=B,
            ),
            False,
        ),
        # The store's own mail is that of the order's store only.
        (
            own(
                written(SHOP, f"Cc: {ANN}"), order(BUYER, store=replace(OUR_STORE, name="x")), to=B
            ),
            False,
        ),
    ],
)
def test_whose_word_introduces(row: Mail, introduced: bool) -> None:
    assert joined(decided(row))[ANN] == ("partner", introduced)


def test_answering_an_alias_introduces_nobody() -> None:
    row = mail(
        written(BUYER, f"{VERIFIED}doe.example", f"To: {hard('c')}"),
        order(BUYER, guest(ANN, "c")),
        to=hard("c"),
    )
    assert ANN not in joined(decided(row))


def test_who_is_named_by_real_address_is_introduced_though_a_guest_by_then() -> None:
    row = mail(
        written(BUYER, f"{VERIFIED}doe.example", f"To: {ANN}"),
        order(BUYER, guest(ANN, "c")),
        to=hard("c"),
    )
    assert joined(decided(row))[ANN] == ("partner", True)


def test_the_stores_mail_makes_a_guest_introduced_store_role_included() -> None:
    known = order(BUYER, guest("help@shop.example", "c"))
    row = own(written("help@shop.example", f"To: {B}"), known, to=B)
    assert joined(row.plan())["help@shop.example"] == ("store", True)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ([CARRIER, BUYER], CARRIER),
        ([S, BUYER], BUYER),
    ],
)
def test_the_buyer_is_the_first_in_to_that_is_a_real_recipient(
    to: list[str], expected: str
) -> None:
    """Whatever comes first in the envelope: some clients sort it."""
    conversation = order(SHOP)
    text = written(SHOP, f"To: nobody@x.example, {', '.join(to)}")
    row = own(text, conversation, to=[BUYER, CARRIER] if expected == CARRIER else [S, BUYER])
    buyers = [who for who, (role, _) in joined(row.plan()).items() if role == "buyer"]
    assert buyers == [expected]


@pytest.mark.parametrize(
    ("stranger", "wanted", "same"),
    [
        ("ann+eve@friends.example", ANN, False),
        (ANN, "ann+x@friends.example", False),
        ("ann+eve@gmail.com", "ann@gmail.com", False),
        ("a.n.n+x@googlemail.com", "ann+x@gmail.com", True),
        ("Ann@Friends.example", ANN, True),
    ],
)
def test_a_strangers_tag_draws_nobodys_mail_to_itself(
    stranger: str, wanted: str, same: bool
) -> None:
    people = order(CARRIER, guest(stranger, "c"))
    row = own(written(SHOP, f"To: {wanted}"), people, to=wanted)
    done = row.plan()
    new = {p.role: p for p in done.records[0].joined}["buyer"]
    assert (new.token == "c" * 32) is same
    if not same:
        assert str(new.address) == wanted
        assert str(done.records[0].recipients[0][0]) == new.token


def test_with_nobody_of_to_in_the_envelope_the_first_recipient_is_the_buyer() -> None:
    row = own(written(SHOP, "To: list@x.example"), order(SHOP), to=[SHOP, BUYER, CARRIER])
    found = joined(row.plan())
    assert found[BUYER] == ("buyer", True)
    assert found[CARRIER] == ("partner", True)


# Guests


def test_guests_are_shown_in_hard_form_in_a_soft_store() -> None:
    people = order(BUYER, CARRIER, guest(ANN, "c"), mask="soft")
    row = mail(written(ANN, f"To: {BUYER}", f"Cc: {CARRIER}, x@y.example"), people, to=B)
    sent = applied(row.message, row.plan())
    assert sent.first(b"from") == hard("c").encode()
    assert sent.first(b"cc") == f"{soft(CARRIER)}, {hard(fresh(1))}".encode()


def test_an_author_always_gets_an_alias_and_stops_nobody() -> None:
    full = order(BUYER, SHOP, guest(ANN, "c"), guest_limit=1, participant_limit=2)
    row = mail(written("x@y.example", "To: z@y.example"), full, to=B)
    assert joined(row.plan())["x@y.example"] == ("partner", False)
    assert own(written(SHOP, f"To: {B}"), full, to=B).plan().reply is None


def left_out(done: Plan) -> list[str]:
    return [note for note in done.records[0].notes if note.startswith("left out")]


def test_a_strangers_98_names_are_left_out_from_the_twentieth_on() -> None:
    """The author is one of the twenty guests; nobody else is kept out by them."""
    text = written(ANN, f"To: {B},\n {', '.join(MANY)}", "Cc: Last <last@far.example>", body="n1\n")
    row = mail(text, order(BUYER, SHOP), to=B, sender=ANN)
    done = row.plan()
    found = joined(done)
    assert len(found) == 20
    assert [who for who, _ in found.items() if who != ANN] == MANY[:19]
    assert left_out(done) == ["left out: 80"]
    sent = applied(row.message, done)
    value = (sent.first(b"to") or b"").decode()
    assert value.startswith(f"{BUYER}, ")
    assert value.count("@") == value.count(f"@{DOMAIN}") + 1 == 20
    assert sent.first(b"cc") is None
    record = bytes(done.records[0].raw[:])
    assert b"n97@far.example" not in record
    assert b"last@far.example" not in record
    assert b"Last" not in record


def test_whom_to_answer_is_not_left_out_though_another_header_names_them() -> None:
    """So it is with who answers to the envelope sender."""
    fields = (f"To: {B}, bob@x.example", f"Cc: Ann <{ANN}>", f"Reply-To: {ANN}")
    for limit in (0, 20):
        text = written(CARRIER, *fields, body=f"{ANN}\n")
        people = order(BUYER, CARRIER, guest_limit=limit)
        row = mail(text, people, to=B, sender="bob@x.example")
        done = row.plan()
        assert left_out(done) == []
        sent = applied(row.message, done)
        assert sent.body == sent.first(b"reply-to") + b"\n"  # type: ignore[operator]
        assert sent.first(b"cc") == b"Ann <" + (sent.first(b"reply-to") or b"") + b">"
        assert (sent.first(b"to") or b"").count(DOMAIN.encode()) == 1


def test_who_is_left_out_stays_elsewhere_as_any_outsider_does() -> None:
    text = written(CARRIER, f"To: {B}, {ANN}", f"Subject: ask {ANN}", body=f"Ask {ANN}.\n")
    row = mail(text, order(BUYER, CARRIER, guest_limit=0), to=B)
    sent = applied(row.message, row.plan())
    assert sent.first(b"to") == BUYER.encode()
    assert sent.first(b"subject") == f"ask {ANN}".encode()
    assert sent.body == f"Ask {ANN}.\n".encode()


@pytest.mark.parametrize(
    ("value", "leaves"),
    [
        (f"{ANN}", None),
        (f"{B}, {ANN}", BUYER),
        (f"{ANN}, {B}", BUYER),
        (f"Ann <{ANN}>, John <{B}>, (x) bob@x.example (y)", f"John <{BUYER}>"),
        (f"Friends: {ANN}, {B};", f"Friends: {BUYER};"),
        (f"Friends: {B}, {ANN};", f"Friends: {BUYER};"),
        (f'"Doe, J" <{B}>, "Ann, the first" <{ANN}>', f'"Doe, J" <{BUYER}>'),
        (f"{ANN} <{B}>", f"{ANN} <{BUYER}>"),
        (f"<{ANN}> <{B}> (x)", f"<{BUYER}>"),
        (f'"a,; b" <{B}>, {ANN}', f'"a,; b" <{BUYER}>'),
        (f"Friends: {ANN};, {B}", f"Friends:;, {BUYER}"),
        (f"{B},\n\t{ANN},\n\t{A}", f"{BUYER}, {A}"),
        (f"<@relay.example:{ANN}>, {B}", BUYER),
        (f"{B}, {ANN},", BUYER),
    ],
)
def test_who_is_left_out_goes_from_an_address_header_with_their_name(
    value: str, leaves: str | None
) -> None:
    row = mail(written(CARRIER, f"To: {value}"), order(BUYER, CARRIER, guest_limit=0), to=B)
    sent = applied(row.message, row.plan())
    assert sent.first(b"to") == (None if leaves is None else leaves.encode())


def test_several_authors_are_one_in_a_copy_and_the_others_may_be_left_out() -> None:
    row = mail(written(f"{CARRIER}, {ANN}"), order(BUYER, CARRIER, guest_limit=0), to=B)
    done = row.plan()
    assert applied(row.message, done).first(b"from") == A.encode()
    assert left_out(done) == ["left out: 1"]


# The second pass


def test_on_the_second_pass_nobody_joins_and_who_did_not_join_is_left_out_again() -> None:
    after = order(BUYER, CARRIER, guest(ANN, "c"))
    row = mail(written(CARRIER, f"To: {B}", f"Cc: {ANN}, bob@x.example"), after, to=B)
    done = decided(passed(row))
    assert joined(done).keys() == {"return@partner.example"}
    assert applied(row.message, done).first(b"cc") == hard("c").encode()
    # If the first pass did let him join, the database says so, and it is planned once more.
    assert "bob@x.example" in done.records[0].mentioned


def test_mail_that_meets_us_first_at_the_splitter_joins_as_guest() -> None:
    row = mail(written(BUYER, f"Cc: {ANN}"), order(BUYER), to=B, split=True)
    assert joined(decided(row))[ANN] == ("partner", False)


def test_the_splitters_recipients_are_hard_aliases() -> None:
    people = order(BUYER, SHOP, CARRIER, mask="soft")
    row = mail(written(SHOP, f"To: {BUYER}"), people, to=[B, CARRIER, S])
    assert sorted(envelope(applied(row.message, row.plan()))) == sorted([B, A, S])


# Soft aliases


def shown(done: Plan) -> set[str]:
    assert done.reply is None
    return set(done.records[0].shown)


def unseen(*people: str) -> tuple[Participant, ...]:
    """Make introduced people whose soft aliases nobody was given."""
    return tuple(replace(person(each), handed_out=False) for each in people)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (written(CARRIER), "a"),
        (written(CARRIER, f"Cc: {SHOP}"), "a5"),
        (written(CARRIER, body=f"Ask {SHOP}\n"), "a5"),
        (
            written(
                CARRIER, "Content-Type: text/html", body="<a href='mailto:sales%40shop.example'>"
            ),
            "a5",
        ),
        # What a stranger writes is no alias that was shown.
        (written(CARRIER, f"Cc: {soft(SHOP)}", body=f"{soft(SHOP)} {CARRIER}\n"), "a"),
        # The reader's own is not shown to them.
        (written(CARRIER, f"To: {BUYER}"), "a"),
    ],
)
def test_a_copy_tells_whose_soft_alias_it_shows(text: str, tokens: str) -> None:
    row = mail(text, order(*unseen(BUYER, SHOP, CARRIER), mask="soft"), to=B)
    assert shown(row.plan()) == {each * 32 for each in tokens}
    hardly = mail(text, order(*unseen(BUYER, SHOP, CARRIER), issuer_mask="hard"), to=B)
    assert shown(hardly.plan()) == set()


def test_the_first_pass_of_several_shows_nothing() -> None:
    people = order(*unseen(BUYER, SHOP, CARRIER), mask="soft")
    row = mail(written(SHOP, f"To: {BUYER}, {CARRIER}"), people, to=[B, A])
    assert shown(row.plan()) == set()
    copy = replace(row, message=replace(row.message, recipients=row.message.recipients[:1]))
    assert shown(decided(passed(copy, "trusted"))) == {"5" * 32, "a" * 32}


def test_the_readers_own_soft_alias_stays_a_guess_until_it_is_handed_out() -> None:
    """A quoted answer would confirm it."""
    text = written(CARRIER, f"To: {soft(BUYER)}, {B}", body=f"{soft(BUYER)} or {B}\n")
    row = mail(text, order(*unseen(BUYER, CARRIER)), to=B)
    sent = applied(row.message, row.plan())
    assert sent.first(b"to") == f"{soft(BUYER)}, {BUYER}".encode()
    assert sent.body == f"{soft(BUYER)} or {BUYER}\n".encode()
    assert soft(BUYER).encode() not in bytes(row.plan().records[0].raw[:])


# Variants


@pytest.mark.parametrize(
    ("known", "author"),
    [
        ("john.doe+shop@home.example", "john.doe@home.example"),
        ("john.doe@home.example", "john.doe+x@home.example"),
        ("john.doe+shop@home.example", "John.Doe+y@HOME.example"),
        ("ida@bücher.example", "IDA@xn--bcher-kva.example"),
        ("j.d.o.e@gmail.com", "jdoe@gmail.com"),
        ("jdoe@googlemail.com", "j.doe+x@gmail.com"),
    ],
)
def test_a_variant_of_an_address_is_the_participant_whose_it_is(known: str, author: str) -> None:
    conversation = order(person(known, "buyer", "c" * 32), CARRIER)
    row = mail(
        written(f"J <{author}>", f"To: {A}", body=f"Yours, {author}\n"),
        conversation,
        to=A,
        sender=author,
    )
    done = row.plan()
    assert done.records[0].joined == ()
    assert (done.records[0].sender, done.records[0].direction) == ("c" * 32, "inbound")
    assert done.records[0].return_path == "c" * 32
    sent = applied(row.message, done)
    assert sent.first(b"from") == f"J <{hard('c')}>".encode()
    assert sent.body == f"Yours, {hard('c')}\n".encode()
    named = mail(written(CARRIER, f"To: {author}"), conversation, to=hard("c"))
    assert named.plan().records[0].joined[0].role == "return"
    assert applied(named.message, named.plan()).first(b"to") == author.encode()


@pytest.mark.parametrize(
    ("people", "token"),
    [
        # An exact address wins; two candidates are none; introduced people come before guests.
        (["john+a@home.example", "john@home.example"], "1"),
        (["john+a@home.example", "john+b@home.example"], None),
        (["john+a@home.example", "?john+b@home.example"], "0"),
        (["?john+a@home.example"], "0"),
        (["xjohn+a@home.example", "john+a@away.example"], None),
        (['"john +a"@home.example'], None),
    ],
)
def test_one_candidate_is_needed(people: list[str], token: str | None) -> None:
    participants = [
        guest(each[1:], str(n)) if each[0] == "?" else person(each, "partner", str(n) * 32)
        for n, each in enumerate(people)
    ]
    found = order(*participants).find_owner(Address.parse("john@home.example"))
    assert (found.token if found else None) == (token * 32 if token else None)


@pytest.mark.parametrize("text", ["", "john+c@home.example and john+b@home.example\n"])
def test_an_author_whose_variant_is_doubtful_by_their_own_message_takes_part(text: str) -> None:
    """A guest whom it introduces is as near to the author's address as who was introduced."""
    known = person("john+a@home.example", "partner", "a" * 32)
    people = order(known, guest("john+b@home.example", "b"), SHOP)
    author = "john+c@home.example"
    row = mail(
        written(author, "Cc: john+b@home.example", f"{VERIFIED}home.example", body=text),
        people,
        to=S,
        sender=author,
    )
    done = decided(row)
    assert joined(done) == {
        "john+b@home.example": ("partner", True),
        "john+c@home.example": ("partner", False),
    }
    assert done.records[0].sender == fresh(1)
    # The database may know somebody by the address without a tag.
    assert "john@home.example" in done.records[0].mentioned
    sent = applied(row.message, done)
    assert sent.first(b"from") == hard(fresh(1)).encode()
    assert sent.body.decode() == text.replace(author, hard(fresh(1))).replace(
        "john+b@home.example", hard("b")
    )


def test_a_return_address_has_no_variants() -> None:
    """Its tag says which answer it is."""
    people = order(BUYER, CARRIER)
    text = written(CARRIER, f"Reply-To: {CARRIER.replace('@', '+7@')}")
    row = mail(text, people, to=B, sender=CARRIER)
    assert joined(row.plan()) == {"desk+7@carrier.example": ("return", False)}
    assert applied(row.message, row.plan()).first(b"reply-to") == hard(fresh(1)).encode()


# Return addresses


def returns(conversation: Conversation) -> Conversation:
    spare = Participant("e" * 32, "return", Address.parse("t1@x.example"), True, False, False)
    return replace(conversation, apart=(replace(spare, owner="b" * 32),))


def test_a_messages_own_answers_lie_apart_and_are_masked_in_it() -> None:
    text = written(
        CARRIER, "Reply-To: t1@x.example", body="t1@x.example v@y.example t2@x.example\n"
    )
    row = mail(text, order(BUYER, CARRIER, guest_limit=0), to=B, sender="v@y.example")
    done = row.plan()
    assert {p.owner for p in done.records[0].joined} == {"a" * 32}
    sent = applied(row.message, done)
    assert sent.body == f"{hard(fresh(1))} {hard(fresh(2))} t2@x.example\n".encode()


def test_a_return_address_of_another_message_takes_no_part() -> None:
    row = mail(written(CARRIER, body="t1@x.example\n"), returns(order(BUYER, CARRIER)), to=B)
    assert applied(row.message, row.plan()).body == b"t1@x.example\n"


def test_one_that_is_known_keeps_its_alias() -> None:
    for text in (written(CARRIER, "Reply-To: t1@x.example"), written(CARRIER, "Cc: t1@x.example")):
        row = mail(text, returns(order(BUYER, CARRIER, guest_limit=0)), to=B, sender=CARRIER)
        done = row.plan()
        assert done.records[0].joined == ()
        assert hard("e") in str(applied(row.message, done).headers)


def test_mail_to_a_return_address_is_its_owners() -> None:
    """It reaches that very address; in the timeline it goes to whoever gave it."""
    row = mail(written(CARRIER, f"To: {hard('e')}"), returns(order(BUYER, CARRIER)), to=hard("e"))
    done = row.plan()
    assert done.records[0].direction == "outbound"
    assert envelope(applied(row.message, done)) == ["t1@x.example"]
    assert applied(row.message, done).first(b"to") == b"t1@x.example"


def test_of_very_many_reply_to_addresses_the_first_work() -> None:
    row = mail(written(CARRIER, f"Reply-To: {', '.join(MANY)}"), order(BUYER, CARRIER), to=B,
               sender=CARRIER)  # fmt: skip
    assert len(joined(row.plan())) == 10
    value = applied(row.message, row.plan()).first(b"reply-to") or b""
    assert value.count(b"@") == value.count(DOMAIN.encode()) == 10


def test_the_author_is_none_of_the_addresses_to_answer() -> None:
    text = written(CARRIER, f"Reply-To: {CARRIER}, {', '.join(MANY[:10])}")
    row = mail(text, order(BUYER, CARRIER), to=B, sender=CARRIER)
    assert joined(row.plan()).keys() == set(MANY[:10])
    value = applied(row.message, row.plan()).first(b"reply-to") or b""
    assert value.count(b"@") == value.count(DOMAIN.encode()) == 11


def test_where_there_may_be_more_guests_than_were_read_the_text_is_searched_for_them() -> None:
    html = "jim&#64;x.example <a href='mailto:joe%40x.example?subject=x'>x</a>, (ida@x.example)."
    text = written(CARRIER, f"Subject: ask {ANN}", "Content-Type: text/html", body=html)
    wanted = {ANN, "jim@x.example", "joe@x.example", "ida@x.example"}
    for limit, there in ((1, True), (2, False)):
        people = order(BUYER, CARRIER, guest("eve@x.example", "c"), guest_limit=limit)
        done = mail(text, people, to=B, sender=CARRIER).plan()
        assert (wanted <= set(done.records[0].mentioned)) is there
    many = " ".join(f"{n}@x.example" for n in range(5000))
    row = mail(written(CARRIER, body=many), order(BUYER, CARRIER, guest_limit=0), to=B)
    assert 900 < len(row.plan().records[0].mentioned) < 1100


# Single labels


def test_single_labels_join_as_author_and_return_path_only() -> None:
    text = written("x@y", f"To: {B}, q@r", "Cc: s@t", "Sender: m@n", "Reply-To: u@v", body="x@y\n")
    row = mail(text, order(BUYER, SHOP), to=B, sender="a@b")
    done = row.plan()
    assert joined(done) == {"x@y": ("partner", False), "a@b": ("return", False)}
    sent = applied(row.message, done)
    assert (sent.first(b"from"), sent.first(b"to")) == (hard(fresh(1)).encode(), BUYER.encode())
    assert [sent.first(name) for name in (b"cc", b"sender", b"reply-to")] == [None] * 3
    assert sent.body == f"{hard(fresh(1))}\n".encode()


# Claims to be the store


@pytest.mark.parametrize("address", [SHOP, "new@shop.example"])
@pytest.mark.parametrize("authserv_id", ["", "mx.example"])
def test_from_outside_nobody_is_the_store(address: str, authserv_id: str) -> None:
    people = order(BUYER, SHOP, mask="soft")
    row = mail(written(address, f"Cc: {ANN}", "X-Mailer: y", body=f"{address}\n"), people, to=B)
    done = decided(row, authserv_id)
    assert done.records[0].verdict == "flagged"
    assert joined(done)[ANN] == ("partner", False)
    assert joined(done).get(address) == (None if address == SHOP else ("partner", False))
    sent = applied(row.message, done)
    alias = S if address == SHOP else hard(fresh(1))
    assert (sent.first(b"from"), sent.body) == (alias.encode(), f"{alias}\n".encode())
    assert sent.first(b"x-mailer") is None
    strict = order(BUYER, SHOP, spoofed_senders="reject")
    row = mail(written(address), strict, to=B)
    assert decided(row, authserv_id).reply == replies.SENDER_REFUSED


def test_who_was_claimed_is_the_store_once_the_store_writes() -> None:
    claimed = guest("new@shop.example", "c")
    to = mail(written(BUYER, f"To: {hard('c')}"), order(BUYER, claimed), to=hard("c"))
    assert applied(to.message, to.plan()).first(b"x-order-id") == b"1001"
    row = own(written("new@shop.example", f"To: {B}"), order(BUYER, claimed), to=B)
    assert joined(row.plan())["new@shop.example"] == ("store", True)


def test_the_store_verified_from_outside_is_the_store() -> None:
    row = mail(written(SHOP, f"{VERIFIED}shop.example"), order(BUYER, SHOP), to=B)
    assert decided(row).records[0].verdict == "verified"
    assert applied(row.message, decided(row)).first(b"from") == soft(SHOP).encode()


# Unknown senders

STRICT = order(BUYER, SHOP, guest(ANN, "c"), unknown_senders="reject")


@pytest.mark.parametrize(
    ("author", "fields", "known"),
    [
        (BUYER, (), True),
        (BUYER.replace("@", "+x@"), (), True),
        (ANN, (), False),
        ("x@y.example", (), False),
        (f"x@y.example, {SHOP}", (), False),
        (f"{BUYER}, x@y.example", (), False),
        (SHOP, (), False),
        (SHOP, (f"{VERIFIED}shop.example",), True),
    ],
)
def test_where_strangers_are_refused_every_author_is_asked_for(
    author: str, fields: Sequence[str], known: bool
) -> None:
    done = decided(mail(written(author, *fields), STRICT, to=B))
    assert (done.reply is None) is known


# Invitations

CALENDAR = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
ORGANIZER;CN="Disp: atcher";SENT-BY="mailto:office@far.example":mailto:dispatch@
 far.example
ATTENDEE;CN=John;RSVP=TRUE:mailto:%s
ATTENDEE;CN=Ann:mailto:ann%%40friends.example
attendee:MAILTO:bob@far.example?subject=x
SUMMARY:ATTENDEE:mailto:no@far.example
END:VEVENT
END:VCALENDAR
"""


def invitation(*fields: str) -> str:
    return written(CARRIER, "Content-Type: text/calendar; method=REQUEST", *fields,
                   body=CALENDAR % B)  # fmt: skip


def test_organiser_and_attendees_join_as_cc_does() -> None:
    row = mail(invitation(), order(BUYER, CARRIER), to=B, sender=CARRIER)
    people = ["dispatch@far.example", "office@far.example", ANN, "bob@far.example"]
    assert joined(row.plan()) == dict.fromkeys(people, ("partner", False))
    body = applied(row.message, row.plan()).body
    assert b"no@far.example" in body
    assert b"dispatch" not in body
    assert b"office" not in body
    own_invitation = replace(row, own=OUR_STORE, message=replace(
        row.message, arrival=replace(row.message.arrival, trusted=True)))  # fmt: skip
    assert set(joined(own_invitation.plan()).values()) == {("partner", True)}


def test_attendees_are_left_out_and_an_organiser_never_is() -> None:
    row = mail(invitation(), order(BUYER, CARRIER, guest_limit=0), to=B, sender=CARRIER)
    done = row.plan()
    assert joined(done).keys() == {"dispatch@far.example", "office@far.example"}
    assert left_out(done) == ["left out: 2"]
    text = applied(row.message, done).body.decode()
    assert text.upper().count("\nATTENDEE") == 1
    assert "ann" not in text
    assert f"mailto:{BUYER}" in text.replace("\r\n ", "").replace("\n ", "")
    assert "bob@far.example" not in bytes(done.records[0].raw[:]).decode()


@pytest.mark.parametrize(
    ("line", "leaves"),
    [
        (f'ATTENDEE;SENT-BY="mailto:{ANN}";CN=J:mailto:{B}', f"ATTENDEE;CN=J:mailto:{BUYER}"),
        (f"attendee;Email={ANN};CN=J:mailto:{B}", f"attendee;CN=J:mailto:{BUYER}"),
        (f'ATTENDEE;MEMBER="mailto:{ANN}":mailto:{B}', f"ATTENDEE:mailto:{BUYER}"),
        (
            f'ATTENDEE;DELEGATED-TO="mailto:{ANN}","mailto:{B}":mailto:{A}',
            f'ATTENDEE;DELEGATED-TO="mailto:{BUYER}":mailto:{A}',
        ),
        (f"ATT\n ENDEE;CN=Ann:mai\n lto:{ANN}", ""),
        (f"ATTENDEE;CN=Ann;EMAIL={ANN}:urn:uuid:1", "ATTENDEE;CN=Ann:urn:uuid:1"),
        (f"ATTENDEE-X:{ANN}", f"ATTENDEE-X:{ANN}"),
    ],
)
def test_who_is_left_out_goes_wherever_an_attendees_line_names_them(line: str, leaves: str) -> None:
    body = f"BEGIN:VCALENDAR\n{line}\nSUMMARY:{ANN}\nEND:VCALENDAR\n"
    text = written(CARRIER, f"To: {B}, {ANN}", "Content-Type: text/calendar", body=body)
    row = mail(text, order(BUYER, CARRIER, guest_limit=0), to=B, sender=CARRIER)
    found = applied(row.message, row.plan()).body.decode().replace("\r\n ", "").replace("\n ", "")
    assert found.splitlines()[1:-1] == [*([leaves] if leaves else []), f"SUMMARY:{ANN}"]


@pytest.mark.parametrize(
    "lines",
    [
        "".join(f"ORGANIZER;CN=O{n}:mailto:o{n}@far.example\n" for n in range(30)),
        "".join(f"ATTENDEE;ROLE=ORGANIZER:mailto:o{n}@far.example\n" for n in range(30)),
        f"ORGANIZER;MEMBER={','.join(f'o{n}@far.example' for n in range(1, 30))}:"
        "mailto:o0@far.example\n",
    ],
)
def test_ten_organisers_are_kept_and_further_ones_are_attendees(lines: str) -> None:
    """An invitation has one; whoever names more fills no more of the order than by attendees."""
    body = f"BEGIN:VCALENDAR\nMETHOD:REQUEST\n{lines}END:VCALENDAR\n"
    text = written(CARRIER, "Content-Type: text/calendar", body=body)
    row = mail(text, order(BUYER, CARRIER, guest_limit=0), to=B, sender=CARRIER)
    done = row.plan()
    assert list(joined(done)) == [f"o{n}@far.example" for n in range(10)]
    assert left_out(done) == ["left out: 20"]
    assert b"far.example" not in bytes(applied(row.message, done).body)
    some = mail(text, order(BUYER, CARRIER, guest_limit=12), to=B, sender=CARRIER).plan()
    assert len(joined(some)) == 12


def test_aliases_of_organisers_and_local_names_take_no_place_among_the_ten() -> None:
    others = [*(f"{n:032x}@{DOMAIN}" for n in range(9)), *(f"o{n}@printer" for n in range(9))]
    lines = "".join(f"ORGANIZER:mailto:{each}\n" for each in (*others, ANN))
    body = f"BEGIN:VCALENDAR\nMETHOD:REQUEST\n{lines}END:VCALENDAR\n"
    text = written(CARRIER, "Content-Type: text/calendar", body=body)
    row = mail(text, order(BUYER, CARRIER, guest_limit=0), to=B, sender=CARRIER)
    assert list(joined(row.plan())) == [ANN]


def test_thousands_of_organisers_take_about_as_long_as_each_of_them() -> None:
    """Counted is how often it is asked whose variant an address is."""
    asked = []
    for count in (200, 400):
        lines = "".join(f"ORGANIZER:mailto:o{n}@far.example\n" for n in range(count))
        body = f"BEGIN:VCALENDAR\nMETHOD:PUBLISH\n{lines}"
        text = written(CARRIER, "Content-Type: text/calendar", body=body)
        row = mail(text, order(BUYER, CARRIER, guest_limit=count), to=B, sender=CARRIER)
        with patch.object(conversation, "base_identity", wraps=conversation.base_identity) as base:
            assert len(joined(row.plan())) == count
        asked.append(base.call_count)
    assert asked[1] < 3 * asked[0]


def test_an_invitation_in_a_message_inside_is_text() -> None:
    inside = f"Content-Type: text/calendar\n\n{CALENDAR % B}"
    text = written(CARRIER, "Content-Type: message/rfc822", body=inside)
    row = mail(text, order(BUYER, CARRIER), to=B, sender=CARRIER)
    assert joined(row.plan()) == {}


def test_an_alias_takes_nobody_in() -> None:
    """Nor does a variant of one: variants never apply to aliases."""
    text = written(CARRIER, f"Cc: {A}, {A.replace('@', '+x@')}, x@{REF}b.{DOMAIN}")
    row = mail(text, order(BUYER, CARRIER), to=B, sender=CARRIER)
    assert joined(row.plan()) == {}
    assert isinstance(row.message, Message)
