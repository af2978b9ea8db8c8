"""Settings of Postfix itself that mail for aliases meets."""

import re
from collections.abc import Mapping

from tests.postfix.leaks import found_in
from tests.postfix.stage import Order

from beside.row import Row
from beside.site import Bench, Site, set_up
from private import processes

BUYER, CARRIER, INSURER = "john@buyer.example", "desk@carrier.example", "desk@insurer.example"
SOME = ("one-buyer-answers-partner", "several-orders-and-stores", "bounce-one")
ROOT = "inline:{root@mail.example.com=host@mail.example.com}"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "`enable_long_queue_ids`": {"enable_long_queue_ids": "yes"},
    "`milter_protocol = 2`": {"milter_protocol": "2"},
    "`enable_original_recipient = no`": {"enable_original_recipient": "no"},
    "`recipient_delimiter = +-`": {"recipient_delimiter": "+-"},
    "`smtp_generic_maps`": {
        "smtp_generic_maps": "inline:{root@mail.example.com=host@mail.example.com}"
    },
    "`masquerade_domains`": {"masquerade_domains": "example.org"},
    "`canonical_maps`": {"canonical_maps": ROOT},
    "a catch-all in `virtual_alias_maps`": {
        "virtual_alias_domains": "everything.example",
        "virtual_alias_maps": "inline:{@everything.example=all@elsewhere.example}",
    },
}
CHECKS = {
    "header_checks": "regexp:{{/^X-Mailer:/ IGNORE}, {/^Subject: .*casino/ REJECT no casino},"
    f" {{/^Subject: two/ PREPEND X-Seen: {CARRIER}}}}}",
    "body_checks": "regexp:{{/roulette/ REJECT no roulette}}",
}
WARNING = {
    "delay_warning_time": "1s",
    "confirm_delay_cleared": "yes",
    "minimal_backoff_time": "1s",
    "queue_run_delay": "1s",
}
ARCHIVES = {
    "sender_bcc_maps": f"inline:{{{CARRIER}=sent@archive.example}}",
    "recipient_bcc_maps": "inline:{@ct.example.com=taken@archive.example}",
}


def try_settings(bench: Bench) -> str:
    """Settings that many hosts have."""
    for settings in SETTINGS.values():
        with set_up(bench, settings=settings) as site:
            site.play(*SOME)
    return "works with each"


def try_soft_bounce(bench: Bench) -> str:
    """What is refused for good is tried again."""
    with set_up(bench, settings={"soft_bounce": "yes"}) as site:
        alias = _order(site).alias(BUYER)
        assert _send(site, f"{'0' * 32}@ct.example.com").startswith("450 4.1.1")
        assert _send(site, alias).startswith("250")
        assert site.host.sink.wait_for(1, to=BUYER)
    return "works: unknown aliases get `450`, as Postfix has it"


def try_checks(bench: Bench) -> str:
    """An administrator's own rules for headers and lines, before the tracker's table."""
    with set_up(bench, settings=CHECKS) as site:
        order = _order(site)
        aliases = [order.alias(BUYER), order.alias(INSURER)]
        for subject, text in (("casino", "Text."), ("one", "roulette")):
            for to in (aliases[:1], aliases):
                assert _send(site, *to, subject=subject, text=text).startswith("550 5.7.1")
        assert not order.timeline(), order.timeline()
        assert _send(site, *aliases, subject="two").startswith("250")
        site.stage.settle()
        copies = [site.host.sink.to(who)[0] for who in (BUYER, INSURER)]
        told = [found_in(mail.data, [CARRIER, "client.example.org"]) for mail in copies]
        assert told == [[], []], told
        assert not site.complains("header_checks"), site.check()
    return "work: what they refuse is not recorded, and what they write is masked as well"


def try_archives(bench: Bench) -> str:
    """Archives by sender and by recipient: what becomes of their copies marks no delivery."""
    with set_up(bench, settings=ARCHIVES) as site:
        order = _order(site)
        sink = site.host.sink
        for archive in ("sent@archive.example", "taken@archive.example"):
            sink.reply(archive, f"550 5.1.1 no {archive}")
        with site.followed():
            for to in ([BUYER], [BUYER, INSURER]):
                assert _send(site, *map(order.alias, to), subject=str(to)).startswith("250")
            site.stage.settle()
            states = lambda: [line.state for line in order.timeline()]  # noqa: E731
            assert processes.until(lambda: states() == ["sent"] * 3, 20.0), order.timeline()
        assert not sink.to(CARRIER), "the author hears of an archive"
    return "work: an archive that refuses its copy marks nothing and tells nobody"


