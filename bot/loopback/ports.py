"""Ports of 127.0.0.1 for servers that are started later."""

import secrets
import socket

_FIRST, _END = 20_000, 32_000
"""Below the ones that systems hand out by themselves: 32768 and up on Linux, 49152 and up elsewhere (IANA)."""
_TRIES = 100


def free_port() -> int:
    """A port that nobody listens on; `OSError` when none is found.

    Nobody is given it by chance before its server stands, or while that server is started anew: each connection that is
    made, and whoever listens on "any" port, gets one of those that the system hands out.
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
