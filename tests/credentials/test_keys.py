from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.credentials.conftest import CLIENT_KEY, CLIENT_TOKEN, preset, unhurried
from turnout.credentials.keys import SENTINELS, client_key, key_from
from turnout.redaction.secret import Secret
from turnout.settings.model import Provider

ANTHROPIC = preset("anthropic")
FOREIGN = preset("minimax", credentials=["client"])
ENTRANCE = Secret("sk-ant-entrance-key-of-turnout")

GENUINE = [
    (ANTHROPIC, {"authorization": f"Bearer {CLIENT_TOKEN}"}, ("authorization", CLIENT_TOKEN)),
    (ANTHROPIC, {"authorization": f"bearer  {CLIENT_TOKEN} "}, ("authorization", CLIENT_TOKEN)),
    (ANTHROPIC, {"x-api-key": CLIENT_KEY}, ("x-api-key", CLIENT_KEY)),
    (ANTHROPIC, {"x-api-key": CLIENT_KEY, "authorization": "Bearer proxy-managed"}, ("x-api-key", CLIENT_KEY)),
    (ANTHROPIC, {"x-api-key": "proxy-managed", "authorization": f"Bearer {CLIENT_KEY}"}, ("authorization", CLIENT_KEY)),
    (
        ANTHROPIC,
        {"authorization": f"Bearer {ENTRANCE.reveal()}", "x-api-key": CLIENT_KEY},
        ("x-api-key", CLIENT_KEY),
    ),
    (FOREIGN, {"authorization": "Bearer eyJ-minimax"}, ("authorization", "eyJ-minimax")),
    (FOREIGN, {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": "mm-key"}, ("x-api-key", "mm-key")),
]

NOT_GENUINE = [
    (ANTHROPIC, {}),
    (ANTHROPIC, {"authorization": f"Basic {CLIENT_KEY}"}),
    (ANTHROPIC, {"authorization": CLIENT_KEY}),
    (ANTHROPIC, {"authorization": "Bearer "}),
    (ANTHROPIC, {"x-api-key": "some-other-vendors-key"}),
    (ANTHROPIC, {"x-api-key": ENTRANCE.reveal()}),
    (ANTHROPIC, {"authorization": f"Bearer {ENTRANCE.reveal()}"}),
    (ANTHROPIC, {"x-turnout-key": CLIENT_KEY}),
    (ANTHROPIC, {"x-api-key": CLIENT_KEY + "\udcff"}),
    (FOREIGN, {"authorization": f"Bearer {CLIENT_TOKEN}"}),
    (FOREIGN, {"x-api-key": CLIENT_KEY}),
    *((FOREIGN, {"x-api-key": word}) for word in ["", " ", *sorted(SENTINELS), "PROXY-MANAGED"]),
]


@pytest.mark.parametrize(("provider", "headers", "expected"), GENUINE)
def test_the_genuine_key_of_a_client_is_taken_from_its_header(
    provider: Provider, headers: dict[str, str], expected: tuple[str, str]
) -> None:
    """A6, A8"""
    found = client_key(provider, headers, [Secret("another"), ENTRANCE])
    assert found == (expected[0], Secret(expected[1]))


@pytest.mark.parametrize(("provider", "headers"), NOT_GENUINE)
def test_what_is_no_genuine_key_for_the_provider_is_left_alone(provider: Provider, headers: dict[str, str]) -> None:
    """A6: sentinels and entrance keys are never forwarded; CCP-10: Anthropic's keys reach no foreign provider."""
    assert client_key(provider, headers, [ENTRANCE, Secret("another")]) is None


@unhurried
@given(st.text())
def test_a_key_can_always_be_sent_in_a_header(text: str) -> None:
    try:
        key = key_from(text)
    except ValueError as error:
        assert text.strip() not in str(error)
        return
    if key is None:
        assert not text.strip() or text.strip().lower() in SENTINELS
    else:
        assert key.reveal() == text.strip()
        assert key.reveal().encode("ascii").isascii() and "\n" not in key.reveal()


@unhurried
@given(st.text(alphabet="abc-sk\u00e9\n ", max_size=20), st.text(alphabet="abc-sk", min_size=1, max_size=6))
def test_an_anthropic_key_never_counts_as_a_foreign_one(rest: str, entrance: str) -> None:
    """CCP-10"""
    headers = {"authorization": f"Bearer sk-ant-{rest}", "x-api-key": f" sk-ant-{rest}"}
    assert client_key(FOREIGN, headers, [Secret(entrance)]) is None
