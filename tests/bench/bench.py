"""What Turnout costs, beside a bare mitmdump that buffers the request and streams the answer, in one run.

    python -m tests.bench.bench            # about forty seconds
    python -m tests.bench.bench --quick    # about fifteen seconds, for a first look

Run it from the root of a checkout with the Python whose mitmproxy is to be measured (Linux only). Both proxies stand in
front of the same upstream on loopback, all rounds alternate between them, and medians of rounds are shown, so that the
numbers hold on a machine that has other things to do. Processor time says more than the clock there. Both are quiet
(`-q`): otherwise what they write would be compared too. Nothing fails: targets that are missed are named in the last
lines.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tests.bench import messages, rewriting
from tests.bench.load import Client, burst, paced
from tests.bench.processes import ROOT, Child, start_mitmdump, start_upstream

SIZES = {"1 KB": 1_000, "86 KB": 86_000, "1.5 MB": 1_500_000}
RATIO_TARGETS = {"1 KB": 1.15, "86 KB": 1.15, "1.5 MB": 1.10}
FAILOVER_TARGET = 0.003
"""Seconds that a refusing first provider may add to the time to the first event."""

# A cooldown would take the first provider out of the plan, and a retry would go to it again: both are made short.
CONFIG = """
[retry]
max_elapsed = "0s"
[providers.loopback]
base_url = "http://127.0.0.1:{second}"
credentials = ["client"]
client_key_prefix = "sk-ant-"
first_party = true
[providers.busy]
base_url = "http://127.0.0.1:{first}/busy"
credentials = ["client"]
client_key_prefix = "sk-ant-"
rewrite.profile = "none"
cooldown = "1ms"
[providers.closing]
base_url = "http://127.0.0.1:{first}/closing"
credentials = ["client"]
client_key_prefix = "sk-ant-"
rewrite.profile = "none"
cooldown = "1ms"
[[routes]]
model = "*"
to = ["loopback"]
[models.after-429]
to = ["busy", "loopback"]
[models.after-close]
to = ["closing", "loopback"]
"""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    requests: dict[str, int]
    """For each size, in one round."""
    failovers: int
    rewrites: int
    """Rounds of the rows on rewriting."""
    streams: int
    rate: float
    """Events a second in each paced stream."""
    seconds: float
    """Length of a paced stream."""


FULL = Effort(7, {"1 KB": 200, "86 KB": 120, "1.5 MB": 40}, failovers=150, rewrites=40, streams=64, rate=50, seconds=4)
QUICK = Effort(3, {"1 KB": 80, "86 KB": 60, "1.5 MB": 16}, failovers=40, rewrites=8, streams=64, rate=20, seconds=1.5)


@dataclass
class Series:
    """One proxy under one load, over all rounds."""

    cost: list[float] = field(default_factory=list)
    """Processor seconds for each request, one number for each round."""
    rate: list[float] = field(default_factory=list)
    """Requests a second, one number for each round."""
    first_events: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    what: str
    value: float
    limit: float
    unit: str

    def __str__(self) -> str:
        word = "met   " if self.value <= self.limit else "MISSED"
        return f"{word} {self.what}: {self.value:.3f}{self.unit} (at most {self.limit:g}{self.unit})"


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    upstream: Child
    bare: Child
    turnout: Child

    @property
    def proxies(self) -> tuple[Child, Child]:
        return self.bare, self.turnout


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    config = folder / "mitm.conf"
    with ExitStack() as running:
        upstream, first, second = start_upstream()
        running.callback(upstream.stop)
        config.write_text(CONFIG.format(first=first, second=second), encoding="utf-8")
        bare = start_mitmdump("bare", folder, ROOT / "tests/bench/bare.py", f"http://127.0.0.1:{second}")
        running.callback(bare.stop)
        bare.wait_until_it_listens()  # has made the certificate authority, which both share
        # Nothing listens on port 9: a request that Turnout did not route would fail.
        nowhere = "http://127.0.0.1:9"
        turnout = start_mitmdump("turnout", folder, ROOT / "addon/route.py", nowhere, f"turnout_config={config}")
        running.callback(turnout.stop)
        turnout.wait_until_it_listens()
        yield Stage(upstream, bare, turnout)


def measure_idle(proxies: Sequence[Child], seconds: float) -> None:
    before = [child.processor_seconds() for child in proxies]
    time.sleep(seconds)
    for child, spent in zip(proxies, before, strict=True):
        child.idle = (child.processor_seconds() - spent) / seconds


def compare(proxies: Sequence[Child], request: bytes, count: int, connections: int, rounds: int) -> list[Series]:
    """The same load on every proxy by turns, in changing order. The first round warms up and does not count."""
    found = [Series() for _ in proxies]
    for number in range(rounds + 1):
        turns = list(zip(proxies, found, strict=True))
        for child, series in turns if number % 2 else reversed(turns):
            seen = asyncio.run(burst(child.port, request, count, connections, child.processor_seconds))
            if number:
                series.cost.append((seen.cost - child.idle * seen.seconds) / count)
                series.rate.append(count / seen.seconds)
                series.first_events += seen.first_events
    return found


def ratio(bare: Series, turnout: Series) -> float:
    """Turnout's processor time for a request as a multiple: the median of the rounds, each compared within itself."""
    return statistics.median(mine / theirs for mine, theirs in zip(turnout.cost, bare.cost, strict=True))


