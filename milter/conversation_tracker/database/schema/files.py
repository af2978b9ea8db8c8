"""The files that the schema is made of, as sql/ holds them.

    baseline.sql      tables and types, once; it is never edited
    migrations/       what changed since, in numbered files, each once
    repeatable/       functions and views by topic, made anew whenever their text changes
    before_baseline/  the numbered files that older databases were made from
    roles.sql, bookkeeping.sql, catalogue.sql

Each statement of a repeatable file begins with `CREATE OR REPLACE` at the beginning of a line.
Several functions may have one name, if they take other types. Nothing is run here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

_STATEMENT = re.compile(r"^(?=CREATE OR REPLACE (?:FUNCTION|VIEW) tracker\.)", re.MULTILINE)
_CHANGES = re.compile(
    r"^(CREATE|DROP) (?:OR REPLACE )?(FUNCTION|VIEW) (?:IF EXISTS )?tracker\.(\w+)", re.MULTILINE
)
_MADE = re.compile(r"^CREATE (?:OR REPLACE )?(FUNCTION|VIEW) tracker\.(\w+)", re.MULTILINE)

# The arguments of a function, in which parentheses may stand once within each other; one of them:
# whether the function gives it, and its type.
_ARGUMENTS = re.compile(r"^CREATE OR REPLACE FUNCTION tracker\.\w+\(((?:[^()]|\([^()]*\))*)\)")
_BETWEEN_COMMAS = re.compile(r"(?>(?:[^,()]|\([^()]*\))+)")
_ARGUMENT = re.compile(
    r"(?:(OUT)\s+|(?:IN|INOUT|VARIADIC)\s+)?\w+\s+(.+?)(?:\s+DEFAULT\s.*|\s*:?=.*)?", re.DOTALL
)
_COMMENT = re.compile(r"--.*")

Kind = Literal["FUNCTION", "VIEW"]


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One statement of a repeatable file.

    Attributes:
        kind: what it makes.
        name: that of the function or view, without the schema.
        text: the whole of it.
    """

    kind: Kind
    name: str
    text: str

    @property
    def signature(self) -> str:
        """Return the name of a function and the types of what it takes: several may have the name.

        Raises:
            ValueError: its arguments are written in another way than all others.
        """
        found = _ARGUMENTS.match(self.text)
        if found is None:
            raise ValueError(f"{self.name}: its arguments cannot be read")
        given = _COMMENT.sub("", found[1]).strip()
        types = []
        for each in _BETWEEN_COMMAS.findall(given):
            argument = _ARGUMENT.fullmatch(each.strip())
            if argument is None:
                raise ValueError(f"{self.name}: {each.strip()} is no name and type")
            if not argument[1]:
                types.append(argument[2])
        return f"{self.name}({', '.join(types)})"


@dataclass(frozen=True)
class File:
    """One file.

    Attributes:
        name: what the bookkeeping calls it.
        text: what is in it.
    """

    name: str
    text: str

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of the text, in hexadecimal."""
        return sha256(self.text.encode()).hexdigest()

    @cached_property
    def makes(self) -> tuple[tuple[Kind, str], ...]:
        """Return kind and name of each function and view that it makes."""
        return tuple((kind, name) for kind, name in _MADE.findall(self.text))

    @cached_property
    def statements(self) -> tuple[SqlStatement, ...]:
        """Return the statements of a repeatable file."""
        _head, *texts = _STATEMENT.split(self.text)
        return tuple(
            SqlStatement(kind, name, text)
            for (kind, name), text in zip(self.makes, texts, strict=True)
        )

    @property
    def functions(self) -> tuple[SqlStatement, ...]:
        """Return those of the statements of a repeatable file that make a function."""
        return tuple(each for each in self.statements if each.kind == "FUNCTION")


@dataclass(frozen=True, slots=True)
class Files:
    """All files of the program.

    Attributes:
        baseline: the tables.
        migrations: the numbered files since, in their order.
        repeatable: functions and views by topic, in the order of their names.
        before: the numbered files before the baseline, in their order.
        roles: who may do what.
        bookkeeping: the table that says what was applied.
        catalogue: the query that tells what tables are like.
    """

    baseline: File
    migrations: tuple[File, ...]
    repeatable: tuple[File, ...]
    before: tuple[File, ...]
    roles: File
    bookkeeping: File
    catalogue: File

    @property
    def all(self) -> tuple[File, ...]:
        """Return the files that a database of today is made of, in the order of their use."""
        return (self.baseline, *self.migrations, *self.repeatable)

    def makes(self) -> set[tuple[Kind, str]]:
        """Return kind and name of all functions and views of the repeatable files."""
        return {each for file in self.repeatable for each in file.makes}

    def signatures(self) -> list[tuple[str, str]]:
        """Return name and signature of all functions of the repeatable files."""
        return [(each.name, each.signature) for file in self.repeatable for each in file.functions]


def find_remaining(chapters: Iterable[File]) -> set[tuple[Kind, str]]:
    """Return kind and name of the functions and views that are there after some files ran."""
    left: set[tuple[Kind, str]] = set()
    for file in chapters:
        for what, kind, name in _CHANGES.findall(file.text):
            left = left | {(kind, name)} if what == "CREATE" else left - {(kind, name)}
    return left


def read_files() -> Files:
    """Read all files."""
    folder = files("conversation_tracker.database").joinpath("sql")
    return Files(
        baseline=_read(folder, "baseline"),
        migrations=_read_all(folder, "migrations", ""),
        repeatable=_read_all(folder, "repeatable", "repeatable/"),
        before=_read_all(folder, "before_baseline", ""),
        roles=_read(folder, "roles"),
        bookkeeping=_read(folder, "bookkeeping"),
        catalogue=_read(folder, "catalogue"),
    )


def _read(folder: Traversable, name: str, prefix: str = "") -> File:
    return File(f"{prefix}{name}", folder.joinpath(f"{name}.sql").read_text("utf-8"))


def _read_all(folder: Traversable, below: str, prefix: str) -> tuple[File, ...]:
    place = folder.joinpath(below)
    if not place.is_dir():
        return ()
    names = sorted(each.name for each in place.iterdir() if each.name.endswith(".sql"))
    return tuple(_read(place, name.removesuffix(".sql"), prefix) for name in names)
