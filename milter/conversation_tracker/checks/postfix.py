"""What `check` finds out about Postfix: whether all mail meets the tracker, and none goes past it.

What must hold is in `postfix.requirements`, where `configure` has it from as well; here it is
reported. Everything is judged from settings that were read already, and from tables that are asked
for addresses made up here. Postfix absent or unreadable is a finding.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from conversation_tracker.checks.finding import CheckLine, note, ok
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import requirements
from conversation_tracker.postfix.host import DEFAULT_LISTENER, Host, read_earlier
from conversation_tracker.postfix.milters import write_address
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.settings import Settings


def read_host(settings: Settings, socket: Socket, domains: Collection[str] = ()) -> Host:
    """Take what the tracker needs from its own configuration, and the rest as Postfix has it.

    Args:
        settings: Postfix's.
        socket: the tracker's.
        domains: the alias domains of the stores, and those that older orders use.
    """
    earlier = read_earlier(settings)
    signer = write_address(earlier.signer, settings) or earlier.signer
    return Host(
        settings=settings,
        socket=socket,
        domains=tuple(sorted(domains)),
        listener=earlier.listener or DEFAULT_LISTENER,
        signer=signer,
        authserv_id=earlier.authserv_id,
        exempt=earlier.exempt,
        changed=earlier.changed,
        old_listener=earlier.listener,
        old_milter=earlier.milter,
        old_signer=signer,
    )


def check(host: Host) -> Iterator[CheckLine]:
    """Judge whether all mail meets the tracker, and that of the alias domains the splitter."""
    for finding in requirements.examine(host):
        yield CheckLine(finding.verdict, finding.text, finding.mend)


def check_version(host: Host) -> Iterator[CheckLine]:
    """Judge whether an older `configure` set Postfix up: this one would set something otherwise."""
    earlier = read_earlier(host.settings)
    if not earlier.domains:
        return
    try:
        shown = requirements.apply(replace(host, domains=earlier.domains)).shown
    except OSError:
        return
    configure = name_command("configure")
    if shown:
        names = ", ".join(dict.fromkeys(text.partition(": ")[0] for text in shown))
        yield note(
            f"Postfix is not set up as this program's {configure} does it ({names})",
            f"after an upgrade run {configure} again, and reload Postfix",
        )
    else:
        yield ok(f"Postfix is set up as this program's {configure} does it")


def check_table(host: Host) -> Iterator[CheckLine]:
    """Judge the transport table that postfix/configure wrote: whether it names other domains."""
    for domain in read_earlier(host.settings).domains:
        if domain not in host.domains:
            yield note(
                f"Postfix sends {domain} to the splitter, but no store has that alias domain"
            )
