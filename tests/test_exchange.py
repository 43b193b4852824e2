"""What travels through the house."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import InvalidRequest
from turnout.exchange import LONGEST_MODEL, LONGEST_SESSION, Attempt, ClientRequest, Exchange, Target


def request(body: bytes, **headers: str) -> ClientRequest:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return ClientRequest("POST", "/v1/messages", sent, body)


@pytest.mark.parametrize(
    ("target", "text"), [(Target("a"), "a"), (Target("a", "b/c"), "a/b/c"), (Target("a", ""), "a")]
)
def test_targets_as_text(target: Target, text: str) -> None:
    assert str(target) == text


def test_the_model_and_undecoded_fields() -> None:
    sent = request(b' {"model" : "opus[1m]", "messages": [ 1,2 ]} ')
    assert sent.model == "opus[1m]" and bytes(sent.fields["messages"]) == b"[ 1,2 ]"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "has no body"),
        (b"{", "not valid JSON"),
        (b"nonsense", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"\xff": 1}', "not valid JSON"),
        (b'{"a":' + b"[" * 200_000, "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "model: Field required"),
        (b'{"model": null}', "model: Input should be a string"),
        (b'{"model": 5}', "model: Input should be a string"),
        (b'{"model": ["x"]}', "model: Input should be a string"),
        (b'{"model": "\xff"}', "model: Input should be a string"),
        (b'{"model": " "}', "model: String should not be empty"),
        (b'{"model": "%s"}' % (b"m" * 257), "model: String should have at most 256 characters"),
        (b'{"model": "%s"}' % (b"m" * 1_000_000), "model: String should have at most 256 characters"),
    ],
)
def test_problems_are_named(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        _ = request(body).model


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda value: b'{"model":"%b"}' % value))
def test_any_body_has_a_model_or_is_an_invalid_request(body: bytes) -> None:
    sent = request(body)
    try:
        model = sent.model
    except InvalidRequest as error:
        assert error.body("anthropic")
    else:
        assert model.strip() and json.loads(bytes(sent.fields["model"]), strict=False) == model


def test_a_long_model_name_is_one() -> None:
    name = "arn:aws:bedrock:us-east-1:123456789012:" + "m" * (LONGEST_MODEL - 39)
    assert request(json.dumps({"model": name}).encode()).model == name


@pytest.mark.parametrize(("length", "known"), [(36, True), (LONGEST_SESSION, True), (129, False), (60_000, False)])
def test_a_session_id_without_end_is_not_remembered(length: int, known: bool) -> None:
    session = "s" * length
    exchange = Exchange(request(b"{}", x_claude_code_session_id=session), "messages")
    assert exchange.session == (session if known else None)


def test_an_exchange_and_its_attempts() -> None:
    exchange = Exchange(request(b"{}", x_claude_code_session_id="s-1"), "messages")
    assert exchange.session == "s-1" and exchange.body == "identical"
    assert len(exchange.id) == 12 and exchange.id != Exchange(exchange.request, "messages").id
    first = Attempt(1, Target("a"), "m", "env:KEY")
    second = dataclasses.replace(first, number=2)
    exchange.attempts += [first, second]
    assert exchange.attempt is second and first.started >= exchange.opened
    assert Exchange(request(b"{}"), "messages").session is None


@pytest.mark.parametrize(
    ("headers", "named", "session"),
    [
        ({}, "", None),
        ({}, "k", "k"),
        ({"x-session-id": "s"}, "k", "s"),
        ({"x-session-id": "s", "x-claude-code-session-id": "c"}, "k", "c"),
        ({}, "k" * 129, None),
    ],
)
def test_the_session_of_other_clients(headers: dict[str, str], named: str, session: str | None) -> None:
    request = ClientRequest("POST", "/v1/messages", headers, b"{}", "openai", named)
    assert Exchange(request=request, endpoint="messages").session == session
