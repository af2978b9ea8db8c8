"""`configure` asks whatever tables a Postfix in use has, and tells one that cannot be asked."""

import os
import socketserver
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conversation_tracker.postfix.settings import (
    Settings,
    TableError,
    drop_proxies,
    is_pattern,
    read_settings,
)
from private.ports import free_port

if TYPE_CHECKING:
    from private.postgres import Postgres

DOMAIN = "ct.example.com"
TYPES = set(
    subprocess.run(["postconf", "-m"], capture_output=True, text=True, check=True).stdout.split()
)
MADE = ("hash", "btree", "lmdb", "cdb")
PATTERNS = ("regexp", "pcre")
# Debian has each in a package of its own.
PACKAGED = ("cdb", "ldap", "lmdb", "mongodb", "mysql", "pcre", "pgsql", "sqlite")
ROUTE = "relay:[mx.example.org]"


def make_tables(home: Path) -> dict[str, str]:
    """Make a table of each type there is here: of mail elsewhere, and nothing of ours."""
    tables = {}
    for kind in (*MADE, "texthash", *PATTERNS):
        path = home / kind
        line = "/^other\\.example\\.org$/" if kind in PATTERNS else "other.example.org"
        path.write_text(f"{line} {ROUTE}\n")
        if kind in MADE and kind in TYPES:
            subprocess.run(["postmap", f"{kind}:{path}"], check=True)
        tables[kind] = f"{kind}:{path}"
    tables["inline"] = "inline:{other.example.org=x, { two.example.org = y z }}"
    tables["cidr"] = f"cidr:{home}/cidr"
    (home / "cidr").write_text("192.0.2.0/24 OK\n")
    (home / "sqlite").write_text(
        f"dbpath = {home}/routes\nquery = SELECT route FROM routes WHERE domain = '%s'\n"
    )
    with sqlite3.connect(home / "routes") as file:
        file.execute(f"CREATE TABLE routes AS SELECT 'other.example.org' domain, '{ROUTE}' route")
    tables["sqlite"] = f"sqlite:{home}/sqlite"
    return {kind: name for kind, name in tables.items() if kind in TYPES}


def make_pgsql(home: Path, port: int) -> dict[str, str]:
    """Make a table that a PostgreSQL at a port answers, if there is that type here."""
    (home / "pgsql").write_text(
        f"hosts = 127.0.0.1:{port}\nuser = postgres\ndbname = postgres\n"
        f"query = SELECT '{ROUTE}' WHERE '%s' = 'other.example.org'\n"
    )
    return {"pgsql": f"pgsql:{home}/pgsql"} if "pgsql" in TYPES else {}


class Answer(socketserver.StreamRequestHandler):
    """Answers as a socketmap does (socketmap_table(5))."""

    def handle(self) -> None:
        while length := b"".join(iter(lambda: self.rfile.read(1).rstrip(b":"), b"")):
            asked = self.rfile.read(int(length) + 1)[:-1].partition(b" ")[2]
            said = f"OK {ROUTE}" if asked == b"other.example.org" else "NOTFOUND "
            self.wfile.write(f"{len(said)}:{said},".encode())


