"""Which requests are known: the first question asked of every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from turnout.errors import Dialect, NotFound
from turnout.exchange import Endpoint

LocalEndpoint = Literal["status", "health", "hello", "models", "model"]


@dataclass(frozen=True, slots=True)
class Known:
    """A known request: either it goes to a provider (`endpoint`), or it is answered here (`local`)."""

    endpoint: Endpoint | None = None
    local: LocalEndpoint | None = None
    argument: str = ""
    """The model id of `/v1/models/{id}`."""
    dialect: Dialect = "anthropic"
    """The client's."""


_POSTED: dict[str, tuple[Endpoint, Dialect]] = {
    "/v1/messages": ("messages", "anthropic"),
    "/v1/messages/count_tokens": ("count_tokens", "anthropic"),
    # With and without the /v1 that some clients take for a part of the base URL.
    "/v1/chat/completions": ("messages", "openai"),
    "/chat/completions": ("messages", "openai"),
}
_READ: dict[str, LocalEndpoint] = {"/": "status", "/health": "health", "/api/hello": "hello", "/v1/models": "models"}


def recognise(method: str, path: str) -> Known:
    """The request that method and path (with any query) stand for. Raises NotFound for everything else."""
    bare = path.partition("?")[0].partition("#")[0]
    if method == "POST" and bare in _POSTED:
        endpoint, dialect = _POSTED[bare]
        return Known(endpoint=endpoint, dialect=dialect)
    if method in ("GET", "HEAD"):
        if bare in _READ:
            return Known(local=_READ[bare])
        prefix, _, model = bare.partition("/v1/models/")
        if not prefix and model:
            return Known(local="model", argument=unquote(model))
    raise NotFound(f"{method} {bare} is not served here.")
