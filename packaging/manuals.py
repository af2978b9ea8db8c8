"""Makes the manual pages that are not kept in docs/.

Usage: python3 packaging/manuals.py DIRECTORY

A page for each command of conversation-tracker that has options, cut out of the one kept page,
docs/conversation-tracker.1; and one for each other command, out of its parser.
"""

import re
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from commands import PROGRAM, ROOT, Command, list_commands, list_helps, takes_value

KEPT = ROOT / "docs" / f"{PROGRAM}.1"
_ENTRY = re.compile(r"^\.It (?:Xo\n\.)?Cm (?P<name>\w+)\b", re.MULTILINE)


def cut_entries(source: str) -> dict[str, tuple[str, str]]:
    """Return of each command in the kept page its arguments and its text, both as mdoc."""
    found = {}
    starts = list(_ENTRY.finditer(source))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        rest = source[start.end() : following.start() if following else None]
        # Up to the end of the list that the entry is in, one level out.
        rest = cut_at_end(rest)
        if start[0].startswith(".It Xo"):
            arguments, _, text = rest.partition("\n.Xc\n")
            arguments = arguments.strip("\n")
        else:
            line, _, text = rest.partition("\n")
            arguments = f".{line.strip()}" if line.strip() else ""
        found[start["name"]] = (arguments, text.strip("\n"))
    return found


def cut_at_end(text: str) -> str:
    """Return the part before the list ends in which the text stands."""
    depth, kept = 0, []
    for line in text.split("\n"):
        if line.startswith(".Bl "):
            depth += 1
        if line.startswith(".El"):
            depth -= 1
            if depth < 0:
                break
        kept.append(line)
    return "\n".join(kept)


def cut_date(source: str) -> str:
    """Return the kept page's date."""
    return source.partition(".Dd ")[2].partition("\n")[0]


def write_page(name: str, section: int, date: str, about: str, body: str) -> str:
    """Return a page."""
    return (
        f'.\\" Made by packaging/manuals.py: change what it is made of.\n'
        f".Dd {date}\n.Dt {name.upper()} {section}\n.Os Conversation Tracker\n"
        f".Sh NAME\n.Nm {name}\n.Nd {escape(about)}\n{body}"
    )


def write_entry(
    command: Command, subcommand: str, about: str, date: str, entry: tuple[str, str]
) -> str:
    """Return the page of a command of the program."""
    arguments, text = entry
    name = command.subcommands[subcommand].name
    body = f".Sh SYNOPSIS\n.Nm {PROGRAM}\n.Op Fl c Ar FILE\n.Cm {subcommand}\n"
    body += f"{arguments}\n" if arguments else ""
    body += f".Sh DESCRIPTION\n{text}\n"
    body += ".Pp\nConfiguration, environment and exit codes are those of every command:\n"
    body += f".Xr {PROGRAM} 1 .\n"
    body += f".Sh SEE ALSO\n.Xr {PROGRAM} 1 ,\n.Xr {PROGRAM}.conf 5\n"
    return write_page(name, 1, date, about, body)


def write_parser(command: Command, date: str) -> str:
    """Return the page of a command that is known by its parser alone."""
    parser = command.parser
    about, _, rest = (parser.description or "").partition(".")
    body = f".Sh SYNOPSIS\n.Nm\n.Op Ar OPTION ...\n.Sh DESCRIPTION\n{escape(about)}.\n{fill(rest)}"
    body += "The options are:\n.Bl -tag -width Ds\n"
    for action in command.options:
        names = " , ".join(f"Fl {each[1:]}" for each in action.option_strings)
        value = f" Ar {action.metavar}" if takes_value(action) else ""
        body += f".It {names}{value}\n{fill(capitalise(action.help or ''))}"
    body += ".El\n.Sh EXIT STATUS\n" + fill(
        (parser.epilog or "").removeprefix("Exit codes: ").capitalize()
    )
    body += f".Sh SEE ALSO\n.Xr postconf 1 ,\n.Xr {PROGRAM} 1 ,\n.Xr {PROGRAM}.conf 5\n"
    return write_page(command.name, command.section, date, lower(about), body)


def fill(text: str) -> str:
    """Return running text as lines of mdoc, or nothing."""
    if not text.strip():
        return ""
    words = text.strip()
    return (
        "\n".join(textwrap.wrap(escape(words if words.endswith(".") else f"{words}."), 90)) + "\n"
    )


def escape(text: str) -> str:
    """Return text that troff shows as it is."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def capitalise(text: str) -> str:
    """Return a help as a sentence."""
    return text[:1].upper() + text[1:]


def lower(text: str) -> str:
    """Return a sentence as what NAME has."""
    return text[:1].lower() + text[1:]


def make_pages() -> dict[str, str]:
    """Return each page by the name of its file."""
    source = KEPT.read_text("utf-8")
    date, entries, pages = cut_date(source), cut_entries(source), {}
    for command in list_commands():
        if not command.subcommands:
            pages[f"{command.name}.{command.section}"] = write_parser(command, date)
            continue
        for name, about in list_helps(command).items():
            if len(command.subcommands[name].options) > 1:  # --help is in all
                page = write_entry(command, name, about, date, entries[name])
                pages[f"{command.subcommands[name].name}.1"] = page
    return pages


def main(directory: Path) -> None:
    """Write the pages into a directory."""
    for name, text in make_pages().items():
        (directory / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
