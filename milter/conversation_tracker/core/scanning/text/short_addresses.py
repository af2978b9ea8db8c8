"""Which addresses, and which of their parts, are too short to mean anything in random octets.

A scan of attachments and of tokens in base64 goes through millions of octets that are as good as
random. Any three octets that are looked for stand in there, and a needle of four characters of
base64 stands in 25 MB of it twice. So an address below `ADDRESS` octets is passed over in them, and
what points to a token to decode has at least `POINTER`. Written apart from the masking code.
"""

ADDRESS = 6
"""Octets of the shortest address that counts where there are no words."""
POINTER = 5
"""Octets of the shortest word that is looked for inside base64 and hexadecimal digits."""


def is_long_enough(address: str) -> bool:
    """Return whether an address that stands among random octets is there on purpose."""
    return len(address) >= ADDRESS or len(address.encode("utf-8")) >= ADDRESS


def find_pointers(domain: str, locals: list[str]) -> list[str]:
    """Return the words that point to addresses at a domain inside base64 or digits.

    Args:
        domain: a domain in lower case.
        locals: the local parts that are looked for there.
    """
    if len(domain) >= POINTER:
        return [domain]
    for word in (domain, "@" + domain):
        if len(word.encode("utf-8")) >= POINTER:
            return [word]
    return [local + "@" + domain for local in locals if is_long_enough(local + "@" + domain)]
