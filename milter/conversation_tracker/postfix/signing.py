"""Where the signer that `postfix/signer` sets up has its files, and how its key is published.

Only the standard library is imported: `postfix/signer` runs before anything is installed.
"""

from pathlib import Path

SELECTOR = "tracker"
HOME = Path("/etc/conversation-tracker-signer")

_PIECE = 255  # octets of one string of a TXT record (RFC 1035 section 3.3)


def find_record(domain: str, home: Path = HOME) -> str:
    """Return the record that publishes a domain's key, "" where the signer is not ours.

    Args:
        domain: the alias domain.
        home: the signer's directory.
    """
    try:
        return (home / "dns" / f"{domain}.txt").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def write_record(domain: str, selector: str, key: str) -> str:
    """Write the record that publishes a key, as a zone file has it.

    Args:
        domain: the alias domain.
        selector: the key's name there.
        key: the public key, DER in base64.
    """
    text = f"v=DKIM1; k=rsa; p={key}"
    pieces = " ".join(f'"{text[at : at + _PIECE]}"' for at in range(0, len(text), _PIECE))
    return f"{selector}._domainkey.{domain}. IN TXT {pieces}"
