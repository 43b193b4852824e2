"""What another provider has written is made fit for Anthropic, and what Anthropic wrote is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.messages.bodies import conversations
from tests.dialects.messages.rewrite.support import (
    MODEL,
    assistant,
    body_of,
    call,
    result,
    result_of,
    rewritten,
    said,
    system,
    thought,
    user,
)
from turnout.dialects.messages.rewrite import Subject
from turnout.dialects.messages.rewrite.traces import traces
from turnout.settings.rewriting import profiles
from turnout.testing.refusal import Refusal
from turnout.testing.strict import check_messages
from turnout.testing.wire import RecordedRequest

Message = dict[str, Any]

CLAUDE = Subject("claude-opus-4-8", "claude-opus-4-8", others_answer=True)
GLM = Subject(MODEL, MODEL, signs_as="zai", others_answer=True)
HEADERS = [
    ("anthropic-version", "2026-10-21"),
    ("content-type", "application/json"),
    ("anthropic-beta", "mid-conversation-system-2026-04-07"),
]


def run(id: str, name: str = "web_search", **arguments: Any) -> Message:
    return {"type": "server_tool_use", "id": id, "name": name, "input": arguments}


def pages(id: str, **page: Any) -> Message:
    found = {"type": "web_search_result", "url": "https://example.com/", "title": "a", **page}
    return {"type": "web_search_tool_result", "tool_use_id": id, "content": [found]}


def check(body: Message) -> None:
    """Raises Refusal for what Anthropic would not take."""
    sent = {**body, "model": CLAUDE.model}
    check_messages(RecordedRequest("POST", "/v1/messages", HEADERS, json.dumps(sent).encode()))


def mended(*messages: Message, subject: Subject = CLAUDE) -> list[Message]:
    """The messages as they are sent; what goes to Anthropic is what it takes."""
    found = result_of(body_of(messages=list(messages)), subject)
    if subject is CLAUDE:
        check(found)
    kept: list[Message] = found["messages"]
    return kept


ASKS, ON = user("what is it?"), user("sure?")
CITED = {"type": "web_search_result_location", "url": "https://example.com/", "title": "a", "cited_text": "b"}
PAGE = {"type": "page_location", "cited_text": "b", "document_index": 0, "start_page_number": 1, "end_page_number": 2}


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Bash<|channel|>commentary", "Bash__channel__commentary"),
        ("mcp.server.look", "mcp_server_look"),
        ("", "unnamed"),
        ("a" * 200, "a" * 128),
    ],
)
@pytest.mark.parametrize("subject", [CLAUDE, GLM], ids=["Anthropic", "a vendor"])
def test_a_tool_that_nobody_has_is_called_as_a_tool_may_be(told: str, name: str, subject: Subject) -> None:
    """gpt-oss writes marks of its template into names; the client answers that there is no such tool."""
    _, answer, _ = mended(ASKS, assistant({**call("toolu_1"), "name": told}), user(result("toolu_1")), subject=subject)
    assert answer["content"] == [{**call("toolu_1"), "name": name}]


@pytest.mark.parametrize("member", ["provider_specific_fields", "extra_content", "thought_signature"])
def test_members_that_gateways_add_stay_here(member: str) -> None:
    odd = {member: {"google": {"thought_signature": "x"}}}
    answer = assistant({**said("so"), **odd}, {**call("toolu_1", **odd), **odd})
    assert mended(ASKS, answer, user(result("toolu_1")))[1] == assistant(said("so"), call("toolu_1", **odd))


@pytest.mark.parametrize("citation", [CITED, {"type": "url_citation", "url": "https://example.com/"}, "a page"])
def test_what_was_not_found_by_anthropic_is_not_cited(citation: Any) -> None:
    answer = assistant(said("so", citations=[citation]), said("and", citations=[PAGE, citation]))
    assert mended(ASKS, answer, ON)[1] == assistant(said("so"), said("and", citations=[PAGE]))


def test_what_anthropic_has_found_is_cited() -> None:
    answer = assistant(said("so", citations=[{**CITED, "encrypted_index": "x"}, PAGE]))
    body = body_of(messages=[ASKS, answer, ON], model=CLAUDE.model)
    data = json.dumps(body).encode()
    assert rewritten(data, None, CLAUDE).body is data


def test_servers_of_mcp_that_another_provider_has_asked() -> None:
    use = {"type": "mcp_tool_use", "id": "call_1", "name": "look", "server_name": "s", "input": {}}
    found = {"type": "mcp_tool_result", "tool_use_id": "call_1", "content": [said("a cat")], "is_error": False}
    answer = mended(ASKS, assistant(use, found, said("so")), ON)[1]
    assert answer == assistant(said("[look: {}]"), said("a cat"), said("so"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # decolua/9router#3685
        ([run("call_50b8", "analyze_image", q="cat?"), result("call_50b8", [said("a cat")]), said("A cat.")],
         [said('[analyze_image: {"q": "cat?"}]'), said("a cat"), said("A cat.")]),
        ([run("srvtoolu_1", "analyze_image"), said("A cat.")], [said("[analyze_image: {}]"), said("A cat.")]),
        ([run("srvtoolu_1", query="a"), pages("srvtoolu_1"), said("so")],
         [said('[web_search: {"query": "a"}]'), said("a https://example.com/"), said("so")]),
        ([pages("srvtoolu_1", encrypted_content="x"), said("so")], [said("a https://example.com/"), said("so")]),
        ([call("call_1"), result("call_1", "done"), said("so")], [said("[Bash: {}]"), said("done"), said("so")]),
        ([said(""), said("so"), said(" \n")], [said("so")]),
        ([said("so"), {"type": "text", "text": None}], [said("so")]),
        ([{"type": "reasoning", "reasoning": "hm"}, said("so")], [said("so")]),
        ([{"type": "output_text", "text": "so"}], [said("so")]),
        ([{"type": "image", "source": {"type": "url", "url": "x"}}],
         [said("[An image was here; this model cannot see it.]")]),
        ([thought("hm", ""), said("so")], [said("so")]),
        ([{"type": "thinking", "thinking": "hm"}, said("so")], [said("so")]),
        ([{"type": "thinking", "thinking": "hm", "signature": None}, said("so")], [said("so")]),
    ],
)  # fmt: skip
def test_what_anthropic_does_not_take(answer: list[Message], expected: list[Message]) -> None:
    assert mended(ASKS, assistant(*answer), ON) == [ASKS, assistant(*expected), ON]


@pytest.mark.parametrize("content", [[], "", None, " ", [said("")], [thought("hm", "")]], ids=repr)
def test_an_answer_that_says_nothing_is_left_out(content: Any) -> None:
    empty = {"role": "assistant", "content": content}
    assert mended(ASKS, empty, ON) == [user(said("what is it?"), said("sure?"))]


@pytest.mark.parametrize("id", ["functions.Bash:0", "call|1", "a" * 65, ""])
def test_ids_that_the_api_does_not_take(id: str) -> None:
    """cline/cline#8942; the client knows the call by its old id, and so does whoever made it."""
    talk = ASKS, assistant(call(id)), user(result(id)), assistant(call("toolu_1")), user(result("toolu_1"))
    found = mended(*talk)
    made = found[1]["content"][0]["id"]
    assert made.startswith("toolu_") and found[2]["content"][0]["tool_use_id"] == made
    assert found[3:] == [*talk[3:]]
    assert mended(*talk, assistant("done"), ON)[:5] == found, "the same in every request"
    assert mended(*talk, subject=GLM) == [*talk]


