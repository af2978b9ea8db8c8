"""The shape of the code: what may import what, how long things may be, what must be described.

Each rule is a function from one module to the offences in it, tried on samples that break it and
then on the package.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

SOURCE_ROOT = Path(__file__).parents[3] / "milter"
TESTS = Path(__file__).parents[2]
PACKAGE = "conversation_tracker"

FILE_LIMIT = 400
FUNCTION_LIMIT = 60

ROOM_LIMIT = 20  # files

# Names of functions are verbs: of all of them, at most so many may end as past participles.
PARTICIPLE_LIMIT = 0.08
IRREGULAR = set(
    "begun bent born bound bought brought broken built caught chosen cut dealt done drawn driven"
    " fed felt forgotten fought found frozen given gone grown heard held hidden kept known laid led"
    " left lent lost made meant met paid put run said seen sent set shown shut sold sought spent"
    " split spoken spread stood struck sunk swept sworn taken thought thrown told torn understood"
    " undone unread unseen won woken worn written".split()
)
VERBS = {"cut", "let", "put", "run", "set", "shut", "split", "spread", "feed", "need", "heed"}
WAITING_METHODS = {"sleep", "wait", "settimeout", "alarm", "select"}

# The rooms from the bottom up. A module imports from its own room and from rooms of a lower number:
# those of one number do not know each other.
ROOMS = {
    "core.base": 0,
    "core.syntax": 1,
    "core.model": 2,
    "core.masking.address": 3,
    "core.scanning.text": 3,
    "core.masking.text": 4,
    "core.scanning": 4,
    "core.masking.header": 5,
    "core.masking.container": 5,
    "core.masking.part": 6,
    "core.reading": 7,
    "core.views": 7,
    "core.reports": 8,
    "core.rules": 9,
    "base": 10,
    "config": 11,
    "telemetry": 12,
    "database": 13,
    "pages": 13,
    "milter.paths": 14,
    "milter": 15,
    "postfix": 15,
    "checks": 16,
    "delivery_log": 16,
    "maintenance": 16,
    "publish": 16,
    "serve": 16,
    "support": 16,
    "web": 16,
    "cli": 17,
    "__main__": 18,
}

WORLDLY = {  # what reads files, clocks or networks, or writes to them
    "asyncio", "logging", "multiprocessing", "os", "pathlib", "shutil", "signal", "socket",
    "sqlite3", "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
CORE_MAY_IMPORT = (sys.stdlib_module_names | {"cryptography", "idna", "zstandard"}) - WORLDLY

# What scans must not share a fault with what masks.
STRANGERS = {"core.scanning": ("core.syntax", "core.masking")}

# What the path of each kind of message may reach besides core, fresh tokens, and what all of them
# have. None reaches another: what a message is was decided before.
PATHS = {
    "complaint": {"record"},
    "order_mail": {"record"},
    "own_mail": {"record", "database"},
    "refused": {"record"},
    "reports": {"database"},
    "untouched": set(),
}
ALL_PATHS_HAVE = {"context", "outcome"}

DRIVERS = {"psycopg", "psycopg_pool"}
MAY_IMPORT_DRIVER = {"config.options"}  # it reads the connection string
STATEMENT = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE [\w.]+ (AS \w+ )?SET|DELETE FROM|WITH \w+ AS|CALL [\w.]+)\b"
)
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*(?:\n|\Z))+)", re.MULTILINE)
ENTRY = re.compile(r"^    (\*{0,2}\w+): ", re.MULTILINE)
SQL_METHODS = {"execute", "executemany", "stream", "copy", "SQL"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One file of the package: its path below the package, with dots, and its text."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """The name by which it is imported."""
        return f"{PACKAGE}.{self.path}".removesuffix(".__init__")

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text)


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package, read once."""
    root = SOURCE_ROOT / PACKAGE
    return tuple(
        Module(".".join(path.relative_to(root).with_suffix("").parts), path.read_text())
        for path in sorted(root.rglob("*.py"))
    )