def report_requests(on: Stage, effort: Effort) -> list[Target]:
    """Small answers after requests of every size, one at a time and eight at a time."""
    print(" request conns    proxy  TTFT p50      p95  req/s  CPU/request  ratio")
    targets: list[Target] = []
    for size, length in SIZES.items():
        request = messages.request(messages.request_body(length, "claude-bench"), "short")
        for connections in (1, 8):
            both = compare(on.proxies, request, effort.requests[size], connections, effort.rounds)
            for child, series in zip(on.proxies, both, strict=True):
                shown = f"{ratio(*both):6.3f}" if child is on.turnout else ""
                print(
                    f"{size:>8} {connections:5} {child.name:>8} {milliseconds(percentile(series.first_events, 50)):>9}"
                    f" {milliseconds(percentile(series.first_events, 95)):>8} {statistics.median(series.rate):6.0f}"
                    f" {milliseconds(statistics.median(series.cost)):>12} {shown}"
                )
            targets.append(Target(f"CPU per request, {size}, c={connections}", ratio(*both), RATIO_TARGETS[size], " x"))
    return targets


def report_events(on: Stage, effort: Effort) -> None:
    """What one more event costs in an answer that arrives all at once."""
    body = messages.request_body(SIZES["1 KB"], "claude-bench")
    count = effort.requests["1.5 MB"]
    short = compare(on.proxies, messages.request(body, "short"), count, 1, effort.rounds)
    long = compare(on.proxies, messages.request(body, "long"), count, 1, effort.rounds)
    for child, few, many in zip(on.proxies, short, long, strict=True):
        more = statistics.median(many.cost) - statistics.median(few.cost)
        print(f"CPU per event, {child.name}: {more / (messages.LONG - messages.SHORT) * 1e6:.1f} us (arriving at once)")


def report_paced(on: Stage, effort: Effort) -> None:
    """Many streams at the pace of real ones: every event is read and sent by itself."""
    answer = f"paced {effort.rate} {effort.seconds}"
    request = messages.request(messages.request_body(SIZES["1 KB"], "claude-bench"), answer)
    expected = effort.streams * int(effort.rate * effort.seconds)
    for child in on.proxies:
        before, begun = child.processor_seconds(), time.monotonic()
        delays = asyncio.run(paced(child.port, request, effort.streams))
        seconds = time.monotonic() - begun
        spent = child.processor_seconds() - before - child.idle * seconds
        print(
            f"{effort.streams} streams of {effort.rate:g} events/s, {child.name}: {spent / seconds:.0%} of a core,"
            f" {spent / expected * 1e6:.0f} us per event, delay p50 {milliseconds(percentile(delays, 50))}"
            f" p95 {milliseconds(percentile(delays, 95))}, {len(delays)} of {expected} events"
        )


