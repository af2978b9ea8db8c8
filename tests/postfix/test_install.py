"""`postfix/install` puts everything in place and switches Postfix over last, or leaves it alone."""

import grp
import os
import shutil
import socket as sockets
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from installer import database
from installer.configuration import (
    OWN_DATABASE,
    Configuration,
    read_configuration,
    write_configuration,
)
from installer.database import migrate
from installer.machine import Failed, Machine
from installer.options import read_options
from installer.postfix import switch_postfix
from installer.program import install_program

from .answering import answering

if TYPE_CHECKING:
    from private.postgres import Postgres

POSTFIX = Path(__file__).parents[2] / "postfix"
SYSTEMD = POSTFIX.parent / "systemd"
DOMAIN = "ct.example.com"


def install(*options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installer; no configuration of this host is read."""
    return run(POSTFIX / "install", *options)


def run(
    program: Path, *options: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program, with these variables besides."""
    environ = {**os.environ, "CONVERSATION_TRACKER_CONFIG": "/nonexistent/tracker.conf"}
    command = [str(program), *map(str, options)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**environ, **variables}, cwd=cwd
    )


def tree(root: Path) -> dict[str, tuple[str, bytes]]:
    """Return mode and contents of everything below a directory."""
    return {
        str(path.relative_to(root)): (
            stat.filemode(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
    }


@pytest.fixture
def dry(debian: Any, tmp_path: Path) -> list[str]:
    """Return the options of a dry run beside a private Postfix; there is no program yet."""
    prefix = tmp_path / "opt" / "tracker"
    # Where the configuration as shipped has the socket.
    debian.set("queue_directory=/var/spool/postfix")
    return ["--dry-run", "--config-dir", str(debian.directory), "--prefix", str(prefix)]


def test_dry_run_shows_the_steps_and_takes_none(
    debian: Any, dry: list[str], tmp_path: Path
) -> None:
    before = tree(tmp_path)
    done = install(*dry, "--alias-domain", DOMAIN)
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == before
    for shown in (
        "-m venv --system-site-packages",
        "--no-index --no-build-isolation",
        'CREATE ROLE "conversation-tracker" LOGIN',
        "CREATE ROLE tracker_reader NOLOGIN",
        'GRANT tracker_service TO "conversation-tracker"',
        "CREATE DATABASE conversation_tracker OWNER",
        "conversation-tracker migrate",
        "smtpd_milters: (empty) -> unix:",
        f"relay_domains: (empty) -> {DOMAIN}",
    ):
        assert shown in done.stdout


def test_an_index_is_asked_for_the_driver_only_and_only_if_told(dry: list[str]) -> None:
    for options, asked in (((), False), (("--fast",), True)):
        done = install(*dry, "--alias-domain", DOMAIN, *options)
        lines = [line for line in done.stdout.splitlines() if "/bin/pip install" in line]
        online = [line for line in lines if "--no-index" not in line]
        assert len(lines) - len(online) == 1
        assert len(online) == asked
        assert all("--require-hashes -r" in line for line in online)


def test_postfix_is_switched_over_last(dry: list[str]) -> None:
    done = install(*dry, "--alias-domain", DOMAIN)
    steps = [line.removeprefix("== ") for line in done.stdout.splitlines() if line[:3] == "== "]
    assert steps[0] == "Postfix, as it is"
    assert steps[-4:] == ["Service", "Does it answer?", "Postfix", "Next"]
    assert steps.index("Tables") < steps.index("Service")


def test_what_postfix_would_refuse_is_said_before_anything_is_installed(
    debian: Any, dry: list[str]
) -> None:
    debian.set(f"mydestination={DOMAIN}")
    done = install(*dry, "--alias-domain", DOMAIN)
    assert done.returncode == 1
    assert "mydestination holds the alias domain" in done.stderr
    assert done.stderr.endswith("nothing was installed\n")
    assert "Packages" not in done.stdout


def test_a_directory_of_somebody_elses_does_not_become_that_of_the_socket(
    debian: Any, dry: list[str], tmp_path: Path
) -> None:
    """`unix:/run/milter.sock` made /run the tracker's own, which nobody else could enter."""
    folder, file = debian.queue / "run", tmp_path / "tracker.conf"
    folder.mkdir()
    debian.set(f"queue_directory={debian.queue}")
    lines = f"database = {OWN_DATABASE}\nsocket = unix:{folder}/milter.sock\n"
    file.write_text(f"[tracker]\n{lines}")
    command = [POSTFIX / "install", *dry, "--alias-domain", DOMAIN]
    done = run(*command, CONVERSATION_TRACKER_CONFIG=str(file))
    assert f"2750 -o conversation-tracker -g postfix {folder}" in done.stdout, done.stderr
    (folder / "dbus").mkdir()
    done = run(*command, CONVERSATION_TRACKER_CONFIG=str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{folder} is not conversation-tracker's own" in done.stderr


def test_postfix_is_told_whose_results_the_configuration_believes(
    debian: Any, dry: list[str], tmp_path: Path
) -> None:
    """What a stranger writes in that name goes before a milter sees it, without another step."""
    source = tmp_path / "source"
    shutil.copytree(POSTFIX, source / "postfix")
    shutil.copytree(SYSTEMD, source / "systemd")
    (source / "milter").symlink_to(POSTFIX.parent / "milter")
    settings = source / "systemd" / "conversation-tracker.conf"
    usual = settings.read_text()
    assert ";authserv_id =\n" in usual
    for name, told in (("", False), ("mx.example.com", True), ('"', None)):
        settings.write_text(usual.replace(";authserv_id =\n", f"authserv_id = {name}\n"))
        command = [source / "postfix" / "install", *dry, "--alias-domain", DOMAIN]
        done = run(*command)
        said = run(*command, "--authserv-id", "none")
        assert "/^Authentication-Results" not in said.stdout
        assert said.returncode == 0, said.stderr
        if told is None:  # configure has its word in it, too
            assert "--authserv-id" in done.stderr
        else:
            assert done.returncode == 0, done.stderr
            assert ("/^Authentication-Results" in done.stdout) is told


def test_without_postfix_there_is_a_look_as_well(tmp_path: Path) -> None:
    """On a bare host what cannot be is said before anything is installed, not at the end."""
    bare = ("--dry-run", "--config-dir", tmp_path / "none", "--prefix", tmp_path / "opt")
    done = install(*bare, "--alias-domain", DOMAIN)
    assert done.returncode == 0, done.stderr
    assert "not installed yet" in done.stdout
    assert f"*.{DOMAIN}.  MX 10 " in done.stdout
    for options, reason in (
        (("--alias-domain", f"a.{DOMAIN}"), "is inside alias domain"),
        (("--signer", f"unix:{tmp_path}/none"), "no signer answers on unix:"),
    ):
        done = install(*bare, "--alias-domain", DOMAIN, *options)
        assert done.returncode == 1
        assert reason in done.stderr
        assert done.stderr.endswith("nothing was installed\n")
        assert "Packages" not in done.stdout


def test_what_is_next_names_the_domain_that_was_given(dry: list[str]) -> None:
    done = install(*dry, "--alias-domain", "alias.example.org")
    said = done.stdout.partition("== Next")[2]
    assert "VALUES ('mystore', 'alias.example.org'," in said
    assert "  *.alias.example.org.  MX 10 mail.example.com.\n" in said
    assert "example.com'," not in said


@pytest.mark.parametrize("word", ["ct_example.com", "ct", "a..b", "-a.example", ""])
def test_nonsense_is_refused_before_there_is_a_python(tmp_path: Path, word: str) -> None:
    """On a bare host Python itself would be installed for it."""
    script = tmp_path / "install"
    script.write_text(
        (POSTFIX / "install").read_text().replace("/usr/bin/python3", "/none/python3")
    )
    script.chmod(0o755)
    for options in (["--alias-domain", word], [f"--alias-domain={word}"]):
        done = run(script, "--dry-run", *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is no domain name" in done.stderr
    assert run(script, "--dry-run", "--alias-domain", f"{DOMAIN}.").returncode == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("130004|f|UTF8|f|t", "is 13: the tracker needs 15 or later"),
        ("170000|t|UTF8|t|t", "is a standby"),
        ("150001|f|SQL_ASCII|f|t", "is encoded as SQL_ASCII"),
        ("150001|f|UTF8|t|t", "is read-only: SET default_transaction_read_only = off"),
        ("150001|f|UTF8|f|f", "has a database conversation_tracker of somebody else's"),
        ("150001|f|UTF8|f|t", ""),
    ],
)
def test_postgresql_on_this_host_is_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    monkeypatch.setattr(database, "_ask", lambda _statement, _name="": "" if _name else said)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/x")
    configuration = Configuration(Path("x"), False, "", {"database": OWN_DATABASE})
    if not reason:
        assert database.look_ahead(Machine(dry_run=False), configuration)
        return
    with pytest.raises(Failed, match=f"{reason}.*; nothing was installed"):
        database.look_ahead(Machine(dry_run=False), configuration)


def test_postgresql_says_what_keeps_the_tracker_out(
    monkeypatch: pytest.MonkeyPatch, postgres: "Postgres"
) -> None:
    """As its administrator is told, by a server that has been set so."""

    def ask(statement: str, name: str = "postgres") -> str:
        with psycopg.connect(postgres.uri(name)) as connection:
            row = connection.execute(statement.encode()).fetchone()
        said = {True: "t", False: "f"}
        return "|".join(said.get(each, str(each)) for each in row or ())

    def look() -> str:
        try:
            assert database.look_ahead(Machine(dry_run=False), configuration)
        except Failed as failure:
            return str(failure)
        return ""

    def run(statement: str) -> None:
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(statement.encode())

    monkeypatch.setattr(database, "_ask", ask)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/x")
    configuration = Configuration(Path("x"), False, "", {"database": OWN_DATABASE})
    assert look() == ""
    postgres.create_database("conversation_tracker")
    try:
        assert "of somebody else's" in look()
        run('CREATE ROLE "conversation-tracker" LOGIN')
        assert "of somebody else's" in look()
        with psycopg.connect(postgres.uri("conversation_tracker")) as connection:
            connection.execute('CREATE SCHEMA tracker AUTHORIZATION "conversation-tracker"')
        assert look() == ""
        run('ALTER DATABASE conversation_tracker OWNER TO "conversation-tracker"')
        assert look() == ""
        for who in ("DATABASE conversation_tracker", 'ROLE "conversation-tracker"'):
            run(f"ALTER {who} SET default_transaction_read_only = true")
            assert "is read-only" in look()
            run(f"ALTER {who} RESET default_transaction_read_only")
            assert look() == ""
    finally:
        postgres.drop_database("conversation_tracker")
        run('DROP ROLE IF EXISTS "conversation-tracker"')


def test_a_given_database_is_looked_at_first_if_there_is_by_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configuration = Configuration(Path("x"), False, "", {"database": "postgresql://u@[::1]:1/x"})
    monkeypatch.setattr(database, "_has_driver", lambda: True)
    monkeypatch.setattr(database, "_has_user", lambda: False)
    assert not database.look_ahead(Machine(dry_run=False), configuration)
    monkeypatch.setattr(database, "_has_user", lambda: True)
    with pytest.raises(Failed, match="nothing was installed"):
        database.look_ahead(Machine(dry_run=False), configuration)


def test_packages_that_cannot_be_had_stop_it_before_the_first_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Machine, "run", lambda *_words: None)
    with pytest.raises(Failed, match="no-such-package cannot be installed here; nothing was"):
        Machine(dry_run=False).install_packages(["no-such-package"], wanted=[])
    assert "no-such-package" in capsys.readouterr().err


def test_the_database_can_be_given_where_nobody_sees_it(tmp_path: Path) -> None:
    uri = "postgresql://u:secret@db.example/x"
    (tmp_path / "uri").write_text(f"{uri}\n")
    name = "etc/conversation-tracker/conversation-tracker.conf"
    given = install("--root", tmp_path / "a", "--database-file", tmp_path / "uri")
    other = run(POSTFIX / "install", "--root", tmp_path / "b", CONVERSATION_TRACKER_DATABASE=uri)
    for folder, done in (("a", given), ("b", other)):
        assert done.returncode == 0, done.stderr
        assert f"\ndatabase = {uri}\n" in (tmp_path / folder / name).read_text()
        assert "secret" not in done.stdout


def test_given_database_is_used_and_none_is_made(dry: list[str]) -> None:
    uri = "postgresql://tracker@db.example/orders"
    done = install(*dry, "--alias-domain", DOMAIN, "--database", uri)
    assert done.returncode == 0
    assert "CREATE" not in done.stdout


def test_options_for_postfix_are_passed_on(dry: list[str]) -> None:
    server = sockets.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    with answering(server):
        done = install(
            *dry, "--alias-domain", DOMAIN, "--alias-domain", "alias.example.org",
            "--signer", f"inet:{port}@127.0.0.1", "--listener", "127.0.0.1:10028",
        )  # fmt: skip
    assert f"milter.sock, inet:127.0.0.1:{port}" in done.stdout
    assert "127.0.0.1:10028/inet: (none) -> " in done.stdout
    assert f"relay_domains: (empty) -> {DOMAIN}, alias.example.org" in done.stdout


def test_uninstall_frees_postfix_first_and_keeps_the_data(
    debian: Any, dry: list[str], tmp_path: Path
) -> None:
    socket = "unix:/var/spool/postfix/conversation-tracker/milter.sock"
    assert debian.configure("--socket", socket, "--alias-domain", DOMAIN).returncode == 0
    before = tree(tmp_path)
    done = install(*dry, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == before
    assert done.stdout.index(f"relay_domains: {DOMAIN} -> (not set)") < done.stdout.index("rm -f")
    assert "DROP" not in done.stdout
    assert "still there: the database," in done.stdout


def test_an_environment_that_is_not_whole_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run was killed before there was pip, or Debian has a newer Python since."""
    options = read_options(["--alias-domain", DOMAIN, "--prefix", str(tmp_path)])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to("/usr/bin/python3")

    def is_made() -> bool:
        install_program(Machine(dry_run=True), options, POSTFIX.parent)
        return f"-m venv --system-site-packages {tmp_path}\n" in capsys.readouterr().out

    assert is_made()
    (tmp_path / "bin" / "pip").touch()
    (tmp_path / "lib" / "python3.2" / "site-packages" / "pip").mkdir(parents=True)
    assert is_made()
    version = ".".join(map(str, sys.version_info[:2]))
    (tmp_path / "lib" / f"python{version}" / "site-packages" / "pip").mkdir(parents=True)
    assert not is_made()


def test_uninstall_needs_no_postfix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it was removed first, nothing can be taken out of it."""
    monkeypatch.setattr(shutil, "which", lambda *_names, **_more: None)
    options = read_options(["--uninstall", "--config-dir", str(tmp_path)])
    configuration = read_configuration(options, SYSTEMD / "conversation-tracker.conf")
    switch_postfix(Machine(dry_run=False), options, configuration)
    assert "not installed any more" in capsys.readouterr().out


def test_dry_run_of_uninstall_refuses_a_directory_that_is_not_postfixs(tmp_path: Path) -> None:
    """As the real one does: Postfix would still ask the tracker, and all mail would wait."""
    done = install("--dry-run", "--uninstall", "--config-dir", tmp_path)
    assert done.returncode == 1
    assert "left as it was" in done.stderr
    assert "rm -f" not in done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--dry-run", "--config-dir", "/nonexistent"],
        ["--prefix", "relative", "--alias-domain", DOMAIN],
        ["--alias-domain"],
        ["--alias-domain", "ct_example.com"],
        ["--alias-domain", DOMAIN, "--signer", "signer.example.com"],
        ["--alias-domain", DOMAIN, "--listener", "192.0.2.1:25"],
        ["--alias-domain", DOMAIN, "--authserv-id", "a b"],
        ["--alias-domain", DOMAIN, "--database", "dbname=a ; b"],
        ["--alias-domain", DOMAIN, "--database-file", "/nonexistent"],
        ["--alias-domain", DOMAIN, "--database", "dbname=a", "--database-file", "/nonexistent"],
        ["--what"],
    ],
)
def test_wrong_usage_is_one_line(options: list[str]) -> None:
    done = install(*options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_root_gets_the_files_of_a_package(tmp_path: Path) -> None:
    done = install("--root", tmp_path)
    assert done.returncode == 0, done.stderr
    files = tree(tmp_path)
    units = sorted(SYSTEMD.glob("*.service")) + sorted(SYSTEMD.glob("*.timer"))
    for unit in units:
        assert files[f"etc/systemd/system/{unit.name}"] == ("-rw-r--r--", unit.read_bytes())
    shipped = (SYSTEMD / "conversation-tracker.conf").read_bytes()
    name = "etc/conversation-tracker/conversation-tracker.conf"
    assert files[name] == ("-rw-r-----", shipped)
    assert files["var/spool/postfix/conversation-tracker"][0] == "drwxr-s---"
    link = tmp_path / "usr/local/bin/conversation-tracker"
    assert str(link.readlink()) == "/opt/conversation-tracker/bin/conversation-tracker"


def test_a_directory_named_from_here_is_found_from_anywhere(tmp_path: Path) -> None:
    """Commands run in /, and would put half of a package there."""
    done = run(POSTFIX / "install", "--root", f"made/{tmp_path.name}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "made" / tmp_path.name
    assert (made / "usr/local/bin/conversation-tracker").is_symlink()
    assert (made / "var/spool/postfix/conversation-tracker").is_dir()
    assert not Path("/made", tmp_path.name).exists()


def test_postfixs_directory_is_passed_on_whole(dry: list[str], tmp_path: Path) -> None:
    given = Path(dry[2])
    program = POSTFIX / "install"
    named = [*dry[:2], given.name, *dry[3:], "--alias-domain", DOMAIN]
    done = run(program, *named, cwd=given.parent)
    assert done.returncode == 0, done.stderr
    assert f"postfix -c {given} check\n" in done.stdout


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    install("--root", tmp_path)
    before = tree(tmp_path)
    done = install("--root", tmp_path)
    assert done.returncode == 0
    assert tree(tmp_path) == before
    assert "+ write" not in done.stdout


def test_configuration_that_is_there_is_left_alone(tmp_path: Path) -> None:
    install("--root", tmp_path)
    file = tmp_path / "etc/conversation-tracker/conversation-tracker.conf"
    file.write_text("[tracker]\ndatabase = dbname=mine ; ours\nsocket = unix:/srv/tracker/sock\n")
    text = file.read_text()
    assert install("--root", tmp_path).returncode == 0
    assert file.read_text() == text
    done = install("--root", tmp_path, "--database", "postgresql:///other")
    assert done.returncode == 1
    assert "change it there" in done.stderr
    assert file.read_text() == text
    assert install("--root", tmp_path, "--database", "dbname=mine").returncode == 0


def test_a_configuration_is_never_there_without_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in between would leave one that the program cannot read, for good."""
    group = next(grp.getgrgid(each) for each in (*os.getgroups(), os.getgid()))
    if os.geteuid() == 0:
        group = next(each for each in grp.getgrall() if each.gr_gid != os.getegid())
    file = tmp_path / "tracker.conf"
    monkeypatch.setenv("CONVERSATION_TRACKER_CONFIG", str(file))
    monkeypatch.setattr("installer.configuration.USER", group.gr_name)

    def end(*_words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Machine, "run", end)
    options = read_options(["--alias-domain", DOMAIN, "--database", "dbname=mine"])
    configuration = read_configuration(options, SYSTEMD / "conversation-tracker.conf")
    with suppress(KeyboardInterrupt):
        write_configuration(Machine(dry_run=False), options, configuration)
    found = file.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, group.gr_gid)


@pytest.mark.parametrize("there", [False, True])
def test_a_database_that_cannot_be_migrated_leaves_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """One that was there before is the administrator's; one of this run goes."""
    file = tmp_path / "tracker.conf"
    if there:
        shutil.copy(SYSTEMD / "conversation-tracker.conf", file)
    monkeypatch.setenv("CONVERSATION_TRACKER_CONFIG", str(file))
    bare = ["--config-dir", str(tmp_path), "--prefix", str(tmp_path / "none")]
    given = [] if there else ["--database", "dbname=mine"]
    options = read_options([*bare, "--alias-domain", DOMAIN, *given])
    configuration = read_configuration(options, SYSTEMD / "conversation-tracker.conf")
    assert configuration.there is there
    file.write_text(configuration.text)
    with pytest.raises(Failed, match="could not be brought up to date"):
        migrate(Machine(dry_run=False), options, configuration)
    assert file.exists() is there


@pytest.mark.parametrize("uri", ["postgresql://u:a&b%5C1|/@db.example/x?a=b", "host=a dbname=b"])
def test_database_is_written_as_given(tmp_path: Path, uri: str) -> None:
    assert install("--root", tmp_path, "--database", uri).returncode == 0
    file = tmp_path / "etc/conversation-tracker/conversation-tracker.conf"
    lines = [line for line in file.read_text().splitlines() if line.startswith("database")]
    assert lines == [f"database = {uri}"]


def test_units_follow_prefix_and_socket(tmp_path: Path) -> None:
    file = tmp_path / "etc/conversation-tracker/conversation-tracker.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[tracker]\ndatabase = dbname=mine\nsocket = unix:/srv/q/tracker/sock ; here\n")
    assert install("--root", tmp_path, "--prefix", "/srv/tracker").returncode == 0
    for unit in (tmp_path / "etc/systemd/system").iterdir():
        assert "/opt/" not in unit.read_text(), unit  # or a reload fails
    unit = (tmp_path / "etc/systemd/system/conversation-tracker.service").read_text()
    assert "\nExecStart=/srv/tracker/bin/conversation-tracker serve\n" in unit
    assert "\nReadWritePaths=/srv/q/tracker\n" in unit
    assert (tmp_path / "srv/q/tracker").is_dir()


def test_unit_names_no_directory_that_is_not_made(tmp_path: Path) -> None:
    """Systemd would not start the service."""
    file = tmp_path / "etc/conversation-tracker/conversation-tracker.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[tracker]\ndatabase = dbname=mine\nsocket = inet:8890@127.0.0.1\n")
    assert install("--root", tmp_path).returncode == 0
    unit = (tmp_path / "etc/systemd/system/conversation-tracker.service").read_text()
    named = [line.partition("=")[2] for line in unit.splitlines() if "Paths=" in line]
    assert all((tmp_path / each.lstrip("/")).is_dir() for each in named)
    assert "\nProtectSystem=strict\n" in unit