def try_warnings(bench: Bench) -> str:
    """Postfix's own warnings of delay, and that a delay is over; nothing reads its log."""
    with set_up(bench, settings=WARNING) as site:
        order = _order(site)
        sink = site.host.sink
        sink.reply(BUYER, f"450 4.2.1 {BUYER} is full")
        assert _send(site, order.alias(BUYER)).startswith("250")
        for state in ("delayed", "sent"):
            come = lambda: order.timeline()[0].state == state  # noqa: B023, E731
            assert processes.until(come, 30.0), order.timeline()
            sink.reply(BUYER)
            site.host.postfix.flush()
        site.stage.settle()
        assert [mail.addresses for mail in sink.messages] == [(BUYER,)]
    return "work: they come to the timeline, without `follow`, and to nobody else"


def try_virtual_aliases(bench: Bench) -> str:
    """A name of the host's own that leads to an alias, and one that leads on from a buyer."""
    with set_up(bench) as site:
        order = _order(site)
        postfix, sink = site.host.postfix, site.host.sink
        table = f"inline:{{order@host.example={order.alias(BUYER)}, {BUYER}=jd@home.example}}"
        postfix.configure(
            {
                "virtual_alias_domains": "host.example, buyer.example",
                "virtual_alias_maps": table,
            }
        )
        site.host.configure()
        postfix.restart()
        with site.followed():
            assert _send(site, "order@host.example").startswith("250")
            [mail] = sink.wait_for(1, to="jd@home.example")
            assert not found_in(mail.data, [CARRIER, "client.example.org"]), mail.data
            come = lambda: order.timeline()[0].state == "sent"  # noqa: E731
            assert processes.until(come, 20.0), order.timeline()
        [alias] = re.findall(r"[0-9a-f]{32}@[a-z.]+", mail.header("From")[0].decode())
        data = f"From: {BUYER}\r\nTo: {alias}\r\nSubject: Re: Parcel\r\n\r\nText.\r\n"
        assert site.stage.send(BUYER, alias, data.encode()).ok
        [answer] = sink.wait_for(1, to=CARRIER)
        assert not found_in(answer.data, [BUYER]), answer.data
        sink.reply("jd@home.example", "550 5.1.1 jd@home.example is unknown")
        assert _send(site, order.alias(BUYER), subject="Again").startswith("250")
        notice = sink.wait_for(2, to=CARRIER)[-1]
        assert not found_in(notice.data, [BUYER, "jd@home.example"]), notice.data
        assert order.timeline()[-1].state == "bounced", order.timeline()
    return "work, before an alias and behind it: `follow` and reports know whose copy it was"


def try_too_long(bench: Bench) -> str:
    """A mail that masking lengthens past message_size_limit."""
    with set_up(bench, settings={"message_size_limit": "60000"}) as site:
        alias = _order(site).alias(BUYER)
        text = "\r\n".join([f"Write to {CARRIER} or {BUYER}."] * 1000)
        assert len(text) < 59000
        assert "552 5.3.4" in _send(site, alias, subject="Long", text=text)
    return "`552 5.3.4` at once"


def _order(site: Site) -> Order:
    return site.shop().order("1001", buyer=BUYER, carrier=CARRIER, insurer=INSURER)


def _send(site: Site, *to: str, subject: str = "Parcel", text: str = "Text.") -> str:
    """Hand a mail in as the carrier; return the first refusal, or the last reply."""
    data = f"From: {CARRIER}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n"
    data += f"X-Mailer: {CARRIER}\r\n\r\n{text}\r\n"
    given = site.stage.send(CARRIER, to, data.encode())
    return next((str(each) for each in given.replies if not each.ok), str(given.final))


ROWS = (
    Row(", ".join(SETTINGS), try_settings),
    Row("`soft_bounce`", try_soft_bounce),
    Row("`header_checks` and `body_checks` of one's own", try_checks),
    Row("`sender_bcc_maps`, `recipient_bcc_maps` and `follow`", try_archives),
    Row("`delay_warning_time`, `confirm_delay_cleared`", try_warnings),
    Row("`virtual_alias_maps`", try_virtual_aliases),
    Row("`message_size_limit`", try_too_long),
)
