"""The judgement on one replayed exchange."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.test import tflow

from tests.recordings.flows import failure, plain, request, streamed
from turnout.recordings.reading import RecordedExchange, recording_of
from turnout.recordings.replay.answers import compared, incomparable
from turnout.recordings.replay.sending import Received
from turnout.redaction.secret import Secret
from turnout.testing.events import message_delta, message_start, message_stop, stream_of, text_block, tool_turn


def recorded(answer: http.Response | None = None) -> RecordedExchange:
    return recording_of([plain(answer=answer)]).exchanges[0]


def received(answer: http.Response, problem: str = "") -> Received:
    kind = answer.headers["content-type"]
    return Received(answer.status_code, 1.5, kind, answer.raw_content or b"", 0.5, problem)


def test_the_same_answer_passes() -> None:
    result = compared(recorded(), received(streamed()), compare=True)
    assert result.passed and result.differences == ()
    assert (result.first_event, result.total) == (0.5, 1.5)


def test_other_words_pass_unless_answers_are_compared() -> None:
    other = received(streamed(stream_of("Something else.")))
    loose, strict = compared(recorded(), other, compare=False), compared(recorded(), other, compare=True)
    assert loose.passed and not strict.passed
    assert [each.name for each in loose.differences] == [each.name for each in strict.faults] == ["text"]


def test_a_status_of_the_same_class_passes_unless_answers_are_compared() -> None:
    now = received(failure(503, "api_error"))
    assert compared(recorded(failure(500, "api_error")), now, compare=False).passed
    assert not compared(recorded(failure(500, "api_error")), now, compare=True).passed


def test_what_broke_off_is_told() -> None:
    cut = received(streamed(stream_of()[:-1]), "peer closed connection")
    for compare in (False, True):
        faults = compared(recorded(), cut, compare=compare).faults
        (fault,) = [each for each in faults if each.name == "complete"]
        assert fault.explanation.endswith("(peer closed connection)")


def test_no_answer_at_all() -> None:
    result = compared(recorded(), Received(None, 2.0, problem="ReadTimeout"), compare=False)
    assert not result.passed and result.now is None
    assert [each.explanation for each in result.faults] == ["no answer: ReadTimeout"]


def test_without_a_recorded_answer_there_is_nothing_to_compare() -> None:
    exchange = recording_of([tflow.tflow(req=request(), err=True)]).exchanges[0]
    assert incomparable(exchange) == "no answer recorded"
    assert compared(exchange, received(streamed()), compare=False).passed
    flow = plain()
    assert flow.response is not None
    flow.response.raw_content = None
    not_kept = recording_of([flow]).exchanges[0]
    assert incomparable(not_kept) == "answer body not recorded"
    assert compared(not_kept, received(streamed()), compare=False).passed
    assert incomparable(recorded()) == ""


def test_an_answer_that_quotes_a_secret_in_pieces() -> None:
    """G1: no part of it is shown; and where the recording has it starred out, that is no difference."""
    key = "sk-ant-api03-Canary0123456789abcdef"

    def saying(*parts: str) -> http.Response:
        return streamed([message_start(), *text_block(0, parts), message_delta(), message_stop()])

    now = received(saying("The key is sk-ant-", "api03-Canary0123", "456789abcdef!"))
    starred = recorded(saying(f"The key is {'*' * len(key)}!"))
    assert compared(starred, now, compare=True).passed
    (fault,) = compared(recorded(saying("The key is none!")), now, compare=True).faults
    assert "anary" not in fault.explanation and "sk-ant" not in fault.explanation


def test_a_known_secret_in_a_tool_call_and_in_an_error() -> None:
    secret = Secret("correct horse battery")
    now = received(streamed(tool_turn("Bash", {"command": f"echo {secret.reveal()}"})))
    (fault,) = compared(
        recorded(streamed(tool_turn("Bash", {"command": "ls"}))), now, compare=True, secrets=[secret]
    ).faults
    assert fault.name == "tools" and "horse" not in fault.explanation
    refused = received(failure(401, "authentication_error", f"invalid key {secret.reveal()}"))
    (fault,) = compared(recorded(), refused, compare=False, secrets=[secret]).faults
    assert "horse" not in fault.explanation and "invalid key ***" in fault.explanation
