"""What the replay tests share: the committed recordings, and one sent through Turnout again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mitmproxy.http import HTTPFlow

from tests import ROOT
from tests.replay.playing import Playback, answers
from tests.replay.sessions import Session, chain
from tests.replay.stage import CLIENT_KEY, key_of, keys, located, prefixes
from tests.replay.story import Retold
from turnout.recordings.reading import RecordedExchange
from turnout.recordings.replay.answers import substance_of
from turnout.recordings.replay.comparing import substance
from turnout.recordings.replay.sending import Destination, Sender
from turnout.testing.chat import ChatVendor
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.proxy import RunningProxy
from turnout.testing.recording import Recording, read_flows

RECORDINGS = ROOT / "recordings"
CLIENT = RECORDINGS / "claude-code-client.mitm"
CHAIN = RECORDINGS / "failover-chain.mitm"
PLAIN = RECORDINGS / "fresh-prompt.mitm"

LENIENT = ChatVendor("any", fields=None, message_fields=None, text_arrays=True, empty_results=True)
"""What a vendor has signed does not outlive the scrubbing, and so nothing is verified when a recording is replayed."""

KEYS = keys(chain("first", "second"))


def config(urls: Mapping[str, str]) -> str:
    """Settings that send every request to the providers called `first` and `second`, at these URLs, in this order."""
    text = chain(*urls)
    for name, url in urls.items():
        text = text.replace(f"http://{name}.invalid", url)
    return text


def posts(file: Path) -> list[Any]:
    """The flows with a request to /v1/messages, in order."""
    return [flow for flow in read_flows(file) if flow.request.path.startswith("/v1/messages")]


def sha256(message: Any) -> str:
    return hashlib.sha256(message.raw_content or b"").hexdigest()


def providers_of(session: Session, playback: Playback, provider: StartProvider) -> dict[str, int]:
    """Start the providers of a session, each with its own answers and its own key; their ports by name."""
    ports = {}
    for name, prefix in prefixes(session.config).items():
        forbidden = [CLIENT_KEY, "***", *(key for key in keys(session.config).values() if key != key_of(name))]
        script = partial(playback.reply, name)
        told = {"accepts": key_of(name), "strict": "nothing", "forbid": forbidden, "prefix": prefix}
        ports[name] = provider(script, **told, vendor=LENIENT if name in session.chat else None).port
    return ports


def exchanges_of(recording: Recording) -> list[tuple[RecordedExchange, HTTPFlow]]:
    """What a client can send again, each with its own flow in the file."""
    flows = [flow for flow in recording.flows if flow.metadata.get("turnout.part") != "attempt"]
    pairs = zip(recording.exchanges, flows, strict=True)
    return [(exchange, flow) for exchange, flow in pairs if not exchange.unsendable]


async def replayed(
    recording: Recording, session: Session, proxy: StartProxy, provider: StartProvider
) -> tuple[list[Retold], Playback]:
    """Send what the client sent through a Turnout whose providers answer as they did, one request after the other."""
    playback = Playback()
    running = await proxy(located(session.config, providers_of(session, playback, provider)))
    told: list[Retold] = []
    async with Sender(Destination(running.url)) as sender:
        for exchange, flow in exchanges_of(recording):
            playback.expect(answers(exchange, flow))
            asked, before = len(playback.asked), len(running.flows)
            received = await sender.send(exchange.request)
            assert received.status is not None, received.problem
            told.append(
                Retold(
                    exchange,
                    playback.asked[asked:],
                    [*exchange.attempts, flow],
                    await _finished(running, before),
                    None if exchange.answer is None else substance_of(exchange.answer),
                    substance(received.status, received.content_type, received.body),
                )
            )
    return told, playback


async def _finished(running: RunningProxy, before: int) -> list[Any]:
    """The flows of the exchange under way: failed attempts are shown before it is over itself."""
    count = before
    while True:
        count += 1
        flows = (await running.finished(count))[before:]
        if flows[-1].metadata.get("turnout.part") != "attempt":
            return flows
