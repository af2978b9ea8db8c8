"""Asks a database whether the tracker can use it: run by the installer, with the URI as input.

Exit code 0: it can. Else one line says why not; it never shows the URI, which may hold a password.
"""

import sys

import psycopg
from psycopg.conninfo import conninfo_to_dict

OLDEST = 150000  # server_version_num
# What mail and programs need; tracker_auditor may be made whenever somebody wants it.
ROLES = ["tracker_service", "tracker_reader", "tracker_integrator"]
QUESTION = """
    SELECT current_setting('server_version_num')::integer,
           current_setting('server_encoding'),
           pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
           coalesce((SELECT pg_has_role(nspowner, 'MEMBER')
                     FROM pg_namespace WHERE nspname = 'tracker'),
                    has_database_privilege(current_database(), 'CREATE')),
           current_user, current_database(),
           (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user),
           ARRAY(SELECT name FROM unnest(%s::text[]) AS name
                 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name))
"""


def judge(row: tuple[object, ...]) -> str:
    """Return what is wrong, or ""."""
    version, encoding, read_only, owner, user, database, may_create, lacking = row
    if isinstance(version, int) and version < OLDEST:
        return f"is PostgreSQL {version // 10000}: the tracker needs {OLDEST // 10000} or later"
    if encoding != "UTF8":
        return f"is encoded as {encoding}: make one with ENCODING 'UTF8'"
    if read_only:
        return "is read-only: name the primary server"
    if not owner:
        return (
            f"lets {user} make no tables: as its owner, GRANT CREATE ON DATABASE"
            f' "{database}" TO "{user}", or make that role the owner of the schema tracker'
        )
    if lacking and isinstance(lacking, list) and not may_create:
        statements = "; ".join(f"CREATE ROLE {name} NOLOGIN" for name in lacking)
        return f"lacks roles that {user} may not make: as its administrator, {statements}"
    return ""


def _refuse_odd_ports(uri: str) -> None:
    """Refuse what libpq would quote: it may be a password, of a URI with an @ or : too many."""
    ports = str(conninfo_to_dict(uri).get("port") or "").split(",")
    if not all(port.isdecimal() for port in ports if port):
        raise psycopg.ProgrammingError("a port is no number")


def main() -> int:
    """Ask, and say what is wrong."""
    uri = sys.stdin.read()
    try:
        _refuse_odd_ports(uri)
        with psycopg.connect(uri, connect_timeout=10) as connection:
            row = connection.execute(QUESTION, (ROLES,)).fetchone()
    except psycopg.OperationalError as error:
        print(f"cannot be reached: {' '.join(str(error).split())}")
        return 1
    except (psycopg.Error, UnicodeError):
        print("cannot be asked: its URI is none that libpq understands")
        return 1
    trouble = judge(row) if row else "says nothing"
    if trouble:
        print(trouble)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
