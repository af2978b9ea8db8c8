"""`configure` asks whatever tables a Postfix in use has, and tells one that cannot be asked."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from conversation_tracker.postfix.settings import (
    Settings,
    TableError,
    drop_proxies,
    is_pattern,
    read_settings,
)

DOMAIN = "ct.example.com"
TYPES = set(
    subprocess.run(["postconf", "-m"], capture_output=True, text=True, check=True).stdout.split()
)
MADE = ("hash", "btree", "lmdb", "cdb")
PATTERNS = ("regexp", "pcre")


def make_tables(home: Path) -> dict[str, str]:
    """Make a table of each type there is here: of mail elsewhere, and nothing of ours."""
    tables = {}
    for kind in (*MADE, "texthash", *PATTERNS):
        path = home / kind
        line = "/^other\\.example\\.org$/" if kind in PATTERNS else "other.example.org"
        path.write_text(f"{line} relay:[mx.example.org]\n")
        if kind in MADE and kind in TYPES:
            subprocess.run(["postmap", f"{kind}:{path}"], check=True)
        tables[kind] = f"{kind}:{path}"
    tables["inline"] = "inline:{other.example.org=x, { two.example.org = y z }}"
    tables["cidr"] = f"cidr:{home}/cidr"
    (home / "cidr").write_text("192.0.2.0/24 OK\n")
    return {kind: name for kind, name in tables.items() if kind in TYPES}


def try_all(debian: Any, *settings: str) -> "subprocess.CompletedProcess[str]":
    debian.set(*settings)
    done = debian.configure("--dry-run", "--socket", debian.socket, "--alias-domain", DOMAIN)
    assert isinstance(done, subprocess.CompletedProcess)
    return done


PARAMETERS = ("relay_domains", "transport_maps", "virtual_alias_maps", "relay_recipient_maps")


def test_tables_of_each_type_are_asked(debian: Any, tmp_path: Path) -> None:
    """Alone, before one another, inside each other, and by the server that reads for others."""
    tables = make_tables(tmp_path)
    assert len(tables) >= 5
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
    ("table", "why"),
    [
        ("hash:/nonexistent/table", "No such file"),
        ("nonsense:/x", "unsupported dictionary type"),
        ("socketmap:inet:127.0.0.1:1:x", "Connection refused"),
        ("unionmap:{inline:{a=b}, fail:x}", ""),
    ],
)
def test_a_table_that_cannot_be_asked_is_told_with_its_reason(
    debian: Any, table: str, why: str
) -> None:
    done = try_all(debian, f"virtual_alias_maps={table}")
    assert done.returncode == 1
    assert f"virtual_alias_maps: {table} (" in done.stderr
    assert why in done.stderr
    assert "cannot be asked: mend or remove it" in done.stderr


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