def imports(module: Module) -> Iterator[str]:
    """Yield the full name of everything imported, wherever the statement stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            package = [PACKAGE, *module.path.split(".")][: -node.level]
            start = ".".join([*package, node.module] if node.module else package)
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph_of(some: Iterable[Module]) -> dict[str, set[str]]:
    """Return which of our modules each of them imports, by their names."""
    wanted = {module.name: set(imports(module)) for module in some}
    return {
        name: {part for each in names for part in (each, each.rpartition(".")[0]) if part in wanted}
        for name, names in wanted.items()
    }


def room(name: str) -> str | None:
    """Return the room that a module or what is in it lies in, None if it lies in none."""
    path = name.removeprefix(f"{PACKAGE}.")
    return next((each for each in ROOMS if f"{path}.".startswith(f"{each}.")), None)


def definitions(module: Module) -> Iterator[tuple[str, Definition]]:
    """Yield all functions and classes, methods too, but none inside a function."""
    waiting: list[tuple[str, ast.AST]] = [("", module.tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Definition):
                yield prefix + node.name, node
            if isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With):
                name = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
                waiting.append((name, node))


# The rules


def impure_imports(module: Module) -> list[str]:
    """Return what a module of core imports besides core, the library and what it may import."""
    if module.path.partition(".")[0] != "core":
        return []
    return [
        f"{module.name} imports {name}"
        for name in imports(module)
        if not name.startswith(f"{PACKAGE}.core.") and name.partition(".")[0] not in CORE_MAY_IMPORT
    ]


def strange_imports(module: Module) -> list[str]:
    """Return what a module imports from a room it must not know at all."""
    return [
        f"{module.name} imports {name}"
        for floor, strangers in STRANGERS.items()
        if module.path.startswith(f"{floor}.")
        for name in imports(module)
        if any(f"{name}.".startswith(f"{PACKAGE}.{stranger}.") for stranger in strangers)
    ]


def straying_paths(module: Module) -> list[str]:
    """Return what the path of a kind of message reaches that is not on it."""
    floor, _, name = module.path.rpartition(".")
    if floor != "milter.paths" or name not in PATHS:
        return []
    reached = {
        path.removeprefix("milter.paths.").partition(".")[0]
        for path in (each.removeprefix(f"{PACKAGE}.") for each in imports(module))
        if not path.startswith(("core.", "base."))
    } & ({*PATHS, "record"} | {each.partition(".")[0] for each in ROOMS})
    if any(isinstance(n, ast.Attribute) and n.attr == "database" for n in ast.walk(module.tree)):
        reached.add("database")
    return [f"{module.name} reaches {each}" for each in sorted(reached - PATHS[name])]


def long_file(module: Module) -> list[str]:
    """Return the module if it has too many lines."""
    count = len(module.text.splitlines())
    return [f"{module.name} has {count} lines"] if count > FILE_LIMIT else []


def long_functions(module: Module) -> list[str]:
    """Return the functions with too many lines, those inside functions as well."""
    return [
        f"{module.name}.{node.name} has {count} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LIMIT
    ]


def undescribed(module: Module) -> list[str]:
    """Return the module, and the public functions and classes in it, that have no docstring."""
    missing = [] if ast.get_docstring(module.tree) else [module.name]
    return missing + [
        f"{module.name}.{name}"
        for name, node in definitions(module)
        if not any(part.startswith("_") for part in name.split(".")) and not ast.get_docstring(node)
    ]


def misdescribed(module: Module) -> list[str]:
    """Return the arguments and attributes that docstrings describe, and that are not there."""
    found = []
    for name, node in definitions(module):
        sections = SECTION.findall(ast.get_docstring(node) or "")
        described = {each.strip("*") for text in sections for each in ENTRY.findall(text)}
        found += [f"{module.name}.{name} {each}" for each in sorted(described - names_in(node))]
    return found


def names_in(node: Definition) -> set[str]:
    """Return the arguments of a function, or of a class's functions with all its attributes."""
    names = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    if isinstance(node, ast.ClassDef):
        names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        names |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
        names |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    return names


def is_participle(name: str) -> bool:
    """Whether a function's name ends as a past participle; a verb alone may look like one."""
    *before, last = name.strip("_").split("_")
    if not before and last in VERBS:
        return False
    return last in IRREGULAR or (last.endswith("ed") and not last.endswith("eed"))


def participles(some: Iterable[Module]) -> list[str]:
    """Return the functions named by a past participle, if more are than should be."""
    names = [
        f"{module.name}.{node.name}"
        for module in some
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("__")
    ]
    found = [name for name in names if is_participle(name.rpartition(".")[2])]
    return found if len(found) > PARTICIPLE_LIMIT * len(names) else []