def report_failover(on: Stage, effort: Effort) -> list[Target]:
    """Time to the first event with a first provider that fails, against none, request by request.

    The requests carry no session id: affinity would keep a session at the provider that served it.
    """
    models = ("claude-bench", "after-429", "after-close")
    requests = [messages.request(messages.request_body(SIZES["1 KB"], model), "short") for model in models]
    before = asyncio.run(failures(on.upstream))
    times = asyncio.run(in_turn(on.turnout, requests, effort.failovers))
    failed = asyncio.run(failures(on.upstream)) - before
    expected = (len(models) - 1) * (effort.failovers + 1)
    print(f"TTFT without failover: p50 {milliseconds(percentile([direct for direct, *_ in times], 50))}")
    targets: list[Target] = []
    for index, model in enumerate(models[1:], start=1):
        added = [row[index] - row[0] for row in times]
        print(
            f"{model} adds to it: p50 {milliseconds(percentile(added, 50))} p95 {milliseconds(percentile(added, 95))}"
        )
        targets.append(Target(f"TTFT added {model}", percentile(added, 50) * 1e3, FAILOVER_TARGET * 1e3, " ms"))
    if failed != expected:
        print(f"these two lines do not hold: {failed} attempts failed instead of {expected}")
    return targets


def report_rewriting(folder: Path, effort: Effort) -> list[Target]:
    """What the body costs on the way to a provider; nothing of it waits, so the whole event loop does."""
    print(f"    body {rewriting.COLUMNS}")
    targets: list[Target] = []
    for size in ("86 KB", "1.5 MB"):
        for row in rewriting.measure(SIZES[size], folder, effort.rewrites):
            print(f"{size:>8} {row}")
            if row.road == rewriting.SHALLOW:
                targets.append(Target(f"shallow rewriting, {size}", row.ratio, rewriting.SHALLOW_TARGET, " x"))
    return targets


async def in_turn(child: Child, requests: Sequence[bytes], count: int) -> list[list[float]]:
    client = await Client.connect(child.port)
    for request in requests:
        await client.exchange(request)
    times = [[await client.exchange(request) for request in requests] for _ in range(count)]
    client.close()
    return times


async def failures(upstream: Child) -> int:
    """How many requests the upstream has failed on purpose so far."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(b"GET /failures HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    count = int(await reader.readexactly(length))
    writer.close()
    return count


def first_request() -> bytes:
    return messages.request(messages.request_body(SIZES["1 KB"], "claude-bench"), "short")


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure Turnout beside a bare mitmdump.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: fifteen seconds, more noise")
    effort = QUICK if parser.parse_args().quick else FULL
    print(f"Python {platform.python_version()}, mitmproxy {version('mitmproxy')}, {effort.rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder, stage(Path(folder)) as on:
        for child in on.proxies:  # both have done what they put off until the first requests before they are timed
            asyncio.run(burst(child.port, first_request(), 10, 8, child.processor_seconds))
        measure_idle(on.proxies, 2.0)
        targets = report_requests(on, effort)
        print()
        report_events(on, effort)
        report_paced(on, effort)
        print()
        targets += report_failover(on, effort)
        print()
        for child in on.proxies:
            print(f"{child.name}: {child.resident() / 1e6:.0f} MB resident, {child.idle:.1%} of a core when idle")
        print()
        targets += report_rewriting(Path(folder), effort)
    print()
    for target in targets:
        print(target)


if __name__ == "__main__":
    main()
