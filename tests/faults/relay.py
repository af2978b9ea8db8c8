"""Relays between two programs, which can hold, cut or watch what passes.

A `Relay` passes bytes on as they come. `Packets` cuts a stream of the milter's protocol into its
packets. All run in threads of this process; what fails on either side ends that connection alone.
"""

import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from private.ports import free_port
from private.reaper import Reaper

_CHUNK = 65536


class Link:
    """One connection through a relay."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._ends = (near, far)

    def cut(self) -> None:
        """End both sides at once; what is under way is lost."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Relay:
    """Takes connections and passes them on, from `with` to the end of the block."""

    def __init__(self, target: Callable[[], socket.socket]) -> None:
        """Pass on to what `target` connects to; OSError there refuses the connection."""
        self._target = target
        self._flowing = {True: threading.Event(), False: threading.Event()}
        self.flow()
        self._links: set[Link] = set()
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listener = self.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.flow()
        self.cut()

    def listen(self) -> socket.socket:
        """Open what connections come to."""
        raise NotImplementedError

    def hold(self, *, outward: bool = True) -> None:
        """Pass nothing on from now on, as a network that swallows; connections stay.

        Without `outward` what goes to the target still does, and only its answers are held.
        """
        self._flowing[False].clear()
        if outward:
            self._flowing[True].clear()

    def flow(self) -> None:
        """Pass on again, what was held first."""
        for each in self._flowing.values():
            each.set()

    def cut(self) -> None:
        """End all connections there are."""
        for link in list(self._links):
            link.cut()

    def passed(self, link: Link, data: bytes, outward: bool) -> Iterator[bytes]:
        """Say what is passed on of what came; `outward` is towards the target."""
        yield data

    def gone(self, link: Link) -> None:
        """Forget a link that has ended."""

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            self._flowing[True].wait()
            try:
                far = self._target()
            except OSError:
                return
            with far:
                link = Link(near, far)
                self._links.add(link)
                back = threading.Thread(target=self._pump, args=(link, far, near, False))
                back.start()
                self._pump(link, near, far, True)
                back.join()
                self._links.discard(link)
                self.gone(link)

    def _pump(self, link: Link, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._flowing[outward].wait()
                for piece in self.passed(link, data, outward):
                    sink.sendall(piece)
        link.cut()


class DatabaseRelay(Relay):
    """A relay on a loopback port, before PostgreSQL on another."""

    def __init__(self, port: int) -> None:
        """Pass on to PostgreSQL at this port of 127.0.0.1."""
        super().__init__(lambda: socket.create_connection(("127.0.0.1", port), 5))
        self.port = free_port()

    def listen(self) -> socket.socket:
        """Open the port."""
        return socket.create_server(("127.0.0.1", self.port), backlog=128)


class Trap:
    """Waits for one packet: when it passes, `action` runs and the connection ends.

    `sprung` is set once that has happened.
    """

    def __init__(self, letter: bytes, outward: bool, action: Callable[[], object]) -> None:
        self.letter, self.outward, self.action = letter, outward, action
        self.sprung = threading.Event()


class MilterRelay(Relay):
    """A relay on a Unix socket, between Postfix and a milter; `address` is for Postfix."""

    def __init__(self, target: Callable[[], str]) -> None:
        """Pass on to the milter's address, `unix:PATH`, that `target` tells."""
        super().__init__(lambda: _unix(target().removeprefix("unix:")))
        self._reaper = Reaper("relay")
        folder = self._reaper.directory / "socket"
        folder.mkdir(mode=0o750)
        shutil.chown(folder, group="postfix")
        self._path = folder / "milter.sock"
        self.address = f"unix:{self._path}"
        self._lock = threading.Lock()
        self._traps: list[Trap] = []
        self._rests: dict[tuple[Link, bool], bytes] = {}
        self._ending: set[Link] = set()

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        self._reaper.close()

    def listen(self) -> socket.socket:
        """Open the socket, for Postfix's group."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        shutil.chown(self._path, group="postfix")
        Path(self._path).chmod(0o660)
        listener.listen(128)
        return listener

    def set(self, letter: bytes, outward: bool, action: Callable[[], object]) -> Trap:
        """Set a trap for the next packet with this letter, to the milter if `outward`.

        The milter's answers to the end of a message are lower-case letters with an `E` before
        them. What Postfix says is still passed on, so that the milter has begun with it; what the
        milter says is not.
        """
        with self._lock:
            trap = Trap(letter, outward, action)
            self._traps.append(trap)
            return trap

    def withdraw(self, trap: Trap) -> bool:
        """Take a trap away; False if a packet was caught in it."""
        with self._lock:
            waiting = trap in self._traps
            if waiting:
                self._traps.remove(trap)
            return waiting

    def passed(self, link: Link, data: bytes, outward: bool) -> Iterator[bytes]:
        """Pass on packet by packet, up to one that is waited for."""
        rest = self._rests.pop((link, outward), b"") + data
        while len(rest) >= 4:
            length = 4 + int(struct.unpack("!I", rest[:4])[0])
            if len(rest) < length:
                break
            packet, rest = rest[:length], rest[length:]
            trap = self._caught(self._letter(link, packet[4:5], outward), outward)
            if trap is None or outward:
                yield packet
            if trap is not None:
                trap.action()
                link.cut()
                trap.sprung.set()
                return
        if rest:
            self._rests[link, outward] = rest

    def gone(self, link: Link) -> None:
        """Forget what was left of its packets."""
        self._ending.discard(link)
        for outward in (True, False):
            self._rests.pop((link, outward), None)

    def _letter(self, link: Link, letter: bytes, outward: bool) -> bytes:
        if outward:
            (self._ending.add if letter == b"E" else self._ending.discard)(link)
            return letter
        return b"E" + letter if link in self._ending else letter

    def _caught(self, letter: bytes, outward: bool) -> Trap | None:
        with self._lock:
            for trap in self._traps:
                if (trap.letter, trap.outward) == (letter, outward):
                    self._traps.remove(trap)
                    return trap
            return None


def _unix(path: str) -> socket.socket:
    handle = socket.socket(socket.AF_UNIX)
    try:
        handle.connect(path)
    except OSError:
        handle.close()
        raise
    return handle