def repeated_classes(some: Iterable[Module]) -> list[str]:
    """Return the classes of a name that another class has, wherever they are defined."""
    places: dict[str, list[str]] = {}
    for module in some:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{module.name}.{node.name}")
    return [each for names in places.values() if len(names) > 1 for each in names]


def built_sql(module: Module) -> list[str]:
    """Return the statements that are put together from text where they are run."""
    return [
        f"{module.name} line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in SQL_METHODS
        and any(
            isinstance(part, ast.JoinedStr)
            or (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Mod))
            or (isinstance(part, ast.Attribute) and part.attr == "format" and is_text(part.value))
            for argument in node.args[:1]
            for part in ast.walk(argument)
        )
    ]


def sql_outside(module: Module) -> list[str]:
    """Return the statements, and imports of the driver, in a module outside the database's room."""
    if module.path.partition(".")[0] == "database":
        return []
    drivers = [
        f"{module.name} imports {name}"
        for name in imports(module)
        if name.partition(".")[0] in DRIVERS and module.path not in MAY_IMPORT_DRIVER
    ]
    return drivers + [
        f"{module.name} line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and STATEMENT.match(node.value)
    ]


def times_outside(module: Module) -> list[str]:
    """Return the calls that wait for a number of seconds not from `base.timeouts`."""
    return [
        f"{module.name} line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            (
                getattr(node.func, "attr", getattr(node.func, "id", "")) in WAITING_METHODS
                and any(is_number(each) for each in node.args)
            )
            or any(each.arg == "timeout" and is_number(each.value) for each in node.keywords)
        )
    ]


def is_number(node: ast.expr) -> bool:
    """Return whether an expression is a number other than 0, which waits for nothing."""
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, int | float) and bool(node.value)
    )