@contextmanager
def serve_socketmap() -> Iterator[str]:
    """Serve such a table."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"socketmap:inet:127.0.0.1:{server.server_address[1]}:routes"
        server.shutdown()
        thread.join()


def try_all(debian: Any, *settings: str) -> "subprocess.CompletedProcess[str]":
    debian.set(*settings)
    done = debian.configure("--dry-run", "--socket", debian.socket, "--alias-domain", DOMAIN)
    assert isinstance(done, subprocess.CompletedProcess)
    return done


CHECKS = ("header_checks", "body_checks", "canonical_maps")
PARAMETERS = ("relay_domains", "transport_maps", "virtual_alias_maps", "relay_recipient_maps")


def test_tables_of_each_type_are_asked(debian: Any, tmp_path: Path, postgres: "Postgres") -> None:
    """Alone, before one another, inside each other, and by the server that reads for others."""
    with serve_socketmap() as served:
        tables = {**make_tables(tmp_path), **make_pgsql(tmp_path, postgres.port)}
        tables["socketmap"] = served
        assert len(tables) >= 6
        see_each_asked(debian, tables)
        see_all_asked(debian, tables)


def see_each_asked(debian: Any, tables: dict[str, str]) -> None:
    """Each knows what is in it, and that nothing of ours is."""
    for kind, table in tables.items():
        key = "192.0.2.1" if kind == "cidr" else "other.example.org"
        asked = subprocess.run(
            ["postmap", "-q", key, table], capture_output=True, text=True, check=False
        )
        assert (asked.returncode, asked.stderr) == (0, ""), table
        done = try_all(debian, *(f"{name}={table}" for name in (*PARAMETERS, *CHECKS)))
        assert done.returncode == 0, done.stderr
        assert "header_checks: " + f"{table} -> regexp:{debian.directory}/" in done.stdout


def see_all_asked(debian: Any, tables: dict[str, str]) -> None:
    """All of them together are asked as well."""
    several = [f"proxy:{tables['hash']}", *tables.values()]
    several += [f"pipemap:{{{tables['texthash']}, proxy:{tables['hash']}}}"]
    several += [f"proxy:unionmap:{{proxy:{tables['btree']} {tables['regexp']}}}"]
    settings = [f"{name}={', '.join(several)}" for name in PARAMETERS]
    done = try_all(debian, *settings, f"mydestination=localhost, {', '.join(several)}")
    assert done.returncode == 0, done.stderr
    assert f"relay_domains: {', '.join(several)} -> {', '.join(several)}, {DOMAIN}" in done.stdout


@pytest.mark.parametrize("kind", ["hash", "texthash", "regexp", "inline", "unionmap", "pipemap"])
def test_an_alias_domain_is_found_in_any_of_them(debian: Any, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "table"
    path.write_text(f"/^{DOMAIN}$/ x\n" if kind == "regexp" else f"{DOMAIN} {DOMAIN}\n")
    if kind == "hash":
        subprocess.run(["postmap", f"hash:{path}"], check=True)
    table = {
        "inline": f"inline:{{ {{ {DOMAIN} = local:x }} }}",
        "unionmap": f"unionmap:{{inline:{{a=b}}, proxy:texthash:{path}}}",
        "pipemap": f"pipemap:{{proxy:texthash:{path} texthash:{path}}}",
    }.get(kind, f"{kind}:{path}")
    done = try_all(debian, f"mydestination=localhost, {table}")
    assert done.returncode == 1
    assert f"mydestination holds the alias domain {DOMAIN} ({table})" in done.stderr


@pytest.mark.parametrize(
    ("table", "why", "mend"),
    [
        ("hash:/nonexistent/table", "No such file", "make it with postmap, or remove it"),
        ("nonsense:/x", "unsupported dictionary type", "mend or remove it"),
        ("socketmap:inet:127.0.0.1:1:x", "Connection refused", "mend or remove it"),
        ("unionmap:{inline:{a=b}, fail:x}", "", "mend or remove it"),
    ],
)
def test_a_table_that_cannot_be_asked_is_told_with_its_reason(
    debian: Any, table: str, why: str, mend: str
) -> None:
    done = try_all(debian, f"virtual_alias_maps={table}")
    assert done.returncode == 1
    assert f"virtual_alias_maps: {table} (" in done.stderr
    assert why in done.stderr
    assert f"cannot be asked: {mend}" in done.stderr
    done = debian.configure(
        "--dry-run",
        "--socket",
        debian.socket,
        "--alias-domain",
        DOMAIN,
        "--alias-domain",
        "a.example",
    )
    assert done.stderr.count(f"cannot be asked: {mend}") == 1


@pytest.mark.parametrize("kind", PACKAGED)
def test_a_type_that_has_a_package_of_its_own_is_told_by_it(debian: Any, kind: str) -> None:
    """Where the package is there, its tables are asked, and this one is none."""
    debian.set(f"virtual_alias_maps={kind}:/nonexistent/table")
    before = debian.files()
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN)
    assert done.returncode == 1
    assert "cannot be asked: " in done.stderr
    assert (f": install postfix-{kind}, or remove it" in done.stderr) is (kind not in TYPES)
    assert "nothing was changed" in done.stderr
    assert debian.files() == before


def test_a_server_that_is_away_is_told_by_what_it_says(debian: Any, tmp_path: Path) -> None:
    port = free_port()
    tables = {**make_pgsql(tmp_path, port), "tcp": f"tcp:127.0.0.1:{port}"}
    for table in tables.values():
        done = try_all(debian, f"virtual_alias_maps={table}")
        assert done.returncode == 1
        assert "Connection refused" in done.stderr


def test_a_table_that_is_asked_with_a_warning_is_asked(debian: Any, tmp_path: Path) -> None:
    """A source younger than its table, a line that is passed over: Postfix takes the answer."""
    made, lines, rules = (tmp_path / name for name in ("made", "lines", "rules"))
    made.write_text("other.example.org x\n")
    subprocess.run(["postmap", f"hash:{made}"], check=True)
    os.utime(f"{made}.db", (1, 1))
    os.utime(made, (10_000, 10_000))
    lines.write_text("a.example.org x\na.example.org y\n")
    rules.write_text("/^a$/ x\n/b\n")
    for table in (f"hash:{made}", f"texthash:{lines}", f"regexp:{rules}"):
        done = try_all(debian, f"virtual_alias_maps={table}")
        assert done.returncode == 0, done.stderr
    assert (
        f"{tmp_path}"
        in subprocess.run(
            ["postmap", "-q", "b", f"hash:{made}"], capture_output=True, text=True, check=False
        ).stderr
    )


def test_a_parameter_that_main_cf_names_twice_keeps_no_table_from_being_asked(debian: Any) -> None:
    """Postfix's programs warn of it, whatever they are asked."""
    path = debian.directory / "main.cf"
    path.write_text(f"{path.read_text()}mydestination = localhost\nmydestination = localhost\n")
    done = try_all(debian, "virtual_alias_maps=inline:{a@example.org=b@example.org}")
    assert done.returncode == 0, done.stderr


