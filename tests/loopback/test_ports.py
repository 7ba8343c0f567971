"""A port for later is one that nobody else is given meanwhile."""

import socket

import pytest

from bot.loopback import ports


def test_it_is_free_and_not_one_that_is_handed_out() -> None:
    port = ports.free_port()
    socket.create_server(("127.0.0.1", port)).close()
    assert 1024 < port < 32_768


def test_when_none_is_free_that_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.free_port()
    with socket.create_server(("127.0.0.1", port)):
        monkeypatch.setattr(ports, "_FIRST", port)
        monkeypatch.setattr(ports, "_END", port + 1)
        with pytest.raises(OSError, match="in use"):
            ports.free_port()