def is_text(node: ast.expr) -> bool:
    """Return whether an expression is a text, so that its `format` is not psycopg's own."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def upward_imports(module: Module) -> list[str]:
    """Return what a module imports from a room beside its own or above it."""
    own = room(module.name)
    if own is None:
        return []
    others = {name: other for name in imports(module) if (other := room(name)) not in (None, own)}
    return [
        f"{module.name} imports {name}"
        for name, other in others.items()
        if name.startswith(f"{PACKAGE}.") and ROOMS[str(other)] >= ROOMS[own]
    ]


def homeless_modules(some: Iterable[Module]) -> list[str]:
    """Return the modules that lie in no room, but for those that make the package."""
    return [
        each.name for each in some if room(each.name) is None and not each.path.endswith("__init__")
    ]


def crowded_rooms(some: Iterable[Module]) -> list[str]:
    """Return the rooms with too many files."""
    files = Counter(
        each.path.rpartition(".")[0] for each in some if not each.path.endswith("__init__")
    )
    return [f"{name} has {count} files" for name, count in files.items() if count > ROOM_LIMIT]


def test_a_newcomer_finds_a_test_by_its_subject() -> None:
    """A folder of tests that has rooms has all of its tests in them, and no more than fit."""
    for folder in (TESTS / "unit", TESTS / "database"):
        assert not [*folder.glob("test_*.py")]
        for room in {path.parent for path in folder.rglob("test_*.py")}:
            assert len([*room.glob("*.py")]) <= ROOM_LIMIT, room


def circular_imports(some: Iterable[Module]) -> list[str]:
    """Return the modules that lead back to themselves, and those that need them."""
    graph = graph_of(some)
    while free := [name for name, needed in graph.items() if not needed & graph.keys() - {name}]:
        for name in free:
            del graph[name]
    return sorted(graph)


Rule = Callable[[Module], list[str]]
BODY = "    pass\n"
DESCRIBED = '  """X.\n\n  {}:\n      {}\n  """\n'


@pytest.mark.parametrize(
    ("rule", "name", "text", "offences"),
    [
        (impure_imports, "core.x", "import re, idna\nfrom conversation_tracker.core import y", 0),
        (impure_imports, "core.x", "from .y import z", 0),
        (impure_imports, "core.x", "import psycopg, Milter, structlog, logging", 4),
        (impure_imports, "core.x", "from conversation_tracker import core_config", 1),
        (impure_imports, "core.x", "from ..config import Config", 1),
        (
            impure_imports,
            "core.x",
            "def f():\n    from conversation_tracker import telemetry",
            1,
        ),
        (impure_imports, "session", "import Milter", 0),
        (strange_imports, "core.masking.x", "from ..syntax.mime import read", 0),
        (strange_imports, "core.scanning.x", "from ..masking import mask, body", 2),
        (strange_imports, "core.scanning.x", "from ..model.address import Address", 0),
        (straying_paths, "milter.paths.untouched", "from .outcome import x\nimport re", 0),
        (straying_paths, "milter.paths.untouched", "from ...core.rules import rewrite", 0),
        (straying_paths, "milter.paths.untouched", "from .reports import x", 1),
        (straying_paths, "milter.paths.untouched", "from ...database.rows import x", 1),
        (straying_paths, "milter.paths.untouched", "def f(c): c.database.refuse()", 1),
        (straying_paths, "milter.paths.untouched", "from ...telemetry.events import log", 1),
        (straying_paths, "milter.paths.reports", "def f(c): c.database.mark()", 0),
        (straying_paths, "milter.paths.reports", "from .record import plan_and_record", 1),
        (straying_paths, "milter.paths.record", "from ...database.rows import x", 0),
        (times_outside, "milter.x", "time.sleep(0.02)\ns.settimeout(5)\nf(timeout=1.0)", 3),
        (times_outside, "milter.x", "time.sleep(timeouts.get().poll_seconds)\nf(timeout=wait)", 0),
        (upward_imports, "milter.paths.x", "from ..filter import Filter", 1),
        (upward_imports, "milter.filter", "from .paths.reports import x", 0),
        (upward_imports, "cli.main", "from conversation_tracker.milter.session import x", 0),
        (upward_imports, "database.rows", "from .pool import x\nimport psycopg", 0),
        (upward_imports, "database.rows", "from conversation_tracker.milter import session", 1),
        (upward_imports, "config.x", "def f():\n  from ..database.pool import x", 1),
        (upward_imports, "checks.run", "from conversation_tracker.support.explain import x", 1),
        (
            upward_imports,
            "core.model.x",
            "from conversation_tracker.core.masking.address import mask",
            1,
        ),
        (
            upward_imports,
            "core.base.x",
            "from conversation_tracker.config.socket import Socket",
            1,
        ),
        (long_file, "x", "x = 1\n" * FILE_LIMIT, 0),
        (long_file, "x", "x = 1\n" * (FILE_LIMIT + 1), 1),
        (long_functions, "x", "def f():\n" + BODY * (FUNCTION_LIMIT - 1), 0),
        (long_functions, "x", "def f():\n" + BODY * FUNCTION_LIMIT, 1),
        (long_functions, "x", "class C:\n  async def f():\n" + BODY * FUNCTION_LIMIT, 1),
        (undescribed, "x", '"""X."""\ndef _f(): pass\nclass _C:\n  def f(self): pass', 0),
        (undescribed, "x", '"""X."""\ndef f():\n  "F."\n  def g(): pass', 0),
        (undescribed, "x", "class C:\n  def f(self): pass\n  def __eq__(self): pass", 3),
        (undescribed, "x", '"""X."""\nif 1:\n  async def f(): pass', 1),
        (misdescribed, "x", "def f(a, *b):\n" + DESCRIBED.format("Args", "a: A: a."), 0),
        (misdescribed, "x", "def f(a, *b):\n" + DESCRIBED.format("Args", "*b: B."), 0),
        (misdescribed, "x", "def f(a, *b):\n" + DESCRIBED.format("Args", "c: C."), 1),
        (misdescribed, "x", "class C:\n" + DESCRIBED.format("Attributes", "a: A.") + "  a: int", 0),
        (misdescribed, "x", "class C:\n" + DESCRIBED.format("Attributes", "a: A.") + "  b: int", 1),
        (built_sql, "x", 'c.execute("SELECT %s", [a + b, f"{c}"])', 0),
        (built_sql, "x", "c.execute(QUERY)\nprint(f'{x}')", 0),
        (built_sql, "x", 'c.execute(SQL("SELECT {}").format(Identifier(x)))', 0),
        (built_sql, "x", 'c.execute(f"SELECT {x}")', 1),
        (built_sql, "x", 'await c.execute("SELECT " + x)\nc.executemany("%s" % x, y)', 2),
        (built_sql, "x", 'c.execute("SELECT {}".format(x))', 1),
        (sql_outside, "support.x", 'import psycopg\nQ = "\\n  SELECT now()"', 2),
        (sql_outside, "support.x", 'Q = "DELETE FROM x"\nR = "UPDATE a.b AS c SET d = 1"', 2),
        (sql_outside, "support.x", '"""Select one."""\nQ = "with care as well"', 0),
        (sql_outside, "config.options", "import psycopg", 0),
        (sql_outside, "database.schema.x", 'import psycopg\nQ = "SELECT 1"', 0),
        (built_sql, "x", 'q = psycopg.sql.SQL(f"SELECT {x}")', 1),
    ],
)
def test_a_rule_finds_its_offences(rule: Rule, name: str, text: str, offences: int) -> None:
    """Each rule sees what breaks it, and nothing else."""
    assert len(rule(Module(name, text))) == offences


@pytest.mark.parametrize(
    "rule",
    [
        impure_imports,
        strange_imports,
        straying_paths,
        upward_imports,
        long_file,
        long_functions,
        undescribed,
        misdescribed,
        built_sql,
        sql_outside,
        times_outside,
    ],
    ids=lambda rule: rule.__name__,
)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    """No module of the package breaks the rule."""
    assert [offence for module in modules() for offence in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "texts", "offences"),
    [
        (homeless_modules, {"__init__": "", "cli.main": "", "core.__init__": ""}, 0),
        (homeless_modules, {"helper": "", "core.helper": "", "milters.session": ""}, 3),
        (crowded_rooms, {f"cli.m{n}": "" for n in range(ROOM_LIMIT)} | {"cli.__init__": ""}, 0),
        (crowded_rooms, {f"cli.m{n}": "" for n in range(ROOM_LIMIT + 1)}, 1),
        (participles, {"a": "def mask(): ...\n" * 23 + "def masked(): ...\n" * 2}, 0),
        (participles, {"a": "def mask(): ...\n" * 22 + "def _held(): ...\n" * 2}, 2),
        (participles, {"a": "def put(): ...\ndef feed(): ...\ndef __init_subclass__(): ..."}, 0),
        (participles, {"a": "class C:\n  async def is_put(self): ..."}, 1),
        (repeated_classes, {"a": "class A: ...\nclass _B: ...", "b": "class B: ..."}, 0),
        (repeated_classes, {"a": "class A: ...", "b": "def f():\n  class A: ..."}, 2),
        (circular_imports, {"a": "import {}.b", "b": "import {}.c", "c": "import re"}, 0),
        (
            circular_imports,
            {"a": "import {}.b", "b": "from .c import x", "c": "from {} import a"},
            3,
        ),
        (circular_imports, {"a.__init__": "from .b import x", "a.b": "import re"}, 0),
        (circular_imports, {"a.__init__": "from .b import x", "a.b": "from {}.a import x"}, 2),
    ],
)
def test_a_rule_on_all_modules_finds_its_offences(
    rule: Callable[[Iterable[Module]], list[str]], texts: dict[str, str], offences: int
) -> None:
    """Each rule sees what breaks it, and nothing else."""
    some = [Module(path, text.format(PACKAGE)) for path, text in texts.items()]
    assert len(rule(some)) == offences


def test_every_module_has_its_room() -> None:
    """Nothing lies at the top but what makes the package, and no room is crowded."""
    assert homeless_modules(modules()) == []
    assert crowded_rooms(modules()) == []


def test_names_are_plain() -> None:
    """Functions are verbs, and the name of a class means one thing."""
    assert participles(modules()) == []
    assert repeated_classes(modules()) == []


def test_every_path_says_what_it_reaches() -> None:
    """No file in the room of the paths is forgotten in the table, and none there is gone."""
    there = {each.path.rpartition(".")[2] for each in modules() if "milter.paths." in each.path}
    assert there == {*PATHS, *ALL_PATHS_HAVE, "record", "__init__"}


def test_modules_do_not_import_in_circles() -> None:
    """Inside a room, too, no module leads back to itself."""
    assert circular_imports(modules()) == []


def test_the_package_is_found() -> None:
    """The rules look at the real package: it has these modules."""
    assert {"__init__", "config.options", "telemetry.events", "core.model.alias"} <= {
        module.path for module in modules()
    }


def test_nothing_of_ours_is_importable_as_milter() -> None:
    """The name `milter` is that of pymilter's C module; the source root only bears it as well."""
    assert PathFinder.find_spec(PACKAGE, [str(SOURCE_ROOT)]) is not None
    for name in ("milter", "Milter"):
        assert PathFinder.find_spec(name, [str(SOURCE_ROOT)]) is None
    assert not (SOURCE_ROOT / "__init__.py").exists()
