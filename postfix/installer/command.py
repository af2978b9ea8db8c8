"""The command `install`: the steps and their order."""

import os
from collections.abc import Sequence
from pathlib import Path

from installer import postfix
from installer.command_line import run_program
from installer.configuration import Configuration, read_configuration, write_configuration
from installer.database import look_ahead, look_at_database, make_database, migrate
from installer.machine import Failed, Machine
from installer.options import USER, Options, read_options
from installer.program import (
    install_manuals,
    install_program,
    link_program,
    make_user,
    remove_program,
)
from installer.service import (
    STATE,
    check_socket_directory,
    install_units,
    make_socket_directory,
    remove_service,
    remove_socket_directory,
    start_service,
    wait_for_service,
)

_SOURCE = Path(__file__).resolve().parents[2]
_SHIPPED = _SOURCE / "systemd" / "conversation-tracker.conf"
_PACKAGES = [
    "postfix", "python3", "python3-venv", "python3-bleach", "python3-cryptography",
    "python3-jinja2", "python3-milter",
    "python3-psycopg", "python3-psycopg-pool", "python3-starlette", "python3-structlog",
    "python3-idna", "python3-dnspython", "python3-prometheus-client", "python3-urllib3",
    "python3-uvicorn", "python3-wcwidth", "python3-zstandard", "python3-setuptools",
    "python3-wheel",
]  # fmt: skip
_COMPILED_DRIVER = "python3-psycopg-c"  # not in Debian 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the installer.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    return run_program("install", lambda: _run(read_options(arguments)))


def _run(options: Options) -> None:
    machine = Machine(options.dry_run)
    configuration = read_configuration(options, _SHIPPED)
    if options.root is not None:
        _put_files(machine, options, configuration)
        return
    if os.geteuid() != 0 and not options.dry_run:
        raise Failed("must be run by root")
    if options.uninstall:
        _remove_all(machine, options, configuration)
    else:
        _install_all(machine, options, configuration)


def _put_files(machine: Machine, options: Options, configuration: Configuration) -> None:
    write_configuration(machine, options, configuration)
    make_socket_directory(machine, options, configuration)
    install_units(machine, options, configuration, _SOURCE)
    link_program(machine, options)
    install_manuals(machine, options, _SOURCE)


def _install_all(machine: Machine, options: Options, configuration: Configuration) -> None:
    check_socket_directory(configuration)
    looked_at = postfix.look_at_postfix(machine, options, configuration)
    asked = look_ahead(machine, configuration)
    machine.step("Packages")
    needed = _PACKAGES + ["postgresql"] * configuration.makes_database
    machine.install_packages(needed, wanted=[_COMPILED_DRIVER])
    if not looked_at and not options.dry_run:
        postfix.look_at_postfix(machine, options, configuration)
    make_user(machine, _SOURCE)
    if not asked:
        look_at_database(machine, configuration)
    install_program(machine, options, _SOURCE)
    write_configuration(machine, options, configuration)
    make_socket_directory(machine, options, configuration)
    make_database(machine, configuration)
    migrate(machine, options, configuration)
    install_units(machine, options, configuration, _SOURCE)
    link_program(machine, options)
    install_manuals(machine, options, _SOURCE)
    start_service(machine, options)
    wait_for_service(machine, configuration)
    postfix.switch_postfix(machine, options, configuration)
    say_what_next(machine, options, configuration)


def _remove_all(machine: Machine, options: Options, configuration: Configuration) -> None:
    postfix.switch_postfix(machine, options, configuration)
    remove_service(machine)
    remove_socket_directory(machine, configuration)
    remove_program(machine, options, _SOURCE)
    machine.say(
        f"still there: the database, {configuration.file.parent}, {STATE}, the user {USER}, and"
        " Debian's packages"
    )


def say_what_next(machine: Machine, options: Options, configuration: Configuration) -> None:
    """Print what nobody but the administrator can do: the first store, and the DNS."""
    domains, host = postfix.name_what_is_set(options)
    domain = domains[0] if domains else "ct.example.com"
    where = "conversation_tracker" if configuration.makes_database else "'URI OF THE DATABASE'"
    machine.step("Next")
    machine.say(
        f"""\
Nothing is masked before there is a store:

  cd / && runuser -u {USER} -- psql {where} -c "
    INSERT INTO tracker.stores (name, alias_domain, sender_domains)
    VALUES ('mystore', '{domain}', '{{store.example.com}}')"

and in the DNS, for each alias domain; the second line is for soft aliases:
"""
    )
    for each in domains:
        machine.say(f"  {each}.    MX 10 {host}.\n  *.{each}.  MX 10 {host}.")
