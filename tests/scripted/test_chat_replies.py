"""What a scripted chat server answers: OpenAI's own types take it, and its SDK reads stream and whole alike."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests import NO_TLS
from tests.scripted.chat_bodies import call, calling, result, user
from turnout.testing import replies
from turnout.testing.chat import (
    CHAT_VENDORS,
    Call,
    Comment,
    Failure,
    Style,
    Text,
    Thought,
    Usage,
    answer,
    context_length_exceeded,
    error,
)
from turnout.testing.chat.given_back import check_given_back
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import Reply

KEY = "sk-fake-key-of-the-vendor"
READ_A = Call("Read", {"file_path": "/a"})
READ_B = Call("Read", {"file_path": "/b"})
PARTS = (Thought("Two files, it seems."), Text("I read both."), READ_A, READ_B)
USAGE = Usage(prompt=100, completion=20, cached=60, reasoning=5)
ASK = [user("a")]
VALID = sorted(CHAT_VENDORS)

STYLES = {
    "default": Style(),
    "think": Style(reasoning="think"),
    "name later": Style(name_later=True),
    "interleaved": Style(interleaved=True),
    "interleaved, name later": Style(interleaved=True, name_later=True),
    "whole": Style(arguments="whole"),
    "counted": Style(ids="counted"),
}


async def post(reply: Reply | None, name: str = "plain", **body: Any) -> httpx.Response:
    async with (
        ScriptedProvider(reply, vendor=CHAT_VENDORS[name], accepts=KEY) as provider,
        httpx.AsyncClient(verify=NO_TLS) as client,
    ):
        given = {"model": "some-model", "messages": ASK, **body}
        headers = {"authorization": f"Bearer {KEY}"}
        response = await client.post(f"{provider.url}/chat/completions", json=given, headers=headers)
    assert provider.problems == [] and provider.violations == []
    return response


def data_of(stream: str) -> list[Any]:
    """The JSON of every frame but `[DONE]`."""
    found = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(each) for each in found if each != "[DONE]"]


def deltas(stream: str) -> list[Any]:
    return [choice["delta"] for chunk in data_of(stream) for choice in chunk["choices"]]


def called(stream: str) -> list[Any]:
    """The pieces of calls, in the order in which they came."""
    return [piece for delta in deltas(stream) for piece in delta.get("tool_calls", ())]


@pytest.mark.parametrize("name", VALID)
async def test_openais_types_take_the_answers_of_every_vendor(name: str) -> None:
    whole = await post(answer(*PARTS, usage=USAGE), name)
    completion = ChatCompletion.model_validate(whole.json(), strict=True)
    message = completion.choices[0].message
    assert [item.function.name for item in message.tool_calls or ()] == ["Read", "Read"]  # type: ignore[union-attr]
    assert completion.usage and completion.usage.prompt_tokens_details
    assert completion.usage.prompt_tokens_details.cached_tokens == 60
    stream = await post(answer(*PARTS, usage=USAGE), name, stream=True)
    assert stream.headers["content-type"].startswith("text/event-stream")
    chunks = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in data_of(stream.text)]
    finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert finishes == ["stop" if name == "lmstudio" else "tool_calls"] == [completion.choices[0].finish_reason]
    assert stream.text.endswith("data: [DONE]\n\n")


def client_of(provider: ScriptedProvider) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=KEY, base_url=provider.url, max_retries=0)


@pytest.mark.parametrize("style", STYLES)
async def test_the_sdk_reads_the_same_message_from_a_stream(style: str) -> None:
    reply = answer(*PARTS, usage=USAGE, style=STYLES[style])
    given: Any = {"model": "some-model", "messages": ASK}
    async with (
        ScriptedProvider(reply, vendor=CHAT_VENDORS["plain"], accepts=KEY) as provider,
        client_of(provider) as client,
    ):
        whole = await client.chat.completions.create(**given)
        async with client.chat.completions.stream(**given, stream_options={"include_usage": True}) as stream:
            streamed = await stream.get_final_completion()
    assert provider.problems == [] and provider.violations == []
    expected, found = whole.to_dict(), streamed.to_dict()
    assert without_parsed(found["choices"]) == without_parsed(expected["choices"])
    assert found["usage"] == expected["usage"]
    message = whole.choices[0].message.to_dict()
    thinks = style == "think"
    assert message["content"] == ("<think>\nTwo files, it seems.\n</think>\n\n" if thinks else "") + "I read both."
    assert message.get("reasoning_content") == (None if thinks else "Two files, it seems.")
    assert [json.loads(item["function"]["arguments"]) for item in message["tool_calls"]] == [
        {"file_path": "/a"},
        {"file_path": "/b"},
    ]


def without_parsed(value: Any) -> Any:
    """Without what the SDK adds of its own: parsed arguments, places, and fields that are null."""
    if isinstance(value, list):
        return [without_parsed(each) for each in value]
    if not isinstance(value, dict):
        return value
    own = {"parsed", "parsed_arguments"} | ({"index"} if "function" in value else set())
    return {key: without_parsed(each) for key, each in value.items() if key not in own and each is not None}


@pytest.mark.parametrize(
    ("style", "pieces"),
    [
        (Style(), ["0+Read", "0", "0", "0", "1+Read", "1", "1", "1"]),
        (Style(interleaved=True), ["0+Read", "1+Read", "0", "1", "0", "1", "0", "1"]),
        (Style(name_later=True), ["0+", "0Read", "0", "0", "0", "1+", "1Read", "1", "1", "1"]),
        (Style(repeats=True), ["0+Read"] * 4 + ["1+Read"] * 4),
        (Style(arguments="whole"), ["0+Read", "1+Read"]),
        (Style(arguments="whole", indexed=False), ["-+Read", "-+Read"]),
    ],
)
async def test_calls_come_in_pieces(style: Style, pieces: list[str]) -> None:
    """By index, `+` where an id comes along, and the name."""
    stream = await post(answer(READ_A, READ_B, style=style), stream=True)
    found = called(stream.text)
    shown = [f"{each.get('index', '-')}{'+' * ('id' in each)}{each['function'].get('name', '')}" for each in found]
    assert shown == pieces
    for index, call_ in enumerate((READ_A, READ_B)):
        mine = [each for each in found if each.get("index", index) == index]
        if style.indexed:
            assert "".join(each["function"].get("arguments", "") for each in mine) == call_.text


async def test_calls_of_different_lengths_take_turns() -> None:
    short = Call("List", {})
    stream = await post(answer(short, READ_A, style=Style(interleaved=True)), stream=True)
    told = ["", ""]
    for piece in called(stream.text):
        told[piece["index"]] += piece["function"].get("arguments", "")
    assert told == [short.text, READ_A.text]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("counted", ["call_0", "call_1"]),
        ("functions", ["functions.Read:1", "functions.Read:2"]),
        ("none", ["", ""]),
    ],
)
async def test_ids_as_vendors_write_them(ids: Any, expected: list[str]) -> None:
    told = [user("a"), calling(call("c1")), result("c1")]
    whole = await post(answer(READ_A, READ_B, style=Style(ids=ids)), messages=told)
    assert [item["id"] for item in whole.json()["choices"][0]["message"]["tool_calls"]] == expected


async def test_ids_differ_from_one_answer_to_the_next() -> None:
    later = [user("a"), calling(call("c1")), result("c1")]
    for ids in ("own", "nine", "long"):
        reply = answer(READ_A, READ_B, style=Style(ids=ids))
        found = [await post(reply, messages=messages) for messages in (ASK, later)]
        told = [item["id"] for each in found for item in each.json()["choices"][0]["message"]["tool_calls"]]
        assert len(set(told)) == 4 and {len(each) for each in told} == {{"own": 29, "nine": 9, "long": 46}[ids]}


@pytest.mark.parametrize(
    ("usage", "asked", "places"),
    [
        ("asked", False, []),
        ("asked", True, ["alone"]),
        ("always", False, ["alone"]),
        ("at finish", False, ["tool_calls"]),
        ("at finish", True, ["tool_calls"]),
    ],
)
async def test_a_stream_counts_when_it_is_asked_or_always(usage: Any, asked: bool, places: list[str]) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await post(answer(READ_A, style=Style(usage=usage)), stream=True, **options)
    chunks = data_of(stream.text)
    counted = [chunk for chunk in chunks if chunk.get("usage")]
    promised = usage == "asked" and asked
    assert all(("usage" in chunk) is promised for chunk in chunks[:-1] if chunk not in counted)
    assert [chunk["choices"][0]["finish_reason"] if chunk["choices"] else "alone" for chunk in counted] == places


async def test_details_come_in_pieces_and_go_back_whole() -> None:
    reply = answer(Thought("Two files."), Thought("hidden", encrypted=True), READ_A)
    stream = await post(reply, "openrouter", stream=True)
    assert stream.text.startswith(": OPENROUTER PROCESSING\n\n")
    pieces = [detail for delta in deltas(stream.text) for detail in delta.get("reasoning_details", ())]
    assert [detail["index"] for detail in pieces] == [0, 0, 0, 0, 1]
    assert [set(detail) & {"text", "signature", "data"} for detail in pieces] == [{"text"}] * 3 + [
        {"signature"},
        {"data"},
    ]
    whole = (await post(reply, "openrouter")).json()["choices"][0]["message"]
    assert "".join(detail.get("text", "") for detail in pieces) == whole["reasoning"] == "Two files."
    check_given_back(CHAT_VENDORS["openrouter"], {"messages": [*ASK, whole]})


@pytest.mark.parametrize("split", [True, False])
async def test_minimax_splits_thoughts_from_the_text_when_it_is_asked(split: bool) -> None:
    """And a member that tells of errors says 0 in every answer."""
    reply = answer(Thought("Two files."), Text("Both."))
    asked = {"reasoning_split": True} if split else {}
    stream = await post(reply, "minimax", stream=True, **asked)
    whole = (await post(reply, "minimax", **asked)).json()
    assert all(each["base_resp"]["status_code"] == 0 for each in (whole, *data_of(stream.text)))
    message = whole["choices"][0]["message"]
    said = deltas(stream.text)
    assert "".join(delta.get("content", "") for delta in said) == message["content"]
    assert message["content"] == ("" if split else "<think>\nTwo files.\n</think>\n\n") + "Both."
    pieces = [detail for delta in said for detail in delta.get("reasoning_details", ())]
    texts = [detail["text"] for detail in message.get("reasoning_details", ())]
    assert texts == (["Two files."] if split else [])
    assert "".join(piece["text"] for piece in pieces) == message.get("reasoning_content", "") == "".join(texts)


async def test_xai_keeps_its_thoughts_to_itself() -> None:
    reply = answer(Thought("Two files."), Text("Both."))
    for stream in (True, False):
        assert "Two files." not in (await post(reply, "xai", stream=stream)).text


async def test_geminis_signature_is_on_the_first_call_and_can_go_back() -> None:
    stream = await post(answer(READ_A, READ_B), "gemini", stream=True)
    assert ["extra_content" in piece for piece in called(stream.text)] == [True, False]
    whole = (await post(answer(READ_A, READ_B), "gemini", model="gemini-3-pro")).json()["choices"][0]["message"]
    vendor = CHAT_VENDORS["gemini"].for_model("gemini-3-pro")
    check_given_back(vendor, {"messages": [*ASK, whole]})


async def test_deepseek_counts_hits() -> None:
    usage = (await post(answer(usage=USAGE), "deepseek")).json()["usage"]
    assert (usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"]) == (60, 40)


async def test_comments_bytes_and_a_missing_end() -> None:
    parts = (Text("a"), Comment("still there"), b"data:{}\r\n\r\n", Text("b"))
    stream = await post(answer(*parts, style=Style(done=False)), stream=True)
    assert ": still there\n\ndata:{}\r\n\r\ndata: {" in stream.text
    assert "[DONE]" not in stream.text
    assert "".join(delta.get("content", "") for delta in deltas(stream.text)) == "ab"
    assert (await post(answer(*parts))).json()["choices"][0]["message"]["content"] == "ab"


@pytest.mark.parametrize("name", ["plain", "openrouter"])
async def test_an_error_ends_a_stream(name: str) -> None:
    reply = answer(Text("a"), Failure("Provider disconnected", 502), Text("b"))
    stream = await post(reply, name, stream=True)
    *_, last = data_of(stream.text)
    assert (last["error"]["message"], last["error"]["code"]) == ("Provider disconnected", 502)
    assert last.get("choices", [{}])[0].get("finish_reason") == ("error" if name == "openrouter" else None)
    assert "[DONE]" not in stream.text and '"b"' not in stream.text
    whole = await post(reply, name)
    assert (whole.status_code, whole.json()["error"]["message"]) == (502, "Provider disconnected")


async def test_the_sdk_raises_on_an_error_in_a_stream() -> None:
    reply = answer(Text("a"), Failure())
    given: Any = {"model": "gpt-4.1", "messages": ASK, "stream": True}
    async with (
        ScriptedProvider(reply, vendor=CHAT_VENDORS["openai"], accepts=KEY) as provider,
        client_of(provider) as client,
    ):
        with pytest.raises(openai.APIError, match="scripted"):
            async for _ in await client.chat.completions.create(**given):
                pass


async def test_an_answer_can_be_cut() -> None:
    cut = await post(answer(READ_A, cut=3), stream=True)
    assert len(data_of(cut.text)) == 3 and 'finish_reason":"' not in cut.text
    with pytest.raises(httpx.TransportError):
        await post(answer(READ_A, cut=3, ending="close"), stream=True)
    length = await post(answer(Call("Read", '{"file_p'), finish="length"))
    choice = length.json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["tool_calls"][0]["function"]["arguments"]) == (
        "length",
        '{"file_p',
    )


async def test_a_gate_holds_a_stream() -> None:
    gate = asyncio.Event()
    reply = answer(Text("a"), gate, Text("b"))
    given = {"model": "some-model", "messages": ASK, "stream": True}
    async with (
        ScriptedProvider(reply, vendor=CHAT_VENDORS["vllm"]) as provider,
        httpx.AsyncClient(verify=NO_TLS) as client,
        client.stream("POST", f"{provider.url}/chat/completions", json=given) as response,
    ):
        chunks = response.aiter_bytes()
        early = b""
        while b'"a"' not in early:
            early += await anext(chunks)
        assert not (await provider.arrived()).finished.is_set()
        gate.set()
        assert b'"b"' in b"".join([chunk async for chunk in chunks])


ENVELOPES: dict[str, Any] = {
    "openai": {"error": {"message": "slow down", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}},
    "gemini": [{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}],
    "deepseek": {
        "error": {"message": "slow down", "type": "tokens", "param": None, "code": "invalid_request_error"},
    },
    "moonshot": {"error": {"message": "slow down", "type": "tokens"}},
    "minimax": {"base_resp": {"status_code": 1002, "status_msg": "slow down"}},
    "qwen": {
        "error": {"message": "slow down", "type": "tokens", "param": None, "code": "rate_limit_exceeded"},
        "request_id": "scripted",
    },
    "xai": {"code": "rate_limit_exceeded", "error": "slow down"},
    "fireworks": {
        "error": {"object": "error", "type": "tokens", "code": "rate_limit_exceeded", "message": "slow down"},
    },
    "zai": {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
    "groq": {"error": {"message": "slow down", "type": "tokens", "code": "rate_limit_exceeded"}},
    "cerebras": {
        "message": "slow down",
        "type": "tokens",
        "param": "validation_error",
        "code": "rate_limit_exceeded",
    },
    "mistral": {
        "object": "error",
        "message": "slow down",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    },
    "openrouter": {"error": {"message": "slow down", "code": 429, "metadata": {}}},
    "ollama": {"error": {"message": "slow down", "type": "tokens", "param": None, "code": None}},
    "llamacpp": {"error": {"code": 429, "message": "slow down", "type": "tokens"}},
    "vllm": {"error": {"message": "slow down", "type": "tokens", "param": None, "code": 429}},
    "lmstudio": {"error": "slow down"},
}


STATUSES = {"minimax": 200}


@pytest.mark.parametrize("name", ENVELOPES)
async def test_errors_come_in_the_envelope_of_the_vendor(name: str) -> None:
    told = error(429, "slow down", code="rate_limit_exceeded", type="tokens", headers={"retry-after": "7"})
    response = await post(told, name)
    assert (response.status_code, response.headers["retry-after"]) == (STATUSES.get(name, 429), "7")
    assert response.json() == ENVELOPES[name]


async def test_other_replies_are_played_as_they_are() -> None:
    assert (await post(replies.json(200, {"a": 1}))).json() == {"a": 1}
    refused = (await post(context_length_exceeded(100, 120))).json()["error"]
    assert (refused["code"], refused["param"]) == ("context_length_exceeded", "messages")
    assert (await post(None)).json()["choices"][0]["message"]["content"] == "Hello from a scripted provider."
