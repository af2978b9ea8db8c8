"""A milter that does what a file says: the peer for tests of the wire client.

Run as `python scripted.py SOCKET SCRIPT`. SCRIPT is a JSON file read anew for every message, with
any of: `symlist` (stage number to macro names), `flags` (callbacks that want no reply, by name),
`answers` (callback to [code, enhanced code, text] or a number), `edits` (a list of method name and
arguments, called at end of message). Whatever arrives is appended to SCRIPT.seen, a line of JSON
each.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import Milter

SOCKET, SCRIPT = sys.argv[1], Path(sys.argv[2])
SEEN = SCRIPT.with_name(SCRIPT.name + ".seen")
MACROS = ("i", "j", "_", "{daemon_name}", "{auth_authen}", "{rcpt_mailer}", "{mail_addr}")


def text(value: Any) -> Any:
    """Return bytes as text that JSON can hold and `bytes_of` can turn back."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Scripted(Milter.Base):
    """One connection."""

    def answer(self, event: str, *values: Any) -> int:
        macros = {name: self.getsymval(name) for name in MACROS if self.getsymval(name)}
        with SEEN.open("a") as seen:
            seen.write(json.dumps([event, *map(text, values), macros]) + "\n")
        answer = script().get("answers", {}).get(event, Milter.CONTINUE)
        if isinstance(answer, list):
            self.setreply(*(word.replace("%", "%%") for word in answer))
            return Milter.REJECT if answer[0].startswith("5") else Milter.TEMPFAIL
        return int(answer)

    def connect(self, name: str, family: int, address: Any) -> int:
        return self.answer("connect", name, family, address)

    def hello(self, name: str) -> int:
        return self.answer("helo", name)

    @Milter.decode("bytes")
    def envfrom(self, sender: bytes, *parameters: Any) -> int:
        return self.answer("mail", sender, *parameters)

    @Milter.decode("bytes")
    def envrcpt(self, recipient: bytes, *parameters: Any) -> int:
        return self.answer("rcpt", recipient, *parameters)

    def data(self) -> int:
        return self.answer("data")

    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        return self.answer("header", name, value)

    def eoh(self) -> int:
        return self.answer("eoh")

    def body(self, chunk: bytes) -> int:
        return self.answer("body", chunk)

    def eom(self) -> int:
        for method, *arguments in script().get("edits", []):
            if method == "replacebody":
                arguments = [arguments[0].encode("latin-1")]
            getattr(self, method)(*arguments)
        return self.answer("eom")

    def abort(self) -> int:
        return self.answer("abort")

    def close(self) -> int:
        return self.answer("close")


def script() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCRIPT.read_text())
    return loaded


def main() -> None:
    first = script()
    for name in first.get("noreply", []):
        setattr(Scripted, name, Milter.noreply(getattr(Scripted, name)))
    for name in first.get("nocallback", []):
        setattr(Scripted, name, Milter.nocallback(getattr(Scripted, name)))
    if "symlist" in first:

        def negotiate(self: Scripted, options: Any) -> int:
            answer = int(Milter.Base.negotiate(self, options))
            for stage, names in first["symlist"].items():
                # pymilter 1.0.5's own setsymlist hands bytes to a C function that wants str.
                self._ctx.setsymlist(int(stage), names)
            return answer

        Scripted.negotiate = negotiate
    Milter.factory = Scripted
    os.umask(0)  # Postfix connects as its own user
    Milter.set_flags(Milter.CURR_ACTS | Milter.SETSYMLIST)
    Milter.runmilter("scripted", SOCKET, 5)


if __name__ == "__main__":
    main()
