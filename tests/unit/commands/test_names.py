"""Names that an administrator gives, and those that are told to one."""

from pathlib import Path

import pytest

from conversation_tracker.postfix.names import name_command


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("configure", "conversation-tracker-configure"),
        ("signer", "conversation-tracker-signer"),
        ("install", "conversation-tracker-setup"),
    ],
)
def test_a_command_has_the_name_that_can_be_typed_here(script: str, package: str) -> None:
    """Debian's package has its programs in /usr/sbin, and no folder `postfix`."""
    packaged = Path("/usr/lib/python3/dist-packages/conversation_tracker/postfix/names.py")
    installed = Path("/opt/conversation-tracker/lib/python3.11/site-packages/x.py")
    assert name_command(script, packaged) == package
    assert name_command(script, installed) == f"postfix/{script}"
