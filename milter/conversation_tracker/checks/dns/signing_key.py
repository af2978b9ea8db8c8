"""Whether the key that the name system shows is the one that an alias domain's signer signs by.

The signer's private key is for nobody else to read: it signs a message, and the key that is
published must verify that.
"""

from collections.abc import Collection, Iterator

from conversation_tracker.checks.dialogue import BODY, list_fields
from conversation_tracker.checks.dns.names import NameSystem
from conversation_tracker.checks.dns.signature import (
    BadKeyError,
    PublicKey,
    read_key,
    read_tags,
    verify,
)
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.signing import find_record

_LEAST, _USUAL = 1024, 2048  # bits (RFC 8301 section 3.2)
_LOST = "publish the public half of the signer's key, which lies beside it (SELECTOR.txt)"


def check(
    names: NameSystem, domain: str, author: str, signatures: Collection[str]
) -> Iterator[CheckLine]:
    """Judge the keys by which an alias domain's mail is signed.

    Args:
        names: the name system.
        domain: the alias domain.
        author: who stood in From of what was signed.
        signatures: what the signers wrote: values of DKIM-Signature.

    Raises:
        NameSystemError: there is no answer.
    """
    if not signatures:
        yield note(
            f"nobody signs mail from {domain}: forwarded by others it fails every test",
            f"run {name_command('signer')} --domain {domain},"
            f" and {name_command('configure')} --signer with its socket",
        )
    for signature in signatures:
        yield from _judge(names, domain, author, signature)


def _judge(names: NameSystem, domain: str, author: str, signature: str) -> Iterator[CheckLine]:
    tags = read_tags(signature)
    where = f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}"
    record = find_record(domain)
    publish = f"publish {record}" if record.startswith(f"{where}. ") else _LOST
    found = [each for each in names.ask(where, "TXT") if each]
    if len(found) != 1:
        has = "no key" if not found else f"{len(found)} records, and should have one,"
        yield wrong(f"the signer signs by {where}, where the name system has {has}", publish)
        return
    try:
        key = read_key(found[0])
        holds = verify(signature, list_fields(author), BODY, key)
    except BadKeyError as error:
        yield wrong(f"the key at {where} is none that the signer signs by: {error}", publish)
        return
    if not holds:
        yield wrong(
            f"the key at {where} does not belong to the signer's private key: no receiver can"
            " verify a copy",
            publish,
        )
        return
    yield from _judge_size(where, key)
    if "y" in read_tags(found[0]).get("t", "").split(":"):
        yield note(f"the key at {where} says that it is only tried (t=y)", "take t=y out")


def _judge_size(where: str, key: PublicKey) -> Iterator[CheckLine]:
    if key.bits < _LEAST:
        yield wrong(
            f"the key at {where} has {key.bits} bits, which receivers do not take",
            f"make one of {_USUAL}",
        )
    elif key.bits < _USUAL:
        yield note(f"the key at {where} has {key.bits} bits", f"make one of {_USUAL}")
    else:
        yield ok(f"the key at {where} belongs to the signer's private key ({key.bits} bits)")
