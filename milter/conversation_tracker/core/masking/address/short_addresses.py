"""What part of an address is too long to occur by chance where its octets stand in no words.

Attachments, and what base64 and hexadecimal digits hold, are as good as random octets: in 25 MB of
them stands every word of three octets, and a part of base64 as often as four octets of it do. What
is found there is looked at again, or is an address and the mail refused. So less than a whole
address of `WHOLE` octets counts for nothing there (once in 2^21 mails of 25 MB for one address, as
often as 2^14 for all of an order), and of what only leads to a closer look at least `LED` octets
are looked for: these are six characters of base64, which 25 MB hold by chance less than once for
all the domains of an order. In running text, the words around them show what short addresses are.
"""

from collections.abc import Iterable, Iterator

WHOLE = 6
"""Octets of the shortest address that is known among random octets: `a@b.de`."""
LED = 5
"""Octets of the shortest word that is looked for in base64 and in hexadecimal digits."""
PLAIN = 4
"""Octets of the shortest domain that is looked for in octets as they are."""


def is_long_enough(key: str) -> bool:
    """Return whether an address, given by its key, is too long to occur by chance."""
    return len(key) >= WHOLE or len(key.encode("utf-8")) >= WHOLE


def find_base64_needles(domain: str, locals: Iterable[str]) -> Iterator[str]:
    """Yield what to look for in base64 and digits, so that addresses at a domain are found.

    Args:
        domain: one spelling of the domain, in lower case.
        locals: the local parts known there.

    Returns:
        The domain where it is long enough, else as little more as is; nothing for addresses that
        cannot be told from chance.
    """
    octets = len(domain.encode("utf-8"))
    if octets >= LED:
        yield domain
    elif octets + 1 >= LED:
        yield f"@{domain}"
    else:
        yield from filter(is_long_enough, (f"{local}@{domain}" for local in locals))


def find_plain_needles(domain: str, locals: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield what to look for in octets as they are, each with how far behind it the domain begins.

    Arguments as for `find_base64_needles`.
    """
    if len(domain.encode("utf-8")) >= PLAIN:
        yield domain, 0
        return
    for local in locals:
        if is_long_enough(address := f"{local}@{domain}"):
            yield address, len(local) + 1
