"""A private web page: `conversation-tracker web` on a loopback port, as one database role.

It shows what that role was granted. RuntimeError, with its log, when it does not answer.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from private.ports import free_port
from private.server import Server

_ANYTHING = "/static/page.css"


class Web(Server):
    """One `conversation-tracker web`.

    `address` is that of its first page. `database` is the libpq URI of the role, `options` further
    lines of the configuration's section `[web]`.
    """

    _name = "the web page"

    def __init__(self, database: str, *, options: Mapping[str, str] | None = None) -> None:
        super().__init__("web")
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.config = self.directory / "web.conf"
        tracker = {
            "database": database,
            "socket": f"unix:{self.directory}/milter.sock",
            "log_format": "json",
        }
        web = {"listen": f"inet:{self.port}@127.0.0.1"} | dict(options or {})
        self.config.write_text(
            "".join(
                f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
                for section, lines in (("tracker", tracker), ("web", web))
            )
        )

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event, oldest first."""
        whole = self.log_text().rpartition("\n")[0]  # the last line may be half written
        lines = (json.loads(line) for line in whole.splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command: list[str | Path] = [sys.executable, "-m", "conversation_tracker"]
        command += ["-c", self.config, "web"]
        return self._reaper.spawn(command, log=self.log, environment=dict(os.environ))

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", _ANYTHING)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
