"""A private name server, authoritative for what a zone file says, on one loopback port.

The file is read again for every question, so what it says may change under way. Names that are not
there are served by wildcards as RFC 4592 says. A question for a name that begins with `broken` is
answered SERVFAIL. RuntimeError when it does not start.
"""

import os
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

from private.ports import free_port
from private.server import Server

_HEAD = """\
$ORIGIN .
$TTL 1
@ IN SOA ns.invalid. nobody.invalid. 1 1 1 1 1
@ IN NS ns.invalid.
"""


class NameServer(Server):
    """One name server at `address`, `port`; `publish` gives it records."""

    _name = "the name server"
    address = "127.0.0.1"

    def __init__(self) -> None:
        super().__init__("names")
        self.port = free_port()
        self._zone = self.directory / "zone"
        self.publish()

    def publish(self, *records: str) -> None:
        """Serve these records and no others, each a line of a zone file with whole names."""
        fresh = self._zone.with_suffix(".new")
        fresh.write_text(_HEAD + "".join(f"{record}\n" for record in records))
        fresh.replace(self._zone)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "private.nameserver", str(self.port), str(self._zone)]
        paths = {"PYTHONPATH": str(Path(__file__).parents[1])}
        return self._reaper.spawn(command, log=self.log, environment={**os.environ, **paths})

    def _answers(self) -> bool:
        asked = dns.message.make_query("ns.invalid.", "A")
        try:
            dns.query.udp(asked, self.address, port=self.port, timeout=0.2)
            dns.query.tcp(asked, self.address, port=self.port, timeout=0.2)
        except (OSError, dns.exception.DNSException):
            return False
        return True


def answer(asked: dns.message.Message, zone: dns.zone.Zone) -> dns.message.Message:
    """Answer one question."""
    made = dns.message.make_response(asked)
    made.flags |= dns.flags.AA
    question = asked.question[0]
    if question.name.labels[0].startswith(b"broken"):
        made.set_rcode(dns.rcode.SERVFAIL)
        return made
    found = _find(question.name, zone)
    if found is None:
        made.set_rcode(dns.rcode.NXDOMAIN)
        return made
    for kind in (question.rdtype, dns.rdatatype.CNAME):
        rdataset = zone.get_rdataset(found, kind)
        if rdataset is not None:
            records = dns.rrset.from_rdata_list(question.name, rdataset.ttl, list(rdataset))
            made.answer.append(records)
            break
    return made


def _find(name: dns.name.Name, zone: dns.zone.Zone) -> dns.name.Name | None:
    """Find the name in the zone that answers for another: itself, or a wildcard."""
    above = name
    while above != dns.name.root:
        if any(each.is_subdomain(above) for each in zone.nodes):
            break
        above = above.parent()
    if above == name:
        return name
    wildcard = dns.name.from_text("*", above)
    return wildcard if wildcard in zone.nodes else None


class _Handler(socketserver.BaseRequestHandler):
    path: Path

    def handle(self) -> None:
        zone = dns.zone.from_file(str(self.path), dns.name.root, relativize=False)
        if isinstance(self.request, tuple):
            data, there = self.request
            there.sendto(answer(dns.message.from_wire(data), zone).to_wire(), self.client_address)
            return
        with self.request.makefile("rwb") as stream:
            length = int.from_bytes(stream.read(2), "big")
            wire = answer(dns.message.from_wire(stream.read(length)), zone).to_wire()
            stream.write(len(wire).to_bytes(2, "big") + wire)


def main() -> None:
    """Serve until ended: port and zone file are the arguments."""
    place = (NameServer.address, int(sys.argv[1]))
    _Handler.path = Path(sys.argv[2])
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers: list[socketserver.BaseServer] = [socketserver.ThreadingUDPServer(place, _Handler)]
    servers += [socketserver.ThreadingTCPServer(place, _Handler)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
