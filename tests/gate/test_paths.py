"""Which requests are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import NotFound, dialect_of
from turnout.gate.paths import Known, recognise


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", "/v1/messages", Known(endpoint="messages")),
        ("POST", "/v1/messages?beta=true", Known(endpoint="messages")),
        ("POST", "/v1/messages/count_tokens?beta=true&x=/v1/models/", Known(endpoint="count_tokens")),
        ("POST", "/v1/chat/completions", Known(endpoint="messages", dialect="openai")),
        ("POST", "/chat/completions?x", Known(endpoint="messages", dialect="openai")),
        ("GET", "/", Known(local="status")),
        ("HEAD", "/", Known(local="status")),
        ("GET", "/?x", Known(local="status")),
        ("GET", "/health", Known(local="health")),
        ("HEAD", "/api/hello", Known(local="hello")),
        ("GET", "/api/hello", Known(local="hello")),
        ("GET", "/v1/models?limit=1000", Known(local="models")),
        ("GET", "/v1/models/claude-opus-4-6", Known(local="model", argument="claude-opus-4-6")),
        ("GET", "/v1/models/zai%2Fglm-4.6%5B1m%5D?x=1", Known(local="model", argument="zai/glm-4.6[1m]")),
        ("GET", "/v1/models/zai/glm", Known(local="model", argument="zai/glm")),
    ],
)
def test_known(method: str, path: str, known: Known) -> None:
    assert recognise(method, path) == known


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/v1/chat/completions"),
        ("HEAD", "/v1/messages"),
        ("POST", "/"),
        ("POST", "/health"),
        ("PUT", "/v1/messages"),
        ("post", "/v1/messages"),
        ("POST", "/v1/messages/"),
        ("POST", "//v1/messages"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/V1/messages"),
        ("POST", "v1/messages"),
        ("GET", "/v1/models/"),
        ("GET", "/x/v1/models/y"),
        ("GET", ""),
        ("OPTIONS", "*"),
        ("GET", "/health/"),
    ],
)
def test_unknown(method: str, path: str) -> None:
    with pytest.raises(NotFound, match="is not served here"):
        recognise(method, path)


def test_the_message_leaves_the_query_out() -> None:
    with pytest.raises(NotFound) as caught:
        recognise("GET", "/secret?key=sk-ant-1#x")
    assert str(caught.value) == "GET /secret is not served here."


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "openai"),
        ("/chat/completions?x", "openai"),
        ("/v1/messages", "anthropic"),
        ("/", "anthropic"),
    ],
)
def test_dialects(path: str, dialect: str) -> None:
    assert dialect_of(path) == dialect


@given(st.sampled_from(["GET", "HEAD", "POST", "DELETE"]), st.text(st.characters(codec=None), max_size=30))
def test_any_path_is_known_or_not_found(method: str, path: str) -> None:
    for candidate in (path, "/" + path, "/v1/models/" + path, "/v1/messages" + path):
        try:
            known = recognise(method, candidate)
        except NotFound as error:
            assert error.body("anthropic"), "also with bytes that are no UTF-8"
        else:
            assert (known.endpoint is None) != (known.local is None)
            assert known.endpoint is None or method == "POST"


@given(st.sampled_from(["/v1/messages", "/v1/messages/count_tokens"]), st.text(max_size=20))
def test_a_query_changes_nothing(path: str, query: str) -> None:
    assert recognise("POST", f"{path}?{query}") == recognise("POST", path)
