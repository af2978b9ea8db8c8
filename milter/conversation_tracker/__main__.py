"""Runs the command line: `python -m conversation_tracker` is `conversation-tracker`."""

import sys

from conversation_tracker.cli.main import main

sys.exit(main())
