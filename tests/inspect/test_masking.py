"""No secret stays in a flow that may be saved."""

from __future__ import annotations

import pytest
from mitmproxy.test import tutils

from turnout.inspect.masking import mask_request
from turnout.settings.secret import MASK, SECRET_HEADERS


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_secret_headers_are_masked_whatever_their_spelling(name: str) -> None:
    spelt = name.title().encode()
    fields = ((spelt, b"one"), (b"anthropic-version", b"2023-06-01"), (name.encode(), b"two"))
    request = tutils.treq(headers=fields)
    mask_request(request)
    assert set(request.headers.get_all(name)) == {MASK} and request.headers["anthropic-version"] == "2023-06-01"
    assert not {b"one", b"two"} & {value for _, value in request.headers.fields}


def test_headers_that_are_not_there_are_not_invented() -> None:
    request = tutils.treq(headers=((b"accept", b"*/*"),))
    mask_request(request)
    assert request.headers.fields == ((b"accept", b"*/*"),)
