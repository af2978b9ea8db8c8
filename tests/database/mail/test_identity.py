"""The database and the program agree on what an address is, whom it means, and its soft alias."""

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import encode_soft
from conversation_tracker.database.migrate import migrate

if TYPE_CHECKING:
    from private.postgres import Postgres

# One session for all examples of a test.
settings.register_profile(
    "database", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DATABASE = settings.get_profile("database")

ATOM = "abzAZ019!#$%&'*+/=?^_`{|}~-"
MARKS = "\u0300\u0301\u0308\u0323"
LETTERS = "éÉßẞſİıIΣσςΩÅﬁДдłŁäÄöÖñ中文字ひらकต\u00aa"  # noqa: RUF001
# Characters that idna of Python and the Unicode tables of PostgreSQL map alike in every version.
# Left out: those that UTS 46 forbids (Python refuses the name, SQL encodes it as it stands and the
# program reads it as ASCII ever after), capital sharp s and the joiners, whose mapping changed
# between versions, and a combining mark in the first place of a label.
NAMES = "abxyzABXYZ019éÉßſİıΣσςΩﬁДдłŁäÄöÖñ中文字ひらกตＡｂ－\u00ad\u200b\ufe0f"  # noqa: RUF001

local_parts = st.one_of(
    st.text(ATOM + "..", min_size=1, max_size=70),
    st.text(
        ATOM + '.."\\@ ,()' + LETTERS + MARKS + "\t\x7f\x85\u2028\u00a0\U0001f600", max_size=40
    ),
    st.text('ab.\\"@ ', max_size=12).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
)
labels = st.one_of(
    st.text("abcXYZ019-_", min_size=1, max_size=12),
    st.text(NAMES, max_size=8),
    st.builds(
        lambda a, b, c: a + b + c,
        st.text("abö", min_size=1, max_size=3),
        st.sampled_from(MARKS),
        st.text("abö", max_size=3),
    ),
    st.text("aé", min_size=50, max_size=66),
    st.sampled_from(["xn--bcher-kva", "xn--p1ai", "xn--", "XN--BCHER-KVA", "xn--é", "com"]),
)
domains = st.one_of(
    st.builds(
        lambda names, dot, end: dot.join(names) + end,
        st.lists(labels, min_size=1, max_size=6),
        st.sampled_from([".", ".", ".", "\u3002", "\uff0e", "\uff61"]),
        st.sampled_from(["", "", "", ".", ".."]),
    ),
    st.sampled_from(
        ["[192.0.2.1]", "[IPv6:2001:DB8::1]", "[a b]", "[", "[]", "[a]b", "[[a]", "[é]"]
    ),
)
addresses = st.builds(lambda local, domain: f"{local}@{domain}", local_parts, domains)


@pytest.fixture(scope="module")
def connection(shared: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared, autocommit=True) as connection:
        yield connection


def canonical(connection: psycopg.Connection, text: str) -> tuple[str, str] | None:
    """Return an address as the database writes it, and its key; None where it is refused."""
    query = "SELECT a, tracker.address_key(a) FROM tracker.canonical_address(%s) AS given(a)"
    try:
        return connection.execute(query, (text,)).fetchone()
    except psycopg.errors.InvalidParameterValue:
        return None


def parsed(text: str) -> tuple[str, str] | None:
    """Return an address as the program writes it, and its key; None where it is refused."""
    try:
        address = Address.parse(text)
    except AddressError:
        return None
    return str(address), address.key


@settings(DATABASE, max_examples=500)
@given(text=addresses)
@example(text="John.Doe@Example.COM")
@example(text='"john.doe"@example.com')
@example(text='"john doe"@example.com')
@example(text='"a\\"b\\\\c"@example.com')
@example(text='a."b c".d@example.com')
@example(text="john..doe@example.com.")
@example(text=".@example.com")
@example(text="@example.com")
@example(text='""@example.com')
@example(text="ΟΔΟΣ@ΟΔΟΣ.example")
@example(text="İ@İ.example")
@example(text="u\u0308@bu\u0308cher.example")
@example(text="john@\u00ad.example")
@example(text="john@xn--bcher-kva.example")
@example(text="john@" + ".".join(["l" * 63] * 4)[:253])
@example(text="john@" + ".".join(["l" * 63] * 4)[:254])
@example(text="\U0001f600" * 16 + "@example.com")
@example(text="\U0001f600" * 17 + "@example.com")
@example(text='"' + '\\"' * 64 + '"@' + ".".join(["l" * 63] * 4)[:190])
@example(text='"' + '\\"' * 64 + '"@' + ".".join(["l" * 63] * 4)[:189])
def test_both_read_an_address_alike(connection: psycopg.Connection, text: str) -> None:
    if text.strip(" ") == text:  # SQL forgives blanks around an address
        assert canonical(connection, text) == parsed(text)


@settings(DATABASE, max_examples=200)
@given(text=addresses)
def test_what_the_database_keeps_is_read_back_as_the_same_address(
    connection: psycopg.Connection, text: str
) -> None:
    kept = canonical(connection, text)
    if kept is not None:
        assert parsed(kept[0]) == kept
        assert canonical(connection, kept[0]) == kept


@settings(DATABASE, max_examples=300)
@given(
    text=st.builds(
        lambda local, domain: f"{local}@{domain}",
        st.one_of(
            st.text(ATOM.replace("%", "").replace("!", ""), min_size=1, max_size=64), local_parts
        ),
        st.one_of(
            st.lists(st.text("abC09-", min_size=1, max_size=63), min_size=1).map(".".join), domains
        ),
    ),
    alias_domain=st.sampled_from(["ct.example.com", f"{'l' * 63}.{'m' * 63}.example"]),
)
@example(text=f"john@doe.{'l' * 49}", alias_domain="ct.example.com")
@example(text=f"john@doe.{'l' * 50}", alias_domain="ct.example.com")
@example(text="a%b@doe.example", alias_domain="ct.example.com")
@example(text="john@doe.xn--p1ai", alias_domain="ct.example.com")
def test_both_make_the_same_soft_alias(
    connection: psycopg.Connection, text: str, alias_domain: str
) -> None:
    known = parsed(text)
    if known is not None:
        expected = encode_soft(Address.parse(text), "012345678901", alias_domain)
        row = connection.execute(
            "SELECT tracker.soft_alias(%s, '012345678901', %s)", (known[0], alias_domain)
        ).fetchone()
        assert row == (str(expected) if expected else None,)


@settings(DATABASE, max_examples=300)
@given(label=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@example(label="他们为什么不说中文")
@example(label="3年b組金八先生")
@example(label="\U0010ffff" * 20)
def test_punycode_is_pythons(connection: psycopg.Connection, label: str) -> None:
    expected = label.encode("punycode").decode("ascii")
    row = connection.execute("SELECT tracker.punycode(%s)", (label,)).fetchone()
    assert row == (expected,)
    row = connection.execute("SELECT tracker.from_punycode(%s)", (expected,)).fetchone()
    assert row == (label,)


@settings(DATABASE, max_examples=300)
@given(encoded=st.text("abz019-", max_size=59))
@example(encoded="9" * 59)
@example(encoded="-")
@example(encoded="a-")
@example(encoded="99zzzz")
def test_whatever_is_decoded_is_text_or_nothing(
    connection: psycopg.Connection, encoded: str
) -> None:
    row = connection.execute("SELECT tracker.from_punycode(%s)", (encoded,)).fetchone()
    try:
        assert row in [(None,), (encoded.encode().decode("punycode"),)]
    except UnicodeError:
        assert row == (None,)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_identity_is_the_same_in_every_locale(postgres: "Postgres", locale: str) -> None:
    name = f"in_{locale.lower().replace('.', '_').replace('-', '_')}"
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING UTF8 LC_CTYPE {} LC_COLLATE {}"
    with psycopg.connect(postgres.uri(), autocommit=True) as server:
        server.execute(sql.SQL(create).format(sql.Identifier(name), locale, locale))
    migrate(postgres.uri(name))
    with psycopg.connect(postgres.uri(name), autocommit=True) as connection:
        for text in ("JÖRG@BÜCHER.example", "ΟΔΟΣ@ΟΔΟΣ.example", "İI@İI.example"):
            decomposed = unicodedata.normalize("NFD", text)
            assert canonical(connection, text) == parsed(text) == canonical(connection, decomposed)
    postgres.drop_database(name)
