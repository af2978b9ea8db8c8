"""What verifies before the tracker, and what signs behind it."""

import base64
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Self

import dkim
from tests.postfix.signer import Signer
from tests.postfix.stage import DOMAIN
from tests.postfix.verifier import Verifier

from beside.programs import OpenDmarc, Rspamd
from beside.row import Row
from beside.site import CONVERSATION, ID, Bench, Site, set_up

BELIEVED = f"what a stranger writes in the name of {ID} is believed"
# What could leave so that no signature holds: long lines, raw octets, a From of one's own.
SIGNED = (
    "lines-of-a-table",
    "lines-of-parts-for-several",
    "self-copy-of-the-store",
    "self-copy-of-a-partner",
    "header-names-in-octets",
    "smtputf8-to-several",
)
HEADERS = {
    "milter_headers.conf": 'use = ["authentication-results"];\nauthenticated_headers = [];\n'
    "skip_local = false;\nroutines { authentication-results { add_smtp_user = false; } }\n"
}


def try_opendkim(bench: Bench) -> str:
    """OpenDKIM and OpenDMARC before the tracker, an OpenDKIM that signs behind it."""
    with (
        Partner() as partner,
        Signer(DOMAIN) as signer,
        Verifier(ID, f"TestDNSData file:{partner.keys}") as verifier,
        OpenDmarc(ID) as dmarc,
    ):
        before = (verifier.socket, dmarc.socket)
        with set_up(bench, milters=before, signer=signer) as site:
            site.play(*CONVERSATION, *SIGNED)
        with set_up(bench, milters=before, options={"authserv_id": ID}, signer=signer) as site:
            # OpenDKIM takes out only what it can read.
            assert site.complains(BELIEVED), "check does not see that forged results are believed"
            _mend(site)
            _tell_apart(site, partner)
            site.look_at_signatures()
    return (
        "works: every copy is signed. With `configure --authserv-id`, without which `check` is"
        " WRONG, a partner's signed mail is verified, and with `spoofed_senders = 'reject'`"
        " unsigned mail in their name is refused, whatever results it brings along"
    )


def try_rspamd(bench: Bench) -> str:
    """Rspamd before the tracker, with authentication-results in `use`, and without."""
    with Signer(DOMAIN) as signer, Rspamd(HEADERS) as rspamd:
        with set_up(bench, milters=(rspamd.socket,), signer=signer) as site:
            site.play(*CONVERSATION)
        options = {"authserv_id": ID}
        with set_up(bench, milters=(rspamd.socket,), options=options, hostname=ID) as site:
            assert not site.complains(BELIEVED), "forged results are believed"
    with (
        Rspamd({"milter_headers.conf": "use = [];\n"}) as rspamd,
        set_up(bench, milters=(rspamd.socket,), options={"authserv_id": ID}) as site,
    ):
        assert site.complains(BELIEVED), "check does not see that forged results are believed"
        _mend(site)
    return (
        "works with `authentication-results` in `use` of milter_headers.conf; without it `check` is"
        " WRONG until `configure --authserv-id` was run"
    )


