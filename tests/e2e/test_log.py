"""What the terminal shows of requests that mitmproxy cannot read, and of add-ons that fail over one."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from turnout.testing.fixtures import ROUTE, StartMitmdump
from turnout.testing.provider import API_KEY

pytestmark = pytest.mark.e2e

PLAIN = "hunter2secret"
"""A key of no form that anybody would recognise."""

SCRIPT = """
def requestheaders(flow):
    raise ValueError(f"not liked: {flow.request.headers}")
"""


def send(port: int, data: bytes) -> None:
    """Send this and no more, and read whatever is said to it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(65536):
                pass


@pytest.mark.parametrize("key", [API_KEY, PLAIN])
def test_no_key_is_in_the_log(mitmdump: StartMitmdump, tmp_path: Path, key: str) -> None:
    script = tmp_path / "other.py"
    script.write_text(SCRIPT)
    # Before Turnout, which takes the key out of what is shown.
    process = mitmdump('[listen]\nhost = "127.0.0.1"\n', "-s", str(script), "-s", str(ROUTE), script=None)
    field, version = f"x-api-key: {key}\r\n".encode(), b" HTTP/1.1\r\nhost: localhost\r\n"
    send(process.port, b"POST /v1/messages" + version + field)
    process.logged("before completing request headers: <")
    send(process.port, b"POST /v1/messages" + version + field.replace(b":", b"") + b"\r\n")
    process.logged("<")
    send(process.port, f"POST /v1/messages?api_key={key} HTTP/3\r\nhost: localhost\r\n\r\n".encode())
    send(process.port, b"GET /health" + version + field + b"\r\n")
    process.logged("Addon error: not liked: ")
    process.stop()
    assert "ValueError: not liked: " in process.output and key not in process.output
