"""Does mitmweb stay within bounds? `python -m tests.bench.memory [--flows N] [--keep WHAT] [--size BYTES]`

Sends requests through mitmweb with Turnout and tells its resident memory as it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench.load import burst
from tests.bench.messages import request, request_body
from tests.bench.processes import ROOT, Child, start_mitmdump, start_upstream
from turnout.testing.proxy import free_port

STEPS = 10


def start_mitmweb(folder: Path, upstream: int, keep: str) -> Child:
    config = folder / "mitm.conf"
    config.write_text(f'[providers.anthropic]\nbase_url = "http://127.0.0.1:{upstream}"\n')
    options = (f"turnout_config={config}", f"turnout_keep={keep}", "web_open_browser=false", f"web_port={free_port()}")
    return start_mitmdump("mitmweb", folder, ROOT / "addon/route.py", "http://127.0.0.1:9", *options, tool="mitmweb")


async def measure(web: Child, flows: int, size: int) -> None:
    body = request(request_body(size, "claude-opus-4-6"), "short")
    print(f"{'flows':>8}  {'resident':>9}  requests/s", flush=True)
    for step in range(1, STEPS + 1):
        begun = time.perf_counter()
        await burst(web.port, body, flows // STEPS, 4, web.processor_seconds)
        rate = flows / STEPS / (time.perf_counter() - begun)
        print(f"{flows * step // STEPS:>8}  {web.resident() / 1e6:>6.0f} MB  {rate:.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=10_000)
    parser.add_argument("--keep", default="1000,512MB")
    parser.add_argument("--size", type=int, default=86_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        upstream, port, _ = start_upstream()
        web = start_mitmweb(Path(directory), port, chosen.keep)
        try:
            web.wait_until_it_listens()
            asyncio.run(measure(web, chosen.flows, chosen.size))
        finally:
            web.stop()
            upstream.stop()


if __name__ == "__main__":
    main()
