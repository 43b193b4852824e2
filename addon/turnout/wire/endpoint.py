"""The paths of the API's endpoints, as clients ask for them and as providers serve them."""

from __future__ import annotations

_ENDPOINTS = "/v1/"


def client_path(path: str) -> str:
    """The path (with any query) as the client asked for it: without what a provider's base URL puts before it."""
    bare, mark, query = path.partition("?")
    _, endpoint, rest = bare.rpartition(_ENDPOINTS)
    return (endpoint + rest if endpoint else bare) + mark + query
