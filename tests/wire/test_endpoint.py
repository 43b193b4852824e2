"""The path of an endpoint without what a provider's base URL puts before it."""

from __future__ import annotations

import pytest

from turnout.wire.endpoint import client_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/anthropic/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/api/v1/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/v1/messages?next=/v1/other", "/v1/messages?next=/v1/other"),
        ("/health", "/health"),
    ],
)
def test_client_path(path: str, expected: str) -> None:
    assert client_path(path) == expected
