"""What decides about a client before the tracker hears of its mail: policy servers, postscreen."""

import socket
import time

from tests.postfix.stage import DOMAIN

from beside.policy_servers import Postgrey, SpfMilter, SpfPolicy
from beside.row import Row
from beside.site import CONVERSATION, ID, Bench, Site, set_up
from private import processes
from private.client import Client
from private.ports import free_port

BUYER, CARRIER = "john@buyer.example", "desk@carrier.example"
LOCAL = "permit_mynetworks, permit_sasl_authenticated"
# Both are what `configure` is to set, or to leave alone, at the splitter's listener.
VERIFYING = {
    "smtpd_sender_restrictions": "reject_unverified_sender",
    "smtpd_recipient_restrictions": f"reject_unverified_recipient, {LOCAL}",
    "unverified_recipient_reject_code": "550",
    "unverified_sender_reject_code": "550",
    "address_verify_map": "",
    "address_verify_poll_count": "20",
    "address_verify_poll_delay": "1s",
}
SCREENING = {
    "postscreen_access_list": "",
    "postscreen_greet_wait": "2s",
    "postscreen_greet_action": "enforce",
    "postscreen_pipelining_enable": "yes",
    "postscreen_pipelining_action": "enforce",
    "postscreen_bare_newline_enable": "yes",
    "postscreen_bare_newline_action": "enforce",
}


def try_postgrey(bench: Bench) -> str:
    """Postgrey puts a client off whom it does not know, and takes its second try."""
    with Postgrey() as grey, set_up(bench) as site:
        asked = f"reject_unauth_destination, check_policy_service inet:127.0.0.1:{grey.port}"
        site.host.postfix.configure({"smtpd_recipient_restrictions": f"{LOCAL}, {asked}"})
        site.host.postfix.restart()
        order = site.shop().order("1001", buyer=BUYER, carrier=CARRIER)
        alias = order.alias(BUYER)
        put_off = site.stage.send(CARRIER, alias, _letter(alias)).to(alias)
        assert put_off.code == 450, str(put_off)
        assert not order.timeline(), order.timeline()
        taken = lambda: site.stage.send(CARRIER, alias, _letter(alias)).ok  # noqa: E731
        assert processes.until(taken, 20.0, 1.0), "it is put off for ever"
        assert site.host.sink.wait_for(1, to=BUYER)
        assert len(order.timeline()) == 1, order.timeline()
        # From now on it knows the client. What the splitter hands in it must not be asked about.
        site.play(*CONVERSATION)
    return "works: what is put off is not recorded, and the splitter's copies are not put off"


def try_policyd_spf(bench: Bench) -> str:
    """policyd-spf, with the header it writes by default and with Authentication-Results."""
    records = {"carrier.example": "v=spf1 ip4:198.51.100.7 -all", "other.example": "v=spf1 -all"}
    with SpfPolicy(records) as policy, set_up(bench) as site:
        policy.serve(site.host.postfix, LOCAL)
        order = site.shop().order("1001", buyer=BUYER, carrier=CARRIER, other="a@other.example")
        alias = order.alias(BUYER)
        assert site.stage.send(CARRIER, alias, _letter(alias)).ok
        [mail] = site.host.sink.wait_for(1, to=BUYER)
        assert not mail.header("Received-SPF"), mail.data
        refused = site.stage.send("a@other.example", alias, _letter(alias, "a@other.example"))
        assert refused.to(alias).code == 550, str(refused.final)
        site.play(*CONVERSATION)
    with (
        SpfPolicy(records, ID) as policy,
        set_up(bench, options={"authserv_id": ID}) as site,
    ):
        policy.serve(site.host.postfix, LOCAL)
        assert _verdicts(site) == ["verified"]
        believed = f"what a stranger writes in the name of {ID} is believed"
        assert site.complains(believed), "check does not see that forged results are believed"
        site.host.configure("--authserv-id", ID)
        site.host.postfix.restart()
        assert not site.complains(believed), "configure does not mend it"
        assert _verdicts(site) == ["flagged"]
    return (
        "works; its header leaves in no copy. With `Header_Type = AR` in the name of `authserv_id`"
        " `check` is WRONG, and what `configure --authserv-id` does takes its results out as well:"
        " have a verifier that is a milter (pyspf-milter), and give this one another `Authserv_Id`"
    )


