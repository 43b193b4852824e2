"""Base URLs, as people write them: for the Messages API and for Chat Completions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.settings.base_url import chat_base_url, check_query, messages_base_url


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://api.minimax.io/anthropic/", "https://api.minimax.io/anthropic"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        (" https://x.example/anthropic ", "https://x.example/anthropic"),
        ("https://x.example//api///anthropic//", "https://x.example/api/anthropic"),
    ],
)
def test_base_urls(url: str, kept: str) -> None:
    assert messages_base_url(url) == kept


@pytest.mark.parametrize("above", ["", "/api/anthropic", "/v1/gateway", "/v1beta", "/v2"])
@pytest.mark.parametrize("appended", ["/v1", "/v1/", "/v1/messages", "//v1//messages/", "/v1/messages/count_tokens"])
def test_what_is_appended_to_a_base_url_may_stand_in_it_already(above: str, appended: str) -> None:
    """BerriAI/litellm#36956: Turnout asked for /v1/v1/messages."""
    assert messages_base_url(f"https://x.example{above}{appended}") == f"https://x.example{above}"


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/responses", "responses"),
        ("/v1/models", "models"),
        ("/v1beta/models/gemini-3:generateContent", "models/gemini-3:generateContent"),
        ("/anthropic/messages", "messages"),
    ],
)
def test_the_address_of_another_endpoint_is_no_base_url(path: str, endpoint: str) -> None:
    with pytest.raises(ValueError, match=rf"another endpoint \({endpoint}\).*/v1/messages is appended"):
        messages_base_url(f"https://x.example{path}")


def test_chat_completions_are_another_kind() -> None:
    with pytest.raises(ValueError, match=r'another endpoint \(chat/completions\).*set kind = "openai"'):
        messages_base_url("https://x.example/openai/v1/chat/completions/")


@pytest.mark.parametrize("check", [messages_base_url, chat_base_url])
@pytest.mark.parametrize(
    "url",
    [
        "api.anthropic.com",
        "ftp://x",
        "https://",
        "https://user@x",
        "https://:pw@x",
        "https://x?key=1",
        "https://x#y",
        "https://x:99999",
        "https://x:y",
        "http://[::1",
    ],
)
def test_bad_base_urls(check: Callable[[str], str], url: str) -> None:
    with pytest.raises(ValueError):
        check(url)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1"),
        ("http://localhost:8000//chat/completions/", "http://localhost:8000/v1"),
        ("https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/coding/paas/v4"),
        ("https://api.z.ai/api/paas/v4/chat/completions", "https://api.z.ai/api/paas/v4"),
        ("https://x.example/v1beta/openai/", "https://x.example/v1beta/openai"),
        ("https://models.github.ai/inference", "https://models.github.ai/inference"),
        ("https://x.services.ai.azure.com/models", "https://x.services.ai.azure.com/models"),
        ("https://x.example/accounts/models/v1", "https://x.example/accounts/models/v1"),
        (" https://x.openai.azure.com/openai/deployments/d ", "https://x.openai.azure.com/openai/deployments/d"),
    ],
)
def test_base_urls_of_chat_completions_keep_their_path(url: str, kept: str) -> None:
    assert chat_base_url(url) == kept == chat_base_url(kept)


@pytest.mark.parametrize(
    ("path", "endpoint", "hint"),
    [
        ("/v1/responses", "responses", "/chat/completions, which is appended"),
        ("/v1/completions/", "completions", "is appended"),
        ("/v1/embeddings", "embeddings", "is appended"),
        ("/v1/models", "models", "is appended"),
        ("/v1/models/gpt-6", "models/gpt-6", "is appended"),
        ("/v1beta/models/gemini-3:generateContent", "gemini-3:generateContent", "is appended"),
        ("/anthropic/v1/messages", "messages", 'set kind = "anthropic"'),
        ("/v1/messages/count_tokens", "messages/count_tokens", 'set kind = "anthropic"'),
    ],
)
def test_the_address_of_another_endpoint_is_no_base_url_of_chat(path: str, endpoint: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"another endpoint \({endpoint}\).*{hint}"):
        chat_base_url(f"https://x.example{path}")


def test_a_query_has_a_place_of_its_own() -> None:
    """An address of Azure, as its portal shows it."""
    with pytest.raises(ValueError, match=r"no user.*what else the query of a request needs \(api-version\).*query"):
        chat_base_url("https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21")


def test_a_query_holds_no_secrets() -> None:
    assert check_query({"api-version": "2024-10-21"}) == {"api-version": "2024-10-21"}
    for name, value in (("api-key", "hush"), ("code", "hush"), ("tag", "sk-proj-Abcdefgh12345678")):
        with pytest.raises(ValueError, match=f"^{name} looks like a secret") as caught:
            check_query({name: value})
        assert value not in str(caught.value)


@given(st.text("aZ9./:?#@[]-_v1", max_size=12).map("https://h.example/{}".format))
def test_any_address_is_a_base_url_or_a_value_error(url: str) -> None:
    for check in (messages_base_url, chat_base_url):
        try:
            kept = check(url)
        except ValueError:
            continue
        assert check(kept) == kept and not kept.endswith("/")
