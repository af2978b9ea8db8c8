"""Postfix: looked at first, switched over last, by the one program that changes it."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

from conversation_tracker.cli import configure
from conversation_tracker.postfix import host as hosts
from conversation_tracker.postfix import requirements, settings
from conversation_tracker.postfix.milters import write_address
from conversation_tracker.postfix.names import name_command
from installer.command_line import Misused
from installer.configuration import Configuration
from installer.database import run_program
from installer.machine import Failed, Machine
from installer.options import NO_POSTFIX, Options
from installer.service import read_listening


def list_options(options: Options, configuration: Configuration) -> list[str]:
    """Return the options of `configure`."""
    found = ["--config-dir", str(options.postfix), "--socket", configuration.socket]
    found += options.passed_on
    authserv_id = options.authserv_id or configuration.values.get("authserv_id", "")
    return [*found, *(["--authserv-id", authserv_id] if authserv_id else [])]


def is_there(options: Options) -> bool:
    """Return whether there is a Postfix."""
    return _is_installed() and (options.postfix / "main.cf").exists()


def _is_installed() -> bool:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    return shutil.which("postconf", path=path) is not None


def look_at_postfix(machine: Machine, options: Options, configuration: Configuration) -> bool:
    """Print now what Postfix would be refused in the end; return whether there is one.

    Raises:
        Failed: it cannot be switched over.
    """
    machine.step("Postfix, as it is")
    if not is_there(options):
        _look_without_postfix(options, configuration)
        machine.say("not installed yet")
        return False
    complaint = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(complaint):
        code = configure.main(["--dry-run", *list_options(options, configuration)])
    if code == configure.MISUSED:
        raise Misused(complaint.getvalue().strip().removeprefix("configure: "))
    if code != 0:
        sys.stderr.write(complaint.getvalue())
        raise Failed("Postfix cannot be switched over like this; nothing was installed")
    machine.say("can be switched over")
    return True


def _look_without_postfix(options: Options, configuration: Configuration) -> None:
    """Judge what needs no Postfix: the alias domains among each other, and the signer."""
    socket = read_listening(configuration)
    signer = write_address(options.signer, NO_POSTFIX) if options.signer not in ("", "none") else ""
    host = hosts.Host(NO_POSTFIX, socket, options.domains, signer=signer or "")
    found = requirements.examine(host, requirements.WITHOUT_POSTFIX)
    refused = [str(finding) for finding in found if finding.heed == "refuse"]
    for text in refused:
        print(f"configure: refused: {text}", file=sys.stderr)
    if refused:
        raise Failed("Postfix could not be switched over like this; nothing was installed")


def switch_postfix(machine: Machine, options: Options, configuration: Configuration) -> None:
    """Set Postfix up to use the tracker, or no longer; `check` then looks at everything again.

    Raises:
        Failed: it is left as it was, or something is wrong in spite of all.
    """
    machine.step("Postfix")
    wanted = list_options(options, configuration) + ["--remove"] * options.uninstall
    if options.uninstall and not _is_installed():
        machine.say(f"not installed any more; what {options.postfix} says is left as it is")
        return
    if machine.dry_run and not options.uninstall and not is_there(options):
        machine.say(f"+ {name_command('configure')} {' '.join(wanted)}")
        return
    if configure.main([*(["--dry-run"] if machine.dry_run else []), *wanted]) != 0:
        raise Failed("Postfix is left as it was")
    _reload(machine, options)
    if not options.uninstall:
        try:
            run_program(machine, options, "check")
        except Failed:
            raise Failed("Postfix is switched over, but something is wrong: see above") from None


def _reload(machine: Machine, options: Options) -> None:
    postfix = [shutil.which("postfix") or "/usr/sbin/postfix", "-c", str(options.postfix)]
    machine.run(*postfix, "check")
    status = subprocess.run([*postfix, "status"], capture_output=True, check=False)
    if status.returncode == 0:
        machine.run(*postfix, "reload")
    else:
        machine.say("Postfix does not run; it will start with the new settings")


def name_what_is_set(options: Options) -> tuple[list[str], str]:
    """Return the alias domains, and this mail host's name, as far as they are known."""
    try:
        found = settings.read_settings({**os.environ, "MAIL_CONFIG": str(options.postfix)})
    except settings.Unreadable:
        return list(options.domains), "mx.example.com"
    known = dict.fromkeys([*options.domains, *hosts.read_earlier(found).domains])
    return list(known), found.get_value("myhostname") or "mx.example.com"