def test_a_table_of_patterns_is_asked_for_the_whole_name_only(
    debian: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Postfix does; of what is in several, by the first of a pipemap and all of a unionmap."""
    monkeypatch.setenv("MAIL_CONFIG", str(debian.directory))
    path = debian.directory / "parents"
    path.write_text("/^\\.?example\\.com$/ x\n")
    settings: Settings = read_settings({"PATH": "/usr/sbin:/usr/bin"})
    main = {**settings.main, "relay_domains": f"regexp:{path}"}
    found = Settings(main, settings.services, settings.ask).find_in_list("relay_domains", DOMAIN)
    assert found is None
    for table, pattern in (
        ("hash:/x", False),
        ("proxy:pcre:/x", True),
        ("pipemap:{regexp:/x, hash:/y}", True),
        ("pipemap:{hash:/x, regexp:/y}", False),
        ("unionmap:{hash:/x, proxy:regexp:/y}", True),
        ("inline:{regexp=x}", False),
    ):
        assert is_pattern(table) is pattern, table


def test_the_server_that_reads_tables_is_left_out_wherever_it_stands() -> None:
    for table, bare in (
        ("proxy:hash:/x", "hash:/x"),
        (
            "proxy:unionmap:{proxy:hash:/x, proxy:pipemap:{proxy:hash:/y}}",
            "unionmap:{hash:/x pipemap:{hash:/y}}",
        ),
        ("inline:{ { a = proxy:b } }", "inline:{ { a = proxy:b } }"),
    ):
        assert drop_proxies(table) == bare


def test_what_only_root_may_read_is_no_fault() -> None:
    assert TableError("pgsql:/x", "open /x: Permission denied").denied
    assert not TableError("pgsql:/x", "open /x: No such file or directory").denied
