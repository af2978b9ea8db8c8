"""What verifies before the tracker, and what signs behind it."""

from tests.postfix.signer import Signer
from tests.postfix.stage import DOMAIN
from tests.postfix.verifier import Verifier

from beside.programs import OpenDmarc, Rspamd
from beside.row import Row
from beside.site import CONVERSATION, ID, Bench, Site, set_up

BELIEVED = f"what a stranger writes in the name of {ID} is believed"
HEADERS = {
    "milter_headers.conf": 'use = ["authentication-results"];\nauthenticated_headers = [];\n'
    "skip_local = false;\nroutines { authentication-results { add_smtp_user = false; } }\n"
}


def try_opendkim(bench: Bench) -> str:
    """OpenDKIM and OpenDMARC before the tracker, an OpenDKIM that signs behind it."""
    with (
        Signer(DOMAIN) as signer,
        Verifier(ID) as verifier,
        OpenDmarc(ID) as dmarc,
        set_up(
            bench,
            milters=(verifier.socket, dmarc.socket),
            options={"authserv_id": ID},
            signer=signer,
        ) as site,
    ):
        site.play(*CONVERSATION)
        wrong = [line for line in site.check() if "believed" in line]
        assert not wrong, wrong
    return "works; every copy is signed, and forged results are not believed"


def try_rspamd(bench: Bench) -> str:
    """Rspamd before the tracker, with authentication-results in `use`, and without."""
    with (
        Signer(DOMAIN) as signer,
        Rspamd(HEADERS) as rspamd,
        set_up(bench, milters=(rspamd.socket,), options={"authserv_id": ID}, signer=signer) as site,
    ):
        site.play(*CONVERSATION)
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


ROWS = (
    Row("OpenDKIM and OpenDMARC before, OpenDKIM signs behind", try_opendkim, (OpenDmarc,)),
    Row("Rspamd before", try_rspamd, (Rspamd,)),
    Row("`authserv_id` set, nothing before", try_nothing),
    Row("`authserv_id` set, OpenDMARC alone before", try_opendmarc, (OpenDmarc,)),
    Row("`authserv_id` set, the verifier behind", try_late_verifier),
)
