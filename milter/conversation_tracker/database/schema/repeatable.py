"""Makes functions and views anew from the repeatable files, within one transaction.

What can be replaced in place is: privileges stay, and what depends on it. What cannot be, because
its arguments, result or columns are others, is dropped and made; whoever was granted it is granted
it again, whose it was has it again, and what was said of it in comments is said again. Where
something of somebody else's depends on what would be dropped, or goes with a view - a trigger, a
rule, a default of a column - `Dependents` names it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from psycopg import Connection, errors

from conversation_tracker.database.schema.files import File, Files, Kind, SqlStatement

# What PostgreSQL says when it cannot replace a function or view in place.
_NOT_IN_PLACE = (errors.InvalidFunctionDefinition, errors.InvalidTableDefinition)

# Functions and views: kind, name, and which it is; and the statements that give another one of its
# name its comments, and to whoever may use it and to whoever owns it. In those of functions, the
# first {} stands for the other one: its arguments may be others, and its name not its alone.
_THERE = """
    SELECT 'FUNCTION', p.proname::text, p.oid,
           ARRAY(SELECT format('GRANT EXECUTE ON FUNCTION {} TO %s%s', a.grantee::regrole,
                               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   FROM aclexplode(p.proacl) AS a WHERE a.grantee NOT IN (0, p.proowner))
           || ARRAY(SELECT format('COMMENT ON FUNCTION {} IS %L', d.description)
                      FROM pg_description AS d
                     WHERE d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid)
           || format('ALTER FUNCTION {} OWNER TO %s', p.proowner::regrole)
      FROM pg_proc AS p WHERE p.pronamespace = 'tracker'::regnamespace AND p.prokind = 'f'
    UNION ALL
    SELECT 'VIEW', c.relname, c.oid,
           ARRAY(SELECT format('GRANT %s%s ON %s TO %s%s', a.privilege_type, a.columns,
                               c.oid::regclass,
                               CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                    ELSE a.grantee::regrole::text END,
                               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   FROM (SELECT (aclexplode(c.relacl)).*, '' AS columns
                         UNION ALL
                         SELECT (aclexplode(t.attacl)).*, format(' (%I)', t.attname)
                           FROM pg_attribute AS t WHERE t.attrelid = c.oid) AS a
                  WHERE a.grantee <> c.relowner)
           || ARRAY(SELECT format('COMMENT ON %s %s IS %L',
                                  CASE WHEN t.attname IS NULL THEN 'VIEW' ELSE 'COLUMN' END,
                                  concat_ws('.', c.oid::regclass, quote_ident(t.attname)),
                                  d.description)
                      FROM pg_description AS d
                      LEFT JOIN pg_attribute AS t
                        ON t.attrelid = d.objoid AND t.attnum = d.objsubid AND d.objsubid > 0
                     WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid)
           || format('ALTER VIEW %s OWNER TO %s', c.oid::regclass, c.relowner::regrole)
      FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'v'"""
_WRITE_FUNCTION = "SELECT oid::regprocedure::text FROM pg_proc WHERE oid = %s"
_WHICH = "SELECT to_regprocedure('tracker.' || %s)::oid"
_DROP_VIEWS = """
    SELECT 'DROP VIEW ' || string_agg(format('tracker.%%I', name), ', ')
      FROM unnest(%s::text[]) AS name HAVING count(*) > 0"""
# What others made on a view of ours and would be dropped with it; our own files make none.
_GOES_ALONG = """
    SELECT format('trigger %%I on view %%s', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger AS t WHERE NOT t.tgisinternal AND t.tgrelid = ANY (%(views)s)
    UNION ALL
    SELECT format('rule %%I on view %%s', r.rulename, r.ev_class::regclass)
      FROM pg_rewrite AS r WHERE r.rulename <> '_RETURN' AND r.ev_class = ANY (%(views)s)
    UNION ALL
    SELECT format('default of column %%s.%%I', a.attrelid::regclass, a.attname)
      FROM pg_attrdef AS d
      JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE d.adrelid = ANY (%(views)s)
    ORDER BY 1"""
_UNCHECKED = "SET LOCAL check_function_bodies = off"
_CHECKED = "SET LOCAL check_function_bodies = on"
_CHECK = """
    SELECT CASE l.lanname WHEN 'sql' THEN fmgr_sql_validator(p.oid)
                ELSE plpgsql_validator(p.oid) END
      FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
     WHERE p.pronamespace = 'tracker'::regnamespace AND p.proname = ANY (%s)
       AND l.lanname IN ('sql', 'plpgsql')"""
_MEND = "drop it, run migrate, and make it again"


class Dependents(Exception):
    """Something of somebody else's is in the way of what would have to be dropped."""


class Remake:
    """One run within one transaction; after it raised, that can only be undone."""

    def __init__(self, connection: Connection, files: Files) -> None:
        """Work on a connection that is within a transaction; note who may use what."""
        self._connection = connection
        self._files = files
        self._before = self._find_all()
        # Which function came in the place of one that was dropped.
        self._heirs: dict[int, int] = {}

    def apply(self, file: File) -> None:
        """Run a file of tables.

        If views are in its way, they are dropped before; `make` makes them.

        Raises:
            Dependents: something of somebody else's is, too.
            psycopg.Error: it fails.
        """
        try:
            self._run(file.text)
        except (errors.FeatureNotSupported, Dependents):
            # The former is said of a column's new type, where a view shows the column.
            self._drop_our_views()
            self._run(file.text)

    def make(self, changed: Sequence[File], known: Iterable[tuple[Kind, str]]) -> None:
        """Make what the changed files say, and drop what no file makes any more.

        Args:
            changed: the files whose text is another one than before.
            known: kind and name of all functions and views that files made before; a name as
                often as there were functions of it.

        Raises:
            Dependents: somebody else's view, for instance, is in the way.
            psycopg.Error: a statement fails, or a function could never run.
        """
        known = Counter(known)
        views = sorted(name for kind, name in known.keys() - self._files.makes() if kind == "VIEW")
        self._connection.execute(_UNCHECKED)  # until all are there that they call
        left = Counter(name for name, _signature in self._files.signatures())
        names = [each.name for each in _list_statements(changed, "FUNCTION")]
        names += sorted(
            n for (kind, n), times in known.items() if kind == "FUNCTION" and left[n] < times
        )
        for name in dict.fromkeys(names):
            self._make_functions(name, changed, known["FUNCTION", name])
        self._drop_views(views)
        self._make_views(changed)
        self._connection.execute(_CHECKED)
        self._fetch_rows(_CHECK, sorted(name for _kind, name in self._files.makes()))
        self._restore()

    def lacks(self, file: File) -> bool:
        """Return whether a function of a file was not there."""
        return any(
            times > len(self._before.get(("FUNCTION", name), ()))
            for name, times in Counter(each.name for each in file.functions).items()
        )

    def _make_functions(self, name: str, changed: Sequence[File], known: int) -> None:
        """Make those of a name that changed files say, and drop what no file makes any more.

        Which of those that were there are ours is known by their number alone: what others made
        under the same name stays, and stands in the way where ours cannot be told from it.
        """
        before = self._find(name)
        for statement in _list_statements(changed, "FUNCTION"):
            if statement.name == name:
                self._make_function(statement, before, known)
        ours = [self._which(signature) for n, signature in self._files.signatures() if n == name]
        rest = [each for each in before if each not in ours and each in self._find(name)]
        if len(rest) > (lost := known - sum(each in ours for each in before)) > 0:
            raise _refuse_to_choose(name)
        new = [each for each in ours if each is not None and each not in before]
        for each in rest if lost > 0 else ():
            self._drop_function(each)
            if new:
                self._heirs[each] = new.pop(0)

    def _make_function(self, statement: SqlStatement, before: Sequence[int], known: int) -> None:
        try:
            self._run(statement.text)
        except _NOT_IN_PLACE:
            if len(before) > max(known, 1):
                raise _refuse_to_choose(statement.name) from None
            old = self._which(statement.signature)
            assert old is not None
            self._drop_function(old)
            self._run(statement.text)
            new = self._which(statement.signature)
            assert new is not None
            self._heirs[old] = new

    def _drop_function(self, which: int) -> None:
        """Drop a function; our views with it if one of them uses it."""
        statement = f"DROP FUNCTION {self._write_function(which)}"
        try:
            self._run(statement)
        except Dependents:
            self._drop_our_views()
            self._run(statement)

    def _make_views(self, changed: Sequence[File]) -> None:
        for statement in _list_statements(changed, "VIEW"):
            try:
                self._run(statement.text)
            except _NOT_IN_PLACE:
                try:
                    self._drop_views([statement.name])
                except Dependents:
                    self._drop_our_views()
                self._run(statement.text)
        there = {name for kind, name in self._find_all() if kind == "VIEW"}
        for statement in _list_statements(self._files.repeatable, "VIEW"):
            if statement.name not in there:
                self._run(statement.text)

    def _drop_our_views(self) -> None:
        self._drop_views([each.name for each in _list_statements(self._files.repeatable, "VIEW")])

    def _drop_views(self, names: Sequence[str]) -> None:
        """Drop those of the views that are there, at once: they may depend on each other."""
        there = self._find_all()
        names = [name for name in names if ("VIEW", name) in there]
        views = [which for name in names for which, _statements in there[("VIEW", name)]]
        found = self._connection.execute(_GOES_ALONG.encode(), {"views": views}).fetchall()
        if found:
            raise _refuse_to_lose(found)
        for (statement,) in self._fetch_rows(_DROP_VIEWS, names):
            self._run(statement)

    def _restore(self) -> None:
        """Restore owner and grants of what was dropped and made."""
        there = self._find_all()
        for (kind, name), found in self._before.items():
            now = {which for which, _statements in there.get((kind, name), ())}
            for which, statements in found:
                if which in now or not (now if kind == "VIEW" else which in self._heirs):
                    continue
                for statement in statements:
                    if kind == "FUNCTION":
                        heir = self._write_function(self._heirs[which])
                        statement = statement.replace("{}", heir, 1)
                    with suppress(errors.UndefinedColumn):
                        self._run(statement)

    def _which(self, signature: str) -> int | None:
        [(which,)] = self._fetch_rows(_WHICH, signature)
        return None if which is None else int(which)

    def _write_function(self, which: int) -> str:
        [(written,)] = self._fetch_rows(_WRITE_FUNCTION, which)
        return str(written)

    def _find(self, name: str) -> list[int]:
        return [which for which, _statements in self._find_all().get(("FUNCTION", name), ())]

    def _find_all(self) -> dict[tuple[str, str], list[tuple[int, list[str]]]]:
        if self._fetch_rows("SELECT to_regnamespace('tracker')") == [(None,)]:
            return {}
        found: dict[tuple[str, str], list[tuple[int, list[str]]]] = {}
        for kind, name, which, statements in self._fetch_rows(_THERE):
            found.setdefault((kind, name), []).append((which, statements))
        return found

    def _fetch_rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query.encode(), values or None).fetchall()

    def _run(self, statement: str) -> None:
        """Run statements so that the transaction can go on if one fails."""
        try:
            with self._connection.transaction():
                self._connection.execute(statement.encode())
        except errors.DependentObjectsStillExist as error:
            raise _read_dependents(error) from error


def _list_statements(files: Iterable[File], kind: Kind) -> list[SqlStatement]:
    return [each for file in files for each in file.statements if each.kind == kind]


def _refuse_to_choose(name: str) -> Dependents:
    return Dependents(
        f"there are several functions tracker.{name}, and one of them must go: drop what is not"
        " this program's, run migrate, and make it again"
    )


def _refuse_to_lose(found: Iterable[tuple[str]]) -> Dependents:
    said = "; ".join(name for (name,) in found)
    return Dependents(f"{said}: it would be lost; {_MEND}")


def _read_dependents(error: errors.DependentObjectsStillExist) -> Dependents:
    said = "; ".join((error.diag.message_detail or str(error)).splitlines())
    return Dependents(f"{said}: {_MEND}")
