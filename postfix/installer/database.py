"""The database: one is made on this host, or the one that was given is looked at first."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from conversation_tracker.base.conninfo import hide_password
from installer.configuration import OWN_DATABASE, Configuration
from installer.machine import Failed, Machine
from installer.options import USER, Options

OLDEST = 150000  # server_version_num
_NAME = OWN_DATABASE.rpartition("/")[2]
_ROLES = ("tracker_service", "tracker_reader", "tracker_integrator", "tracker_auditor")

# Asked on PostgreSQL's own database; that of the tracker and its role may be there or not.
_STATE = f"""
    SELECT current_setting('server_version_num'), pg_is_in_recovery(),
           coalesce(pg_encoding_to_char(d.encoding), 'UTF8'),
           current_setting('transaction_read_only')::boolean OR EXISTS (
               SELECT FROM pg_db_role_setting AS s, unnest(s.setconfig) AS setting
                WHERE s.setdatabase IN (0, d.oid) AND s.setrole IN (0, r.oid)
                  AND setting ~ '^default_transaction_read_only=(on|true|yes|1)$'),
           coalesce(has_database_privilege(r.oid, d.oid, 'CREATE'), d.oid IS NULL)
      FROM (SELECT) AS one
      LEFT JOIN pg_database AS d ON d.datname = '{_NAME}'
      LEFT JOIN pg_roles AS r ON r.rolname = '{USER}'"""
# Asked on the tracker's, whose tables may be its own while the database is not.
_OWNS = f"""
    SELECT true FROM pg_namespace AS n, pg_roles AS r
     WHERE n.nspname = 'tracker' AND r.rolname = '{USER}'
       AND pg_has_role(r.oid, n.nspowner, 'MEMBER')"""
# What is asked on PostgreSQL's own database, and the statement if the answer is nothing.
_MADE = (
    (f"SELECT 1 FROM pg_roles WHERE rolname = '{USER}'", f'CREATE ROLE "{USER}" LOGIN'),
    *(
        (f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'", f"CREATE ROLE {role} NOLOGIN")
        for role in _ROLES
    ),
    (
        f"SELECT 1 WHERE pg_has_role('{USER}', 'tracker_service', 'MEMBER')",
        f'GRANT tracker_service TO "{USER}"',
    ),
    (
        f"SELECT 1 FROM pg_database WHERE datname = '{_NAME}'",
        f"CREATE DATABASE {_NAME} OWNER \"{USER}\" ENCODING 'UTF8' TEMPLATE template0",
    ),
    # Of a statement that fails, the server's log would quote the row, with the address in it.
    (
        "SELECT 1 FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase"
        f" WHERE datname = '{_NAME}' AND setrole = 0"
        " AND 'log_error_verbosity=terse' = ANY (setconfig)",
        f"ALTER DATABASE {_NAME} SET log_error_verbosity TO terse",
    ),
)


def look_ahead(machine: Machine, configuration: Configuration) -> bool:
    """Look at the database before anything is installed, if there is by what to ask it.

    Returns:
        Whether it was looked at.

    Raises:
        Failed: it cannot be used; nothing was installed.
    """
    if configuration.makes_database:
        return _look_at_own(machine)
    if not _has_driver() or not _has_user():
        return False
    look_at_database(machine, configuration, done="nothing was installed")
    return not machine.dry_run


def _look_at_own(machine: Machine) -> bool:
    """Look at PostgreSQL on this host; what is not there yet will be installed."""
    if shutil.which("psql") is None or shutil.which("pg_lsclusters") is None:
        return False
    machine.step("Database, as it is")
    try:
        version, standby, encoding, read_only, may_make = _ask(_STATE).split("|")
        owns = may_make == "t" or _ask(_OWNS, _NAME) == "t"
    except Failed as failure:
        if machine.dry_run:
            machine.say(f"not asked: {failure}")
            return False
        raise Failed(f"{failure}; nothing was installed") from None
    trouble = ""
    if int(version) < OLDEST:
        trouble = f"is {int(version) // 10000}: the tracker needs {OLDEST // 10000} or later"
    elif standby == "t":
        trouble = "is a standby: give the primary's URI by --database"
    elif encoding != "UTF8":
        trouble = (
            f"has a database {_NAME} that is encoded as {encoding}: dump it, and make it anew with"
            " ENCODING 'UTF8' TEMPLATE template0"
        )
    elif read_only == "t":
        trouble = (
            "is read-only: SET default_transaction_read_only = off, then ALTER SYSTEM RESET"
            f" default_transaction_read_only, or ALTER DATABASE {_NAME} RESET of it, whichever set"
            " it"
        )
    elif not owns:
        trouble = (
            f"has a database {_NAME} of somebody else's: rename or drop it, or make it the"
            f' tracker\'s: CREATE ROLE "{USER}" LOGIN; ALTER DATABASE {_NAME} OWNER TO "{USER}"'
        )
    if trouble:
        raise Failed(f"PostgreSQL on this host {trouble}; nothing was installed")
    machine.say("can be used")
    return True


def _has_driver() -> bool:
    command = ["/usr/bin/python3", "-IBc", "import psycopg"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _has_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def look_at_database(
    machine: Machine, configuration: Configuration, *, done: str = "nothing was set up"
) -> None:
    """See that a database that was given can be used, before anything depends on it.

    It is asked as the program will ask it: by its user, with Debian's driver.

    Args:
        machine: this one.
        configuration: what names the database.
        done: what to say of what was done, if it cannot be used.

    Raises:
        Failed: it cannot be used.
    """
    if configuration.makes_database:
        return
    machine.step("Database, as it is")
    if machine.dry_run:
        machine.say("+ connect to the database that was given")
        return
    question = Path(__file__).with_name("ask_database.py").read_text("utf-8")
    # By standard input: other users see a command line.
    uri = configuration.values.get("database", "")
    asked = subprocess.run(
        ["runuser", "-u", USER, "--", "/usr/bin/python3", "-IBc", question],
        input=uri,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    if asked.returncode != 0:
        said = (asked.stdout or asked.stderr).strip().rpartition("\n")[2]
        shown = hide_password(said, uri) or "cannot be asked"
        raise Failed(f"the database {shown}; {done}")
    machine.say("can be used")


def make_database(machine: Machine, configuration: Configuration) -> None:
    """Make database and roles on this host, if that is the one to be used."""
    machine.step("Database")
    if not configuration.makes_database:
        machine.say("not the one that is made here: its tables, and its roles tracker_service,")
        machine.say("tracker_reader, tracker_integrator and tracker_auditor if that may be, are")
        machine.say("made in it")
        return
    made = False
    for question, statement in _MADE:
        if not machine.dry_run and _ask(question):
            continue
        made = True
        machine.say(f"+ psql: {statement}")
        if not machine.dry_run:
            _ask(statement)
    if not made:
        machine.say("as it should be")


def _ask(statement: str, name: str = "postgres") -> str:
    """Run a statement as PostgreSQL's administrator, in the database of that name."""
    psql = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-qAt", "-d", name, "-c", statement]
    command = ["runuser", "-u", "postgres", "--", *psql]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        said = done.stderr.strip().partition("\n")[0]
        raise Failed(f"PostgreSQL refuses ({said}): start it and run this again")
    return done.stdout.strip()


def migrate(machine: Machine, options: Options, configuration: Configuration) -> None:
    """Bring the tables up to date. A configuration of this run goes if that fails.

    Raises:
        Failed: it failed.
    """
    machine.step("Tables")
    try:
        run_program(machine, options, "migrate")
    except Failed:
        if not configuration.there and not machine.dry_run:
            configuration.file.unlink(missing_ok=True)
        raise Failed("the database could not be brought up to date") from None


def run_program(machine: Machine, options: Options, *command: str) -> None:
    """Run the program as its own user."""
    os.environ["CONVERSATION_TRACKER_CONFIG"] = str(options.configuration)
    program = options.prefix / "bin" / "conversation-tracker"
    machine.run("runuser", "-u", USER, "--", program, *command)
