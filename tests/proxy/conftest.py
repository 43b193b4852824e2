"""A plain HTTP client for the tests of the running proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests import NO_TLS


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20, trust_env=False, verify=NO_TLS) as client:
        yield client
