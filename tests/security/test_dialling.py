"""The last guard: a hook that finds a way past streams and layers still dials nothing (A17)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.remote import Target
from turnout.proxy.dialling import NOT_PREPARED
from turnout.testing.fixtures import StartProxy

PASSES_TLS_ON = "def tls_clienthello(data):\n    data.ignore_connection = True\n"
"""As mitmproxy's own examples do: the connection becomes raw TCP, to the target of reverse mode."""


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


async def test_tls_that_another_addon_passes_on_reaches_nothing(
    proxy: StartProxy, target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "passes_on.py"
    script.write_text(PASSES_TLS_ON)
    running = await proxy(mode=f"reverse:https://127.0.0.1:{target.port}@127.0.0.1:0", scripts=[script])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with caplog.at_level(logging.INFO, "mitmproxy.proxy.server"), contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert not await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert NOT_PREPARED in caplog.text and target.connections == 0


async def test_other_modes_dial_as_ever(proxy: StartProxy, target: Target) -> None:
    """Turnout serves reverse mode only, and minds nobody else's business."""
    running = await proxy(mode="regular@127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(f"GET http://127.0.0.1:{target.port}/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert target.connections == 1