def test_ids_that_are_used_twice() -> None:
    turn = assistant(call("call_1")), user(result("call_1"))
    found = mended(ASKS, *turn, *turn, *turn)
    ids = [message["content"][0]["id"] for message in found[1::2]]
    assert ids[0] == "call_1" and len(set(ids)) == 3
    assert [message["content"][0]["tool_use_id"] for message in found[2::2]] == ids


def test_a_call_and_its_result_belong_together() -> None:
    """And results come first, whatever else becomes text."""
    found = mended(
        ASKS,
        assistant(call("call:1"), call("call:2"), said("")),
        system("be brief"),
        user(result("call:2", "b"), result("call:3", "c"), said("go on")),
    )
    first, second = found[1]["content"]
    assert first == said("[Bash: {}]") and second["type"] == "tool_use"
    assert found[3]["content"] == [result(second["id"], "b"), said("c"), said("go on")]


@pytest.mark.parametrize(("input", "made"), [('{"a": 1}', {"a": 1}), (None, {}), ("no", {}), ([1], {})])
def test_the_input_of_a_call_is_an_object(input: Any, made: Any) -> None:
    answer = {**call("call:1"), "input": input}
    assert mended(ASKS, assistant(answer), user(result("call:1")))[1]["content"][0]["input"] == made


