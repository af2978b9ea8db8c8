"""Run by postfix/install as `python3 -IB postfix/installer`."""

import sys
from pathlib import Path


def start() -> int:
    """Find the installer and the program beside it, whatever Python knows, and run."""
    postfix = Path(__file__).resolve().parents[1]
    sys.path[:1] = [str(postfix), str(postfix.parent / "milter")]
    from installer.command import main

    return main()


sys.exit(start())
