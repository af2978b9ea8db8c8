"""How much memory one process may take, and how it gives memory back.

The limit is the kernel's: what would go over it gets a MemoryError, whatever code asks for it. It
counts what is written and belongs to no file (RLIMIT_DATA), so bodies in files count nothing. Each
connection has a thread, whose stack counts as a whole; so stacks are made smaller than the system's
eight megabytes. Where the system does not let us there is no limit here: the parent looks as well
(`clock`), and the service has one of its own.
"""

import ctypes
import resource
from contextlib import suppress
from functools import cache

LIMIT = 1536 * 1024 * 1024
"""Octets of a process: the stacks of 500 connections, and as much as `clock` lets it hold."""
_STACK = 2 * 1024 * 1024
_ATTRIBUTES = 64  # octets; pthread_attr_t has 56

# mallopt(3): M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
_MALLOC = ((-8, 1), (-3, 256 * 1024), (-1, 512 * 1024))


def limit(octets: int = LIMIT) -> None:
    """Limit the memory of this process, and of what it starts, to so many octets."""
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY or soft > octets:
            resource.setrlimit(resource.RLIMIT_DATA, (octets, hard))


def small_stacks() -> None:
    """Make the stacks of later threads small, libmilter's too."""
    with suppress(AttributeError):
        library = _open_library()
        attributes = ctypes.create_string_buffer(_ATTRIBUTES)
        library.pthread_attr_init(attributes)
        library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK))
        library.pthread_setattr_default_np(attributes)


def give_back() -> None:
    """Return freed memory to the system, where the C library can do so.

    By itself it would keep a heap for each thread, and all that one large message ever took.
    """
    with suppress(AttributeError):
        library = _open_library()
        for option, value in _MALLOC:
            library.mallopt(option, value)


def trim() -> None:
    """Return what is free amid the heap as well, which the C library keeps until it is told.

    What is at the heap's end goes back by itself. A trim takes some tenths of a millisecond, and no
    Python waits for it. Where no memory is left even to ask, the next one does: who asks must live.
    """
    with suppress(AttributeError, MemoryError, OSError):
        _open_library().malloc_trim(0)


@cache
def _open_library() -> ctypes.CDLL:
    """Open the C library, once: each time makes a type, which waits for the garbage collector."""
    return ctypes.CDLL(None)