def test_a_search_of_anthropics_own_is_known_again() -> None:
    """Also one that is under way, and one of another turn; not a byte changes."""
    search = run("srvtoolu_1", query="a"), pages("srvtoolu_1", encrypted_content="x")
    body = body_of(messages=[ASKS, assistant(*search, said("so")), ON, assistant(run("srvtoolu_2"))])
    body["model"] = CLAUDE.model
    sent = json.dumps(body).encode()
    assert traces(sent).foreign, "it was looked at"
    assert rewritten(sent, None, CLAUDE).body is sent


def test_other_providers_are_sent_no_results_of_tools_that_somebody_else_ran() -> None:
    answer = assistant(run("srvtoolu_1", "analyze_image"), result("srvtoolu_1", "a cat"), said("A cat."), said(""))
    found = result_of(body_of(messages=[ASKS, answer, ON]), GLM, **profiles()["safe"])
    assert found["messages"][1] == assistant(said("[analyze_image: {}]"), said("a cat"), said("A cat."))


# --- any conversation ---


@settings(max_examples=150)
@given(conversations(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_what_anthropic_takes_is_sent_as_it_came(messages: list[Message], spacing: tuple[str, str]) -> None:
    body = {"model": CLAUDE.model, "max_tokens": 9, "messages": _signed(messages)}
    try:
        check(body)
    except Refusal:
        return
    sent = json.dumps(body, separators=spacing).encode()
    assert rewritten(sent, None, CLAUDE).body is sent


def _signed(messages: list[Message]) -> list[Message]:
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else []:
            if block["type"] == "thinking":
                block["signature"] = block["signature"] or "c2lnbmVk"
    return messages


ids = st.sampled_from(["call:0", "call_1", "toolu_1", "srvtoolu_1", "x" * 70, ""])
blanks = st.sampled_from(["", " ", "\n\n", "so"])
foreign_blocks = st.one_of(
    blanks.map(said),
    st.builds(thought, blanks, st.just("")),
    st.builds(call, ids),
    st.builds(call, ids).map(lambda block: {**block, "input": None}),
    st.builds(result, ids),
    st.builds(run, ids, st.sampled_from(["web_search", "analyze_image"])),
    st.builds(pages, ids),
    st.sampled_from([{"type": "reasoning", "summary": []}, {"type": "image", "source": {"type": "url", "url": "x"}}]),
)
foreign_turns = st.lists(foreign_blocks, max_size=5) | blanks | st.none()


@st.composite
def poisoned(draw: st.DrawFn) -> list[Message]:
    """A conversation as any provider may have left it; the client has answered the calls that it knows of."""
    messages: list[Message] = [ASKS]
    for content in draw(st.lists(foreign_turns, min_size=1, max_size=4)):
        messages.append({"role": "assistant", "content": content})
        asked = [block["id"] for block in content or [] if isinstance(block, dict) and block["type"] == "tool_use"]
        answered = asked if draw(st.booleans()) else asked[1:]
        messages.append(user(*(result(id) for id in answered), said("go on")))
    return messages


@settings(max_examples=300)
@given(poisoned(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_whatever_a_provider_has_left_anthropic_takes_it(messages: list[Message], spacing: tuple[str, str]) -> None:
    """And what was sent before is sent again: the conversation only grows."""
    body = {"model": CLAUDE.model, "max_tokens": 9, "messages": messages}
    done = rewritten(json.dumps(body, separators=spacing).encode(), None, CLAUDE)
    after = json.loads(done.body)
    check(after)
    assert rewritten(done.body, None, CLAUDE).body is done.body, "a second pass changes something"
    longer = {**body, "messages": [*messages, assistant("done"), ON]}
    grown = json.loads(rewritten(json.dumps(longer).encode(), None, CLAUDE).body)
    assert grown["messages"][: len(after["messages"])] == after["messages"]


def test_a_client_that_writes_the_role_last() -> None:
    """Its order is kept as well."""
    said_empty = {"content": [said("")], "role": "assistant"}
    turns = [{"content": "a", "role": "user"}, said_empty, {"content": "b", "role": "user"}]
    assert mended(*turns) == [user(said("a"), said("b"))]
    sound = [turns[0], {"content": [said("x")], "role": "assistant"}, turns[2]]
    sent = json.dumps({"model": CLAUDE.model, "messages": sound}).encode()
    assert rewritten(sent, None, CLAUDE).body is sent
