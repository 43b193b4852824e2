"""Thousands of requests with faults at random stages: exactly one answer each, and nothing is left over.

    python -m tests.bench.soak [--requests 20000] [--clients 32] [--seconds 1500] [--seed 1]

Providers refuse, reset, drip, lie about lengths, never end; clients leave, stall, and send what is no request. Before
and after, the proxy is asked for its slots, tasks, streams, sockets and memory. The exit code is 0 when all is well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.faults import FaultyProvider
from tests.bench.processes import ROOT, Child
from tests.security.remote import SCRIPT, Remote
from turnout.testing.proxy import free_port

ANSWER_WITHIN = 60.0
"""Seconds for one answer; the limits of the configuration add up to a fraction of it."""

SETTLES_WITHIN = 60.0
"""Seconds after the last request in which everything has to be given back."""

MOST_GROWTH = 60 * 2**20
"""Bytes of resident memory that may be left over: what the allocator keeps, however many requests there were."""

CONFIG = """
[access]
max_body = "1MB"
[retry]
max_elapsed = 0
[timeouts]
connect = "2s"
first_event = "2s"
idle = "2s"
request = "2s"
[limits]
answer = "2MB"
[[routes]]
model = "*"
to = ["p0", "p1", "p2"]
"""

TABLE = """
[providers.p{number}]
base_url = "http://127.0.0.1:{port}"
auth = "none"
max_concurrent = 16
slot_wait = "500ms"
cooldown = "1ms"
rewrite.profile = "none"
"""


@dataclass
class Tally:
    """What became of the requests."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, kind: str, got: bytes) -> None:
        """One request that waited for its answer, and everything that came back until the connection was closed."""
        status, problem = judged(got)
        self.counts[f"{kind}: {status}"] += 1
        if problem:
            self.wrong.append(f"{kind}: {problem}: {got[:160]!r} … {got[-80:]!r}")


def judged(got: bytes) -> tuple[str, str]:
    """Status, and what is wrong with an answer: it has to be exactly one, and whole, or to say that it broke off."""
    head, found, rest = got.partition(b"\r\n\r\n")
    if not found or not head.startswith(b"HTTP/1.1 "):
        return "none", "no answer"
    status, lower = head[9:12].decode(), head.lower()
    if b"transfer-encoding: chunked" in lower:
        told_broken = False  # a stream that breaks off ends in an error event, and is not closed as if it were whole
        while True:
            size, found, rest = rest.partition(b"\r\n")
            if not found or not size.strip():
                return status, "" if told_broken else "a chunked answer without its end"
            length = int(size, 16)
            if length == 0:
                return status, "" if rest == b"\r\n" else "something follows the answer"
            told_broken, rest = b"event: error\n" in rest[:length], rest[length + 2 :]
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
    if len(rest) != length:
        return status, f"{len(rest)} bytes instead of {length}"
    return status, "" if rest[:1] == b"{" else "not JSON"


def request(dice: random.Random, stream: bool, *headers: str, path: str = "/v1/messages", size: int = 0) -> bytes:
    model = f"claude-{dice.choice(['opus', 'haiku'])}-{dice.randint(1, 500)}"
    said = [{"role": "user", "content": "x" * size}]
    body = {"model": model, "max_tokens": 9, "stream": stream, "messages": said}
    content = json.dumps(body, separators=(",", ":")).encode()
    lines = [f"POST {path} HTTP/1.1", "host: localhost", "connection: close", f"content-length: {len(content)}"]
    session = f"x-claude-code-session-id: {dice.randint(1, 10**6)}"
    return "\r\n".join([*lines, "x-api-key: sk-ant-api03-soak", session, *headers]).encode() + b"\r\n\r\n" + content


class Clients:
    """Ask in all ways, well and badly."""

    def __init__(self, port: int, tally: Tally, dice: random.Random) -> None:
        self._port, self._tally, self._dice = port, tally, dice
        self._ways = [
            (60, self._asks),
            (6, self._leaves),
            (4, self._leaves_in_mid_answer),
            (1, self._stalls),
            (5, self._is_refused),
            (4, self._is_malformed),
            (3, self._drips),
        ]

    async def run(self, count: int) -> None:
        weights, ways = zip(*self._ways, strict=True)
        for _ in range(count):
            (way,) = self._dice.choices(ways, weights)
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await way()
            except TimeoutError:
                self._tally.wrong.append(f"{way.__name__}: nothing within {ANSWER_WITHIN:g} s")
            except OSError as error:
                self._tally.wrong.append(f"{way.__name__}: {type(error).__name__}: {error}")

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def _exchange(self, kind: str, data: bytes) -> None:
        reader, writer = await self._open()
        writer.write(data)
        self._tally.note(kind, await reader.read())
        writer.close()

    async def _asks(self) -> None:
        stream = self._dice.random() < 0.6
        size = self._dice.choice([1, 100, 20_000])
        await self._exchange("asks", request(self._dice, stream, size=size))

    async def _is_refused(self) -> None:
        data = self._dice.choice(
            [
                request(self._dice, True, path="/nowhere"),
                request(self._dice, True, "origin: https://evil.example"),
                request(self._dice, True, size=1_100_000),
                request(self._dice, True).replace(b"host: localhost", b"host: evil.example"),
                request(self._dice, True).replace(b'"model"', b'"modal"'),
            ]
        )
        await self._exchange("is refused", data)

    async def _is_malformed(self) -> None:
        whole = request(self._dice, True)
        data = self._dice.choice(
            [
                whole.replace(b"content-length: ", b"content-length: x"),
                whole.replace(b"host:", b"content-length: 5\r\nhost:"),
                whole.replace(b"host: localhost", b"no colon"),
                whole.replace(b"HTTP/1.1", b"HTTP/3"),
                whole.replace(b"\r\n\r\n", b"\r\n" + b"x: y\r\n" * 1000 + b"\r\n"),
                b"\r\n" * 100,
            ]
        )
        await self._exchange("is malformed", data)

    async def _drips(self) -> None:
        reader, writer = await self._open()
        data = request(self._dice, True)
        while data:
            size = self._dice.randint(1, 200)
            writer.write(data[:size])
            data = data[size:]
            await writer.drain()
            await asyncio.sleep(0)
        self._tally.note("drips", await reader.read())
        writer.close()

    async def _leaves(self) -> None:
        _, writer = await self._open()
        data = request(self._dice, True, size=5000)
        writer.write(data[: self._dice.randint(0, len(data))])
        await writer.drain()
        await asyncio.sleep(self._dice.random() * 0.05)
        writer.transport.abort() if self._dice.random() < 0.5 else writer.close()
        self._tally.counts["leaves"] += 1

    async def _leaves_in_mid_answer(self) -> None:
        reader, writer = await self._open()
        writer.write(request(self._dice, True))
        await reader.read(self._dice.randint(1, 600))
        writer.transport.abort()
        self._tally.counts["leaves in mid-answer"] += 1

    async def _stalls(self) -> None:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self._port))
        await asyncio.get_running_loop().sock_sendall(plain, request(self._dice, True))
        await asyncio.sleep(self._dice.random() * 3)
        plain.close()
        self._tally.counts["stalls"] += 1


