"""What is kept of an exchange with a provider of Chat Completions: looked at, sent again, compared (D2)."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.proxy.support import QUICK, ask, route
from tests.proxy.test_chat import TOOLS, playing, table
from turnout.recordings.reading import recording_of
from turnout.recordings.replay.answers import substance_of
from turnout.recordings.replay.comparing import differences, substance
from turnout.testing.chat import Call, Failure, Text, Thought, Usage, answer, error
from turnout.testing.fixtures import StartProxy
from turnout.testing.replies import Reply

ANSWERS: dict[str, Reply] = {
    "text": answer(Text("Hel"), Text("lo."), usage=Usage(cached=5)),
    "thoughts and calls": answer(
        Thought("Both."), Text("I read."), Call("Read", {"path": "a"}), Call("Read", {"path": "b"}), Call("Bash", {})
    ),
    "too long": answer(Text("Hel"), finish="length"),
    "an error in it": answer(Text("Hel"), Failure("gone")),
    "cut": answer(Text("Hel"), Text("lo"), Text("!"), cut=3),
    "an error": error(400, "No."),
    "no key": error(401, "Incorrect API key", code="invalid_api_key"),
}


CASES = [(preset, "thoughts and calls", True) for preset in ("gemini", "openrouter-openai", "mistral")]
CASES += [("own", case, stream) for case in ANSWERS for stream in (True, False)]


@pytest.mark.parametrize(("preset", "case", "stream"), CASES)
async def test_what_is_kept_is_what_the_client_got(
    proxy: StartProxy, client: httpx.AsyncClient, preset: str, case: str, stream: bool
) -> None:
    """`turnout replay --compare` finds no difference between the chunks of a provider and what became of them."""
    async with playing(preset, ANSWERS[case]) as upstream:
        running = await proxy(QUICK + table(preset, upstream) + route(f"{preset}/m"))
        body = {"stream": stream, "tools": TOOLS, "thinking": {"type": "adaptive"}, "max_tokens": 9000}
        told = await ask(client, running.url, body)
        (exchange,) = recording_of(running.flows).exchanges
    assert exchange.answer is not None and json.loads(exchange.request.body or b"")["thinking"] == body["thinking"]
    streamed = told.headers["content-type"].startswith("text/event-stream")
    assert (b"choices" in (exchange.answer.body or b"")) == streamed
    now = substance(told.status_code, told.headers["content-type"], told.content)
    assert differences(substance_of(exchange.answer), now) == ()
