"""Ports of 127.0.0.1 for servers that are started later."""

import secrets
import socket

_FIRST, _END = 20_000, 32_000
"""Below the ones that systems hand out by themselves unless told otherwise: 32768 and up on Linux, 49152 and up
elsewhere (IANA)."""
_TRIES = 100


def free_port() -> int:
    """A port that nobody listens on; `OSError` when none is found.

    Where the system's own ports are the usual ones, nobody is given it by chance before its server stands, or while
    that server is started anew: not a connection that is made, nor whoever listens on "any" port.
    """
    for tries in range(1, _TRIES + 1):
        port = _FIRST + secrets.randbelow(_END - _FIRST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            if tries == _TRIES:
                raise
        else:
            break
    return port