def try_spf_milter(bench: Bench) -> str:
    """pyspf-milter before the tracker: whom SPF speaks for is verified, others are not."""
    records = {"carrier.example": "v=spf1 ip4:198.51.100.7 -all", "other.example": "v=spf1 ?all"}
    with (
        SpfMilter(records, ID) as milter,
        set_up(bench, milters=(milter.socket,), options={"authserv_id": ID}) as site,
    ):
        believed = f"what a stranger writes in the name of {ID} is believed"
        assert site.complains(believed), "check does not see that forged results are believed"
        site.host.configure("--authserv-id", ID)
        site.host.postfix.restart()
        assert not site.complains(believed), "configure does not mend it"
        assert _verdicts(site) == ["verified"]
        assert _verdicts(site, "a@other.example") == ["flagged"]
        mail = site.host.sink.wait_for(1, to=BUYER)[0]
        assert not mail.header("Authentication-Results"), mail.data
    return "works once `configure --authserv-id` was run: whom SPF speaks for is verified"


def try_postscreen(bench: Bench) -> str:
    """Postscreen before smtpd, with its tests before and after the greeting."""
    with set_up(bench, settings=SCREENING) as site:
        postfix = site.host.postfix
        postfix.stop()
        port = free_port()
        screen = f"127.0.0.1:{port} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd"
        postfix.add_master(f"{screen}\ndnsblog unix - - n - 0 dnsblog")
        site.host.configure()
        postfix.start()
        # Only now: whether Postfix has started is asked by somebody who does not wait.
        postfix.port = port
        order = site.shop().order("1001", buyer=BUYER, carrier=CARRIER)
        alias = order.alias(BUYER)
        assert "550 5.5.1 Protocol error" in _talk_early(postfix.port, alias)
        assert not order.timeline(), order.timeline()
        put_off = _by_itself(postfix.port, alias)
        assert put_off.startswith("450 4.3.2"), put_off
        site.play(*CONVERSATION)
        assert not site.complains("smtpd"), site.check()
    return "works: whom it refuses or puts off the tracker never hears"


def try_verification(bench: Bench) -> str:
    """Postfix asks whether addresses exist before it takes mail for them, or from them."""
    with set_up(bench, settings=VERIFYING) as site:
        order = site.shop().order("1001", buyer=BUYER, carrier=CARRIER)
        alias = order.alias(BUYER)
        unknown = f"{'0' * 32}@{DOMAIN}"
        refused = site.stage.send(CARRIER, unknown, _letter(unknown)).to(unknown)
        assert str(refused).startswith("550 5.1.1"), str(refused)
        assert site.stage.send(CARRIER, alias, _letter(alias)).ok
        assert site.host.sink.wait_for(1, to=BUYER)
        site.stage.settle()
        assert len(site.host.sink.messages) == 1, "a probe left"
        assert len(order.timeline()) == 1, order.timeline()
        # Our bounce address as sender, as it comes back from whoever sends mail on.
        with Client(site.host.postfix.port) as client:
            assert client.mail(order.bounce(BUYER)).ok
            assert client.rcpt(alias).ok
    return "works: aliases and bounce addresses exist, others do not; a probe is recorded nowhere"


def _letter(alias: str, author: str = CARRIER) -> bytes:
    return f"From: {author}\r\nTo: {alias}\r\nSubject: Parcel\r\n\r\nText.\r\n".encode()


def _verdicts(site: Site, author: str = CARRIER) -> list[object]:
    """Hand a mail in, in an order of its own; return what is recorded of who wrote it."""
    order = site.shop().order("1001", buyer=BUYER, carrier=author)
    alias = order.alias(BUYER)
    assert site.stage.send(author, alias, _letter(alias, author)).ok
    return [each["verdict"] for each in order.messages()]


def _talk_early(port: int, alias: str) -> str:
    """Speak before the server does, as programs that only send do; return all it says."""
    lines = ["EHLO early.example", f"MAIL FROM:<{CARRIER}>", f"RCPT TO:<{alias}>", "QUIT", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines[:1]).encode() + b"\r\n")
        time.sleep(3)
        connection.sendall("\r\n".join(lines[1:]).encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def _by_itself(port: int, alias: str) -> str:
    with Client(port) as client:
        client.mail(CARRIER)
        return str(client.rcpt(alias))


ROWS = (
    Row("postgrey", try_postgrey, (Postgrey,)),
    Row("policyd-spf", try_policyd_spf, (SpfPolicy,)),
    Row("pyspf-milter", try_spf_milter, (SpfMilter,)),
    Row("postscreen", try_postscreen),
    Row("`reject_unverified_recipient`, `reject_unverified_sender`", try_verification),
)
