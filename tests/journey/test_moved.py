"""Redirects: followed within the provider's own host, told with what to set otherwise; no credential goes elsewhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journey.scenery import Scene, candidate_of, provider
from turnout.exchange import LocalAnswer, Outgoing
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.journey.moved import MOST_MOVES, followed, moved_words, sent_to


def sent(url: str = "https://a.test/v1/messages?beta=true") -> Outgoing:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    name, _, port = host.partition(":")
    number = int(port or {"http": 80, "https": 443}[scheme])
    add = (("host", host), ("content-length", "3"), ("x-api-key", "k"))
    return Outgoing("https" if scheme == "https" else "http", name, number, f"/{path}", b"abc", add=add)


def moved(location: str, status: int = 307) -> Judgement:
    return judge(Outcome(status, {"location": location}), now=0.0)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/anthropic/v1/messages", "/anthropic/v1/messages"),
        ("https://a.test/v2/messages?beta=true", "/v2/messages?beta=true"),
        ("https://A.TEST:443/v2", "/v2"),
        ("//a.test/v2", "/v2"),
        ("messages/", "/v1/messages/"),
        ("https://a.test", "/"),
    ],
)
@pytest.mark.parametrize("status", [307, 308])
def test_within_the_host(location: str, path: str, status: int) -> None:
    """The request stays what it is: method, body and headers."""
    to = followed(sent(), moved(location, status), 0)
    assert to is not None
    again = sent_to(to, sent())
    assert (again.scheme, again.host, again.port, again.path) == ("https", "a.test", 443, path)
    assert (again.body, again.drop, dict(again.add)) == (sent().body, sent().drop, dict(sent().add))


def test_from_http_to_https_at_the_same_name() -> None:
    to = followed(sent("http://a.test/v1/messages"), moved("https://a.test/v1/messages"), 0)
    assert to is not None and (to.scheme, to.port, dict(to.add)["host"]) == ("https", 443, "a.test")


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("https://b.test/v1/messages", 307),
        ("https://a.test.evil/v1/messages", 307),
        ("//b.test/v1/messages", 308),
        ("http://a.test/v1/messages", 308),
        ("https://a.test:8443/v1/messages", 307),
        ("https://user@a.test/v1/messages", 307),
        ("https://a.test@b.test/v1/messages", 307),
        ("\\\\b.test\\v1", 307),
        ("https://a.test/v1 /messages", 307),
        ("https://a.test/é", 307),
        ("https://a.test:99999/v1", 307),
        ("https://[a.test/v1", 307),
        ("ftp://a.test/v1", 307),
        ("", 307),
        ("/v2/messages", 301),
        ("/v2/messages", 302),
        ("/v2/messages", 303),
        ("/v2/messages", 300),
    ],
)
def test_not_elsewhere_and_not_as_another_request(location: str, status: int) -> None:
    to = followed(sent(), moved(location, status), 0)
    assert to is None or to.host == "a.test" and to.scheme == "https" and location.startswith("\\")


def test_not_for_ever() -> None:
    assert followed(sent(), moved("/x"), MOST_MOVES - 1) is not None
    assert followed(sent(), moved("/x"), MOST_MOVES) is None


@given(st.text(max_size=60), st.sampled_from([301, 302, 303, 307, 308]))
def test_never_to_another_host(location: str, status: int) -> None:
    for each in (location, f"//{location}", f"https://{location}", f"https://a.test{location}"):
        to = followed(sent(), moved(each, status), 0)
        assert to is None or (to.scheme, to.host, to.port) == ("https", "a.test", 443)
        assert moved_words(candidate_of(provider()), Judgement(Verdict.NOT_FOUND, "", location=each), "/v1/messages")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://b.test/anthropic/v1/messages?beta=true",
         'moved to https://b.test/anthropic/v1/messages. If that is where it belongs, set base_url = '
         '"https://b.test/anthropic" for [providers.first]'),
        ("https://u:p@b.test/v1/messages", 'set base_url = "https://b.test" for [providers.first]'),
        ("/login?next=/v1/messages",
         "moved to https://first.test/login. No API is there: base_url leads elsewhere, or a login stands on the way"),
        ("https://b.test/sk-ant-api03-0123456789abcdef0123456789abcdef/v1/messages", "moved to https://b.test/***"),
        ("https://b.test/first-key-0123456789/v1/messages", "moved to https://b.test/***/v1/messages"),
        ("https://b.test/\x07/v1/messages", "moved to https://b.test/?/v1/messages"),
        ("https://[b.test/", "moved to an address that cannot be read"),
    ],
)  # fmt: skip
def test_what_is_told(location: str, said: str) -> None:
    judgement = Judgement(Verdict.NOT_FOUND, "", status=308, location=location)
    words = moved_words(candidate_of(provider()), judgement, "/v1/messages")
    assert words.startswith("first.test answered 308: ") and said in words
    assert "sk-ant" not in words and "u:p" not in words and "first-key" not in words and "beta" not in words


async def test_the_attempt_is_made_again_at_the_new_path(scene: Scene) -> None:
    scene.configure(provider("first"), provider("second"))
    journey = scene.open()
    first = await scene.dispatcher.advance(journey)
    assert isinstance(first, Outgoing) and first.path == "/v1/messages"
    for number in (1, 2):
        step = moved(f"/{number}/v1/messages")
        assert await scene.dispatcher.failed(journey, step, LocalAnswer(307, {}, b""))
        again = await scene.dispatcher.advance(journey)
        assert isinstance(again, Outgoing) and (again.host, again.path) == ("first.test", f"/{number}/v1/messages")
        assert (again.body, dict(again.add)) == (first.body, dict(first.add)) and journey.provider.name == "first"
        assert scene.held == ["claim first/m", "slot first"] and scene.cooling == {}
    assert await scene.dispatcher.failed(journey, moved("/3"), LocalAnswer(307, {}, b""))
    other = await scene.dispatcher.advance(journey)
    assert isinstance(other, Outgoing) and (other.host, other.path) == ("second.test", "/v1/messages")
    assert scene.cooling == {"first/m": 60}


@pytest.mark.parametrize("label", ["key", "client"])
async def test_who_is_sent_elsewhere_is_told(scene: Scene, label: str) -> None:
    """Also when it is the client's own credential: it is not to blame."""
    scene.chain.labels["first"] = (label,)
    scene.configure(provider("first"))
    journey = scene.open()
    await scene.try_next(journey)
    await scene.dispatcher.failed(journey, moved("https://b.test/v1/messages"), LocalAnswer(307, {}, b""))
    told = await scene.dispatcher.advance(journey)
    assert isinstance(told, LocalAnswer) and (told.status, told.headers["x-should-retry"]) == (502, "false")
    assert 'set base_url = "https://b.test"' in json.loads(told.body)["error"]["message"]
