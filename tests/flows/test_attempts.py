"""Every failed attempt as a flow of its own."""

from __future__ import annotations

import io

import pytest
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from turnout.exchange import Attempt, ClientRequest, Exchange, Target
from turnout.flows.attempts import failed_attempt
from turnout.flows.masking import Masks
from turnout.proxy.withholding import request_as_sent, withhold


def exchange(reason: str = "429 quota") -> Exchange:
    request = ClientRequest("POST", "/v1/messages", {}, b'{"model":"opus"}')
    tried = Attempt(1, Target("anthropic"), "claude-x", "env:KEY", verdict="quota", reason=reason)
    return Exchange(request, "messages", id="abc", plan=(Target("anthropic"), Target("zai")), attempts=[tried])


@pytest.mark.parametrize("answered", [True, False])
def test_a_finished_copy_without_secrets(answered: bool) -> None:
    original = tflow.tflow(resp=answered)
    original.request.headers["x-api-key"] = "sk-ant-secret"
    original.metadata["other"] = "kept"
    if original.response:
        original.response.stream = lambda data: data
    withhold(original, Masks())
    copy = failed_attempt(original, exchange())
    assert copy.id != original.id and not copy.live and original.live
    assert copy.comment == "attempt 1/2 · anthropic · 429 quota"
    assert copy.metadata["turnout.exchange"] == "abc" and copy.metadata["other"] == "kept"
    assert (
        copy.request.headers["x-api-key"] == "***" and request_as_sent(original).headers["x-api-key"] == "sk-ant-secret"
    )
    assert "turnout.exchange" not in original.metadata
    if answered:
        assert copy.error is None and copy.response is not None and not copy.response.stream
    else:
        assert copy.response is None and copy.error is not None and copy.error.msg == "429 quota"


def test_it_can_be_saved_and_read_again() -> None:
    file = io.BytesIO()
    FlowWriter(file).add(failed_attempt(tflow.tflow(resp=True), exchange()))
    file.seek(0)
    (read,) = FlowReader(file).stream()
    assert read.metadata["turnout.verdict"] == "quota" and read.comment.startswith("attempt 1/2")


def test_an_attempt_without_a_reason() -> None:
    copy = failed_attempt(tflow.tflow(), exchange(reason=""))
    assert copy.error is not None and copy.error.msg == "attempt failed"
