"""Canary secrets in every place an exchange has one; none may be found in anything that is shown, saved or exported."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.addons import export
from mitmproxy.addons.savehar import SaveHar

from tests.proxy.support import BODY, QUICK, provider_table, route, text_of
from turnout.recordings.scrub.files import scrub
from turnout.testing import replies
from turnout.testing.events import stream_of
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.strict import Credential

CANARIES = {
    "client key": "sk-ant-api03-Canary01ClientKey00000",
    "cookie": "Canary02Cookie0123456789",
    "turnout key": "Canary03-turnout-key-of-the-client",
    "odd header": "sk-proj-Canary04OddHeader0123456789",
    "query": "Canary05Query",
    "prompt": "sk-ant-oat01-Canary06Prompt0123456789",
    "tool input": "ghp_Canary07ToolInput0123456789abcdefghi",
    "first key": "key-of-first-Canary08-0123456789",
    "second key": "sk-ant-api03-Canary09SecondKey0000",
    "error text": "sk-ant-api03-Canary10ErrorText0000",
    "answer": "sk-ant-api03-Canary11Answer00000000",
    "answer header": "sk-ant-api03-Canary12AnswerHeader0",
}
"""What each is hidden in. All share a word, for which everything is searched."""

CONVERSATION = [
    {"role": "user", "content": f"What is {CANARIES['prompt']}?"},
    {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": f"gh {CANARIES['tool input']}"}}
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": CANARIES["prompt"]}]},
]

HEADERS = {
    "authorization": f"Bearer {CANARIES['turnout key']}",
    "x-api-key": CANARIES["client key"],
    "cookie": f"session={CANARIES['cookie']}",
    "x-turnout-key": CANARIES["turnout key"],
    "x-debug": f"with {CANARIES['odd header']}",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}


def refusal() -> replies.Reply:
    """An error that quotes the key and comes with a cookie and another secret."""
    message = f"the key {CANARIES['error text']} ({CANARIES['first key']}) is at its limit"
    headers = {"set-cookie": f"id={CANARIES['cookie']}", "x-trace": CANARIES["answer header"], "retry-after": "3600"}
    return replies.error(429, "rate_limit_error", message, headers)


def answer() -> replies.Reply:
    text = f"It is {CANARIES['answer']}, and {CANARIES['prompt']}."
    return replies.sse(stream_of(text, n_chunks=7), headers={"x-trace": CANARIES["answer header"]})


def shown(flows: list[Any]) -> Iterator[tuple[str, str]]:
    """What people and programs get of flows: name and content."""
    har = SaveHar()
    for number, flow in enumerate(flows):
        yield f"flow {number}", repr(flow.get_state())
        formats = {"curl": export.curl_command, "httpie": export.httpie_command, "raw request": export.raw_request}
        for name, made_by in formats.items():
            yield f"{name} {number}", str(made_by(flow))
        if flow.response is not None:
            yield f"raw response {number}", str(export.raw_response(flow))
    yield "HAR", json.dumps(har.make_har(flows))


@pytest.mark.parametrize("stream", [True, False])
async def test_no_canary_is_found_anywhere(
    proxy: StartProxy,
    provider: StartProvider,
    client: httpx.AsyncClient,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    stream: bool,
) -> None:
    first = provider(refusal(), accepts=Credential("bearer", CANARIES["first key"]))
    second = provider(answer(), accepts=Credential("bearer", CANARIES["second key"]))
    config = f'[access]\nkeys = ["{CANARIES["turnout key"]}"]\n' + QUICK
    config += provider_table("first", first, key=CANARIES["first key"])
    config += provider_table("second", second, key=CANARIES["second key"]) + route("first", "second")
    caplog.set_level(logging.DEBUG)
    files = {"turnout_record": tmp_path / "recorded.mitm", "save_stream_file": tmp_path / "saved.mitm"}
    running = await proxy(config, options={name: str(file) for name, file in files.items()})
    body = {**BODY, "stream": stream, "messages": CONVERSATION}
    url = f"{running.url}/v1/messages?beta=true&api_key={CANARIES['query']}"
    reply = await client.post(url, json=body, headers=HEADERS)
    text = text_of(reply) if stream else reply.json()["content"][0]["text"]
    assert CANARIES["answer"] in text and CANARIES["prompt"] in text, "the client gets what the model said"
    assert CANARIES["prompt"] in second.messages[0].body.decode(), "and the model what the client said"
    health = await client.get(f"{running.url}/health", headers=HEADERS)
    refused = await client.post(f"{running.url}/v1/{CANARIES['client key']}", headers=HEADERS)
    assert (health.status_code, refused.status_code) == (200, 404)
    flows = await running.finished(4)
    assert [flow.metadata.get("turnout.part") for flow in flows] == ["attempt", "exchange", None, None]

    running.master.options.update(save_stream_file=None)
    await running.stop_recording()
    found = dict(shown(flows))
    found |= {name: repr(file.read_bytes()) for name, file in files.items()}
    found["scrubbed"] = repr(scrub(files["turnout_record"].read_bytes()))
    log = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]  # the client's own
    found |= {"log": "\n".join(log), "health": health.text}
    assert {name: _around(content) for name, content in found.items() if "Canary" in content} == {}


def _around(text: str) -> str:
    at = text.index("Canary")
    return text[max(0, at - 120) : at + 60]