class Partner:
    """A partner who signs; `keys` is a file of public keys for OpenDKIM."""

    address, domain, selector = "desk@carrier.example", "carrier.example", "s1"

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="conversation-tracker-partner-")
        home = Path(self._home.name)
        home.chmod(0o755)
        run = partial(subprocess.run, check=True, capture_output=True)
        run(["openssl", "genrsa", "-traditional", "-out", f"{home}/key", "2048"])
        shown = run(["openssl", "rsa", "-in", f"{home}/key", "-pubout", "-outform", "DER"]).stdout
        self.keys, self._key = home / "keys", (home / "key").read_bytes()
        public = base64.b64encode(shown).decode()
        self.keys.write_text(
            f"{self.selector}._domainkey.{self.domain} v=DKIM1; k=rsa; p={public}\n"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._home.cleanup()

    def write(self, alias: str, *fields: str) -> bytes:
        """Write a letter in the partner's name."""
        lines = [*fields, f"From: {self.address}", f"To: {alias}", "Subject: Parcel", "", "Text."]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def sign(self, data: bytes) -> bytes:
        """Sign a letter."""
        signed = dkim.sign(data, self.selector.encode(), self.domain.encode(), self._key)
        return bytes(signed) + data


def _tell_apart(site: Site, partner: Partner) -> None:
    """See that a partner's signed mail is verified, and others' in their name refused."""
    order = site.shop(spoofed_senders="reject").order(
        "1001", buyer="john@buyer.example", carrier=partner.address
    )
    alias = order.alias("john@buyer.example")
    forged = f"Authentication-Results: {ID}; dkim=pass header.d={partner.domain}"
    for data, taken in (
        (partner.sign(partner.write(alias)), True),
        (partner.write(alias, forged), False),
        (partner.write(alias), False),
    ):
        replies = site.stage.send(partner.address, alias, data)
        assert replies.ok is taken, str(replies.final)
        assert taken or "550 5.7.1" in str(replies.final), str(replies.final)
    site.stage.settle()
    assert [each["verdict"] for each in order.messages()] == ["verified"]


def try_nothing(bench: Bench) -> str:
    """A name in authserv_id, and nothing before the tracker that takes forged results out."""
    with set_up(bench, options={"authserv_id": ID}) as site:
        assert site.complains(BELIEVED), "check does not see that forged results are believed"
        _mend(site)
    return "`check` is WRONG; `configure --authserv-id` has Postfix take them out"


def try_opendmarc(bench: Bench) -> str:
    """OpenDMARC alone, which reads what others found."""
    with (
        OpenDmarc(ID) as dmarc,
        set_up(bench, milters=(dmarc.socket,), options={"authserv_id": ID}) as site,
    ):
        assert site.complains(BELIEVED), "check does not see that forged results are believed"
        _mend(site)
    return "`check` is WRONG; `configure --authserv-id` has Postfix take forged results out"


def try_late_verifier(bench: Bench) -> str:
    """A verifier behind the tracker."""
    with (
        Verifier(ID) as verifier,
        set_up(bench, options={"authserv_id": ID}, behind=verifier.socket) as site,
    ):
        assert site.complains(BELIEVED), "check does not see that forged results are believed"
    return "`check` is WRONG: the verifier belongs before the tracker"


def _mend(site: Site) -> None:
    """Let configure take forged results out, and see that they are gone."""
    site.host.configure("--authserv-id", ID)
    site.host.postfix.restart()
    assert not site.complains(BELIEVED), "configure does not mend it"


def try_rspamd_as_signer(bench: Bench) -> str:
    """Rspamd signs behind the tracker: with milter headers on, and off."""
    with tempfile.TemporaryDirectory(prefix="conversation-tracker-rspamd-") as home:
        key = Path(home) / "key"
        Path(home).chmod(0o755)
        run = partial(subprocess.run, check=True, capture_output=True)
        run(["openssl", "genrsa", "-traditional", "-out", key, "2048"])
        key.chmod(0o644)
        signing = {
            "dkim_signing.conf": "enabled = true;\nsign_inbound = true;\nuse_esld = false;\n"
            f"allow_hdrfrom_mismatch = true;\nallow_username_mismatch = true;\n"
            f'domain {{ "{DOMAIN}" {{ path = "{key}"; selector = "s1"; }} }}\n'
        }
        writes = "writes real addresses into copies"
        with Rspamd(signing | HEADERS) as rspamd, set_up(bench, behind=rspamd.socket) as site:
            assert site.complains(writes), site.check()
        quiet = {"milter_headers.conf": "use = [];\n"}
        with (
            Rspamd(signing | quiet) as rspamd,
            set_up(bench, behind=rspamd.socket, issuer="hard") as site,
        ):
            assert not site.complains(writes), site.check()
            assert site.complains("signs no mail with a soft alias"), site.check()
            site.play("one-buyer-answers-partner", "bounce-answered-from-a-sender")
            ours = [mail for mail in site.host.sink.messages if mail.header("X-Conversation-Hops")]
            assert ours
            assert all(mail.header("DKIM-Signature") for mail in ours), "a copy is not signed"
    return (
        "with milter headers on `check` is WRONG: they hold real addresses; with `use = [];` and"
        " hard aliases each copy is signed, and `check` says that soft ones are not"
    )


ROWS = (
    Row("OpenDKIM and OpenDMARC before, OpenDKIM signs behind", try_opendkim, (OpenDmarc,)),
    Row("Rspamd before", try_rspamd, (Rspamd,)),
    Row("Rspamd signs behind", try_rspamd_as_signer, (Rspamd,)),
    Row("`authserv_id` set, nothing before", try_nothing),
    Row("`authserv_id` set, OpenDMARC alone before", try_opendmarc, (OpenDmarc,)),
    Row("`authserv_id` set, the verifier behind", try_late_verifier),
)