class Proxy:
    """The mitmdump under test."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        config, remote = folder / "mitm.conf", free_port()
        config.write_text(CONFIG + "".join(TABLE.format(number=number, port=port) for number, port in enumerate(ports)))
        self.port = free_port()
        command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "-s", str(SCRIPT), "-s"]
        command += [str(ROOT / "addon" / "route.py"), "--mode", f"reverse:http://127.0.0.1:9@127.0.0.1:{self.port}"]
        command += ["--set", f"confdir={folder}", "--set", f"turnout_config={config}"]
        homes = {name: str(folder) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
        self.child = Child("mitmdump", command, self.port, REMOTE_PORT=str(remote), **homes)
        self.child.wait_until_it_listens()
        self.remote = Remote(remote)

    def state(self) -> dict[str, int]:
        """What is alive and held."""
        return {**self.remote.alive(), "sockets": len(os.listdir(f"/proc/{self.child.process.pid}/fd"))}

    async def slots(self) -> dict[str, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        health = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        taken = {name: provider["slots"]["in_use"] for name, provider in health["providers"].items()}
        return {**taken, "open": health["exchanges"]["open"]}


async def soak(arguments: argparse.Namespace, folder: Path) -> int:
    providers = [FaultyProvider(arguments.seed + number) for number in range(3)]
    for provider in providers:
        await provider.start()
    proxy = await asyncio.to_thread(Proxy, folder, [provider.port for provider in providers])
    try:
        tally, dice = Tally(), random.Random(arguments.seed)
        await ask(proxy, Tally(), dice, 300, arguments.clients)  # what is made once, and kept, is there afterwards
        await asyncio.sleep(6)
        before, memory, begun = await asyncio.to_thread(proxy.state), proxy.child.resident(), time.monotonic()
        try:
            async with asyncio.timeout(arguments.seconds):
                await ask(proxy, tally, dice, arguments.requests, arguments.clients)
        except TimeoutError:
            print(f"stopped after {arguments.seconds} s")
        seconds = time.monotonic() - begun
        left = await settled(proxy, before)
        return told(tally, seconds, left, proxy.child.resident() - memory, before, await asyncio.to_thread(proxy.state))
    finally:
        proxy.remote.close()
        proxy.child.stop()


async def ask(proxy: Proxy, tally: Tally, dice: random.Random, count: int, clients: int) -> None:
    each = [Clients(proxy.port, tally, random.Random(dice.random())) for _ in range(clients)]
    await asyncio.gather(*(client.run(count // clients) for client in each))


async def settled(proxy: Proxy, before: dict[str, int]) -> dict[str, int]:
    """What is still held when everything had time to end; empty if nothing is."""
    end = time.monotonic() + SETTLES_WITHIN
    while True:
        slots, now = await proxy.slots(), await asyncio.to_thread(proxy.state)
        held = {name: count for name, count in slots.items() if count}
        held |= {name: now[name] - count for name, count in before.items() if now[name] > count + 3}
        if not held or time.monotonic() > end:
            return held
        await asyncio.sleep(1)


def told(
    tally: Tally, seconds: float, left: dict[str, int], growth: float, before: dict[str, int], after: dict[str, int]
) -> int:
    for what, count in sorted(tally.counts.items()):
        print(f"{count:7} {what}")
    print(f"{sum(tally.counts.values()):7} requests in {seconds:.0f} s; memory {growth / 2**20:+.0f} MB")
    print(f"before {before}\nafter  {after}")
    for line in tally.wrong[:20]:
        print(f"WRONG {line}")
    if left:
        print(f"LEFT OVER {left}")
    if growth > MOST_GROWTH:
        print(f"MEMORY grew by more than {MOST_GROWTH // 2**20} MB")
    return 1 if tally.wrong or left or growth > MOST_GROWTH else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    folder = Path(tempfile.mkdtemp(prefix="turnout-soak-"))
    try:
        return asyncio.run(soak(parser.parse_args(), folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
