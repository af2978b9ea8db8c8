"""Where the signer has its files, and whose they are."""

from dataclasses import dataclass
from pathlib import Path

USER = "opendkim"


@dataclass(frozen=True, slots=True)
class Places:
    """The signer's files.

    Attributes:
        home: the directory of keys and tables.
        socket: where it listens.
        unit: its unit.
    """

    home: Path
    socket: Path
    unit: Path

    @property
    def keys(self) -> Path:
        """The directory of the keys."""
        return self.home / "keys"

    @property
    def configuration(self) -> Path:
        """OpenDKIM's configuration."""
        return self.home / "opendkim.conf"

    @property
    def tables(self) -> tuple[Path, Path, Path]:
        """KeyTable, SigningTable and InternalHosts."""
        return self.home / "KeyTable", self.home / "SigningTable", self.home / "InternalHosts"

    def find_key(self, domain: str, selector: str) -> Path:
        """Return where a private key is."""
        return self.keys / f"{domain}.{selector}.private"

    def find_record(self, domain: str) -> Path:
        """Return where the record is that publishes a domain's key."""
        return self.home / "dns" / f"{domain}.txt"
