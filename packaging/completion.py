"""Makes the completion of the commands for bash, zsh and fish, out of their parsers.

Usage: python3 packaging/completion.py DIRECTORY

Writes the files bash, zsh and fish into it.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from commands import Command, list_commands, list_helps, names_file, takes_value

_NOTE = "# Made by packaging/completion.py out of the parsers: change those."

_BASH_HEAD = r"""
# Completes a list of words, or files.
_conversation_tracker_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}
_conversation_tracker_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}
"""


def list_words(command: Command) -> str:
    """Return what may stand next: options, and subcommands."""
    options = [name for action in command.options for name in action.option_strings]
    return " ".join([*command.subcommands, *options])


def list_choices(action: argparse.Action) -> str:
    """Return the words that an option or operand may have as its value, or ""."""
    return " ".join(map(str, action.choices or ()))


# bash ------------------------------------------------------------------------------------------


def write_bash(commands: list[Command]) -> str:
    """Return the completion for bash."""
    return f"{_NOTE}\n{_BASH_HEAD}" + "".join(map(write_bash_function, commands))


def write_bash_function(command: Command) -> str:
    """Return the function that completes one command."""
    function = "_" + command.name.replace("-", "_")
    lines = [
        f"\n{function}() {{",
        "    local previous=${COMP_WORDS[COMP_CWORD - 1]} within='' i",
    ]
    if command.subcommands:
        with_value = "|".join(
            name for each in command.options if takes_value(each) for name in each.option_strings
        )
        lines += [
            "    for ((i = 1; i < COMP_CWORD; i++)); do",
            '        case "${COMP_WORDS[i]}" in',
            f"        {with_value}) ((++i)) ;;",
            "        -*) ;;",
            "        *) within=${COMP_WORDS[i]}; break ;;",
            "        esac",
            "    done",
        ]
    lines += ["    COMPREPLY=()", '    case "$within $previous" in']
    lines += write_bash_values("", command)
    for name, each in command.subcommands.items():
        lines += write_bash_values(name, each)
    lines += [
        "    esac",
        '    case "$within" in',
        f"    '') _conversation_tracker_words {shlex.quote(list_words(command))} ;;",
    ]
    for name, each in command.subcommands.items():
        lines.append(f"    {name}) {write_bash_operand(each)} ;;")
    return "\n".join([*lines, "    esac", "}", f"complete -F {function} {command.name}\n"])


def write_bash_values(within: str, command: Command) -> Iterator[str]:
    """Yield the cases of the options that have a value."""
    for action in command.options:
        if takes_value(action):
            pattern = "|".join(f"'{within} {name}'" for name in action.option_strings)
            words = list_choices(action)
            how = f"_conversation_tracker_words {shlex.quote(words)}; " if words else ""
            how = "_conversation_tracker_files; " if names_file(action) else how
            yield f"    {pattern}) {how}return ;;"


def write_bash_operand(command: Command) -> str:
    """Return what completes an operand or an option of a subcommand."""
    words = f"_conversation_tracker_words {shlex.quote(list_words(command))}"
    if any(map(names_file, command.operands)):
        is_option = "[[ ${COMP_WORDS[COMP_CWORD]} == -* ]]"
        return f"if {is_option}; then {words}; else _conversation_tracker_files; fi"
    return words


# zsh -------------------------------------------------------------------------------------------


def write_zsh(commands: list[Command]) -> str:
    """Return the completion for zsh."""
    names = " ".join(command.name for command in commands)
    lines = [
        f"#compdef {names}",
        _NOTE,
        "",
        "local curcontext=$curcontext state line",
        "case $service in",
    ]
    for command in commands:
        lines += [f"{command.name})", *write_zsh_command(command), "    ;;"]
    return "\n".join([*lines, "esac", ""])


def write_zsh_command(command: Command) -> Iterator[str]:
    """Yield the lines that complete one command."""
    specs = [write_zsh_option(action) for action in command.options]
    if not command.subcommands:
        yield "    _arguments " + " ".join(specs)
        return
    yield "    _arguments -C " + " ".join([*specs, "'1: :->command'", "'*:: :->argument'"])
    described = [f"{name}:{about}" for name, about in list_helps(command).items()]
    yield "    case $state in"
    yield "    command)"
    yield f"        local -a commands=({' '.join(map(shlex.quote, described))})"
    yield "        _describe command commands ;;"
    yield "    argument)"
    yield "        case $line[1] in"
    for name, each in command.subcommands.items():
        inner = [write_zsh_option(action) for action in each.options]
        inner += [
            shlex.quote(f":{action.metavar or action.dest}:{write_zsh_value(action)}")
            for action in each.operands
        ]
        yield f"        {name}) _arguments {' '.join(inner)} ;;"
    yield "        esac ;;"
    yield "    esac"


def write_zsh_option(action: argparse.Action) -> str:
    """Return an option as _arguments takes it."""
    about = (action.help or "").replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = (
        f":{action.metavar or action.dest}:{write_zsh_value(action)}" if takes_value(action) else ""
    )
    often = "*" if isinstance(action, argparse._AppendAction) else ""
    return " ".join(shlex.quote(f"{often}{name}[{about}]{value}") for name in action.option_strings)


def write_zsh_value(action: argparse.Action) -> str:
    """Return what completes a value."""
    words = list_choices(action)
    return "_files" if names_file(action) else f"({words})" if words else " "


# fish ------------------------------------------------------------------------------------------


def write_fish(commands: list[Command]) -> str:
    """Return the completion for fish."""
    lines = [_NOTE]
    for command in commands:
        lines.append(f"complete -c {command.name} -f")
        top = "-n __fish_use_subcommand " if command.subcommands else ""
        lines += [write_fish_option(command, top, action) for action in command.options]
        for name, about in list_helps(command).items():
            lines.append(f"complete -c {command.name} {top}-a {name} -d {shlex.quote(about)}")
            inside = f"-n '__fish_seen_subcommand_from {name}' "
            each = command.subcommands[name]
            lines += [write_fish_option(command, inside, action) for action in each.options]
            lines += [f"complete -c {command.name} {inside}-F"] * any(
                map(names_file, each.operands)
            )
    return "\n".join([*lines, ""])


def write_fish_option(command: Command, when: str, action: argparse.Action) -> str:
    """Return an option as complete takes it."""
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        for name in action.option_strings
    )
    value = ""
    if takes_value(action):
        words = list_choices(action)
        value = (
            " -r -F" if names_file(action) else f" -x -a {shlex.quote(words)}" if words else " -x"
        )
    return f"complete -c {command.name} {when}{names}{value} -d {shlex.quote(action.help or '')}"


SHELLS: dict[str, Callable[[list[Command]], str]] = {
    "bash": write_bash,
    "zsh": write_zsh,
    "fish": write_fish,
}


def main(directory: Path) -> None:
    """Write the files into a directory."""
    commands = list(list_commands())
    for shell, write in SHELLS.items():
        (directory / shell).write_text(write(commands), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
