"""The blocks of the documentation that stand as they are: commands, SQL, files, output.

A comment before a block says of which kind it is; Markdown does not show it:

    <!-- run -->         our own commands: run against a private database, in the order of the page
    <!-- sql -->         statements: run as the owner; with `=>` before them, output follows
                         (`sql: TEST` where that test runs them, as somebody else)
    <!-- root: TEST -->  for a real host: programs and options exist, and TEST runs the like
    <!-- file: KIND -->  what stands in a file of that kind
    <!-- output -->      what a program says, or the protocol

A block without one must not look like a command or a statement. Nothing here runs anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MARK = re.compile(r"<!-- (run|sql|root|file|output)(?:: ([^>]*\S))? -->")
_FENCE = re.compile(r"^ *```")
_INDENT = re.compile(r"^ {4,}\S")
_COMMAND = re.compile(
    r"^(?:[#$] )?(?:conversation-tracker|runuser|psql|pg_\w+|systemctl|journalctl|postconf"
    r"|postqueue|apt|(?:postfix|packaging|tests)/\w+) "
)
_STATEMENT = re.compile(
    r"^(?:=> )?(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|GRANT|REVOKE|LISTEN) "
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        page: the page it stands on.
        line: where it begins, counted from 1.
        kind: run, sql, root, file, output, or "" where nothing says so.
        about: what the comment says besides.
        text: its lines, without their indent.
    """

    page: Path
    line: int
    kind: str
    about: str
    text: str

    @property
    def place(self) -> str:
        """Return page and line, for people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def looks_like_commands(self) -> bool:
        """Whether a line of it begins as a command or a statement does."""
        lines = self.text.splitlines()
        return any(_COMMAND.match(line) or _STATEMENT.match(line) for line in lines)

    def commands(self) -> list[str]:
        """Return its commands, each whole on one line, without prompts, comments and output."""
        lines = _joined(self.text.splitlines())
        prompts = [line[2:] for line in lines if line.startswith(("$ ", "# "))]
        return [re.sub(r"\s+# .*", "", line) for line in prompts or lines]

    def statements(self) -> Iterator[tuple[str, str, str]]:
        """Yield each statement, whose role runs it (`-- as ROLE`), and the error that follows."""
        if "=> " not in self.text:
            for each in re.split(r";\n", self.text):
                if each.strip():
                    yield each.strip(), "", ""
            return
        for part in re.split(r"^=> ", self.text, flags=re.MULTILINE)[1:]:
            statement, *rest = re.split(r"; *(?:-- as (\w+))?\n", part, maxsplit=1)
            error = re.search(r"^ERROR:  (.*)", rest[1], re.MULTILINE)
            yield statement, rest[0] or "", error[1] if error else ""


def _joined(lines: list[str]) -> list[str]:
    """Join what quotes or a backslash carry on over several lines."""
    found: list[str] = []
    for line in lines:
        if found and (found[-1].count('"') % 2 or found[-1].endswith("\\")):
            found[-1] = f"{found[-1].removesuffix(chr(92))} {line.strip()}"
        elif line.strip():
            found.append(line)
    return found


def pages() -> list[Path]:
    """Return the pages for people: all of the documentation but the list of changes."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page; fenced ones without a comment are pictures, and left out."""
    lines = [*page.read_text().splitlines(), ""]
    at, mark = 0, None
    while at < len(lines):
        line = lines[at]
        if found := _MARK.fullmatch(line.strip()):
            mark = found
        elif _FENCE.match(line) or (_INDENT.match(line) and not lines[at - 1].strip()):
            end = _find_end(lines, at)
            fenced = bool(_FENCE.match(line))
            body = lines[at + fenced : end - fenced]
            if mark or not fenced:
                kind, about = (mark[1], mark[2] or "") if mark else ("", "")
                yield Block(page, at + 1, kind, about, _dedented(body))
            at, mark = end, None
            continue
        elif line.strip():
            mark = None
        at += 1


def _find_end(lines: list[str], at: int) -> int:
    """Return the number of the line behind a block that begins here."""
    if _FENCE.match(lines[at]):
        return next(n for n in range(at + 1, len(lines)) if _FENCE.match(lines[n])) + 1
    end = at
    while end < len(lines) and (not lines[end].strip() or _INDENT.match(lines[end])):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end


def _dedented(lines: list[str]) -> str:
    least = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "".join(f"{line[least:]}\n" for line in lines)
