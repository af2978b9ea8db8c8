"""Content filters and proxies: what takes mail out of Postfix and hands it in again."""

from tests.postfix.stage import Order

from beside.programs import Amavis
from beside.row import Row
from beside.site import Bench, Site, set_up
from private import processes
from private.ports import free_port
from private.postfix import Settings

# Cases whose copies a filter may put fields of its own on.
FILTERED = ("one-buyer-answers-partner", "several-aliases-of-one-order", "bounce-one")
BACK: Settings = {
    "content_filter": "",
    "smtpd_client_restrictions": "permit_mynetworks,reject",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "mynetworks": "127.0.0.0/8",
    "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
    "local_header_rewrite_clients": "",
}


def _add_filter(site: Site, amavis: Amavis, back: int, milters: str) -> None:
    """Send all mail through amavisd-new, and take it back, as its instructions have it."""
    options = dict(BACK) | {"receive_override_options": milters}
    lines = [f"127.0.0.1:{back} inet n - n - - smtpd"]
    lines += [f"    -o {name}={value}" for name, value in options.items() if value or name]
    lines += ["amavis unix - - n - 2 smtp", "    -o smtp_send_xforward_command=yes"]
    lines += ["    -o disable_dns_lookups=yes"]
    site.host.postfix.add_master("\n".join(lines))
    site.host.postfix.configure({"content_filter": f"amavis:[127.0.0.1]:{amavis.port}"})


def try_amavis(bench: Bench) -> str:
    """amavisd-new as content_filter: its way back without milters, and with them."""
    back = free_port()
    with Amavis(back) as amavis, set_up(bench) as site:
        site.host.postfix.stop()
        _add_filter(site, amavis, back, "no_milters,no_unknown_recipient_checks")
        said = site.host.configure()
        assert str(back) not in said, said
        site.host.postfix.start()
        site.play(*FILTERED)
        assert not site.complains(f":{back}"), site.check()
        site.host.postfix.edit_master(
            f"127.0.0.1:{back}/inet", {"receive_override_options": "no_unknown_recipient_checks"}
        )
        assert site.refuses("a content filter hands mail back"), "configure says nothing"
        assert site.complains("a content filter hands mail back"), "check says nothing"
    return (
        "works with the tracker where clients connect, and `no_milters` at the way back; with the"
        " tracker at the way back `configure` refuses and `check` is WRONG"
    )


def try_milters_at_the_way_back(bench: Bench) -> str:
    """The milters at the way back alone: a filter's, or an unknown proxy's."""
    back = free_port()
    with set_up(bench) as site:
        postfix = site.host.postfix
        milters = postfix.postconf("smtpd_milters")
        lines = [f"127.0.0.1:{back} inet n - n - - smtpd", f"    -o smtpd_milters={milters}"]
        postfix.add_master("\n".join([*lines, "    -o content_filter="]))
        assert site.refuses("a content filter hands mail back"), "configure says nothing"
        postfix.edit_master(
            f"127.0.0.1:{back}/inet",
            {"content_filter": "x:y", "smtpd_authorized_xforward_hosts": "127.0.0.0/8"},
        )
        assert site.refuses("a proxy hands mail on (XFORWARD)"), "configure takes XFORWARD"
    return "`configure` refuses, `check` is WRONG: the tracker would trust everybody's mail"


def try_proxy(bench: Bench) -> str:
    """A filter before the queue."""
    with set_up(bench) as site:
        postfix = site.host.postfix
        postfix.configure({"smtpd_proxy_filter": "127.0.0.1:10024"})
        assert site.refuses("smtpd_proxy_filter is set"), "configure says nothing"
        assert site.complains("smtpd_proxy_filter is set"), "check says nothing"
    return "`configure` refuses, `check` is WRONG: such mail meets no milter"


def try_filter_and_follow(bench: Bench) -> str:
    """What `follow` makes of a content filter: given to it is not sent."""
    back = free_port()
    with Amavis(back) as amavis, set_up(bench) as site:
        site.host.postfix.stop()
        _add_filter(site, amavis, back, "no_milters,no_unknown_recipient_checks")
        site.host.configure()
        site.host.postfix.start()
        shop = site.shop()
        order = shop.order("1001", buyer="john@buyer.example", carrier="desk@carrier.example")
        with site.followed():
            site.host.sink.reply("john@buyer.example", "450 4.2.1 mailbox full")
            _send(site, order.alias("john@buyer.example"))
            assert _becomes(order, "delayed"), order.timeline()
            site.host.sink.reply("john@buyer.example")
            site.host.postfix.flush()
            assert _becomes(order, "sent"), order.timeline()
    return "`sent` when the mail has left after the filter, not when the filter has it"


def try_always_bcc(bench: Bench) -> str:
    """An archive that gets a copy of all mail."""
    settings = {"always_bcc": "archive@archive.example"}
    with set_up(bench, settings=settings) as site:
        shop = site.shop()
        order = shop.order("1001", buyer="john@buyer.example", carrier="desk@carrier.example")
        with site.followed():
            site.host.sink.reply("john@buyer.example", "450 4.2.1 mailbox full")
            _send(site, order.alias("john@buyer.example"))
            assert _becomes(order, "delayed"), order.timeline()
            assert site.host.sink.wait_for(1, to="archive@archive.example")
            assert not _becomes(order, "sent", 3.0), "the archive's copy counts"
            site.host.sink.reply("john@buyer.example")
            site.host.postfix.flush()
            assert _becomes(order, "sent"), order.timeline()
    return (
        "works; what became of the recipient's own copy is what counts. The archive's copies name"
        " real addresses"
    )


def _send(site: Site, alias: str) -> None:
    data = f"From: desk@carrier.example\r\nTo: {alias}\r\nSubject: x\r\n\r\nText.\r\n".encode()
    replies = site.stage.send("desk@carrier.example", alias, data)
    assert replies.ok, replies.final


def _becomes(order: Order, state: str, seconds: float = 20.0) -> bool:

    def come() -> bool:
        return [line.state for line in order.timeline()] == [state]

    return processes.until(come, seconds)


ROWS = (
    Row("amavisd-new as `content_filter`", try_amavis, (Amavis,)),
    Row("the milters only where a filter or proxy hands mail back", try_milters_at_the_way_back),
    Row("`smtpd_proxy_filter`", try_proxy),
    Row("`content_filter` and `follow`", try_filter_and_follow, (Amavis,)),
    Row("`always_bcc` and `follow`", try_always_bcc),
)
