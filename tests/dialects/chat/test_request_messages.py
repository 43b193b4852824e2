"""Conversations: who says what, in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.chat.openai_types import check_chat
from tests.dialects.messages.shapes import (
    EPHEMERAL,
    IMAGE,
    IN_WORDS,
    PIXEL,
    Body,
    assistant,
    call,
    result,
    system,
    text,
    thinking,
    user,
)
from turnout.dialects.chat.ids import provider_id
from turnout.dialects.chat.request import chat_request
from turnout.dialects.chat.seal import Seal, sealed
from turnout.settings.chat import ChatForm

PDF = {
    "type": "document",
    "title": "a b",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
}
SEEN = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
MISSING = "[There is no result of this call.]"
ON_HAND = "[Here is {}: attachment {} of the user's next message.]"
FROM_TOOL = "[Attachment {}, from the result of a tool:]"


def chat(*messages: Body, prompt: Any = None, **form: Any) -> list[Body]:
    """What the messages become."""
    body = {"model": "m", "messages": list(messages)} | ({"system": prompt} if prompt is not None else {})
    made = json.loads(chat_request(json.dumps(body).encode(), ChatForm(**form)).translated.body)
    check_chat(made)
    return made["messages"]  # type: ignore[no-any-return]


def part(words: str, **more: Any) -> Body:
    return {"type": "text", "text": words, **more}


def said(content: Any) -> Body:
    return {"role": "user", "content": content}


def told(id: str, content: Any) -> Body:
    return {"role": "tool", "tool_call_id": id, "content": content}


def called(*ids: str, content: Any = None, **more: Any) -> Body:
    function = {"name": "Bash", "arguments": "{}"}
    calls = [{"id": id, "type": "function", "function": function} for id in ids]
    return {"role": "assistant", "content": content, **more, "tool_calls": calls}


# --- what is said ---


@pytest.mark.parametrize(
    "prompt, content",
    [
        ("rules", "rules"),
        ([text("one"), text(""), text("two")], "one\n\ntwo"),
        ([text("one"), text("two", cache_control=EPHEMERAL)], [part("one"), part("two", cache_control=EPHEMERAL)]),
    ],
)
def test_the_system_prompt_is_the_first_message(prompt: Any, content: Any) -> None:
    first, second = chat(user(text("go")), prompt=prompt)
    assert first == {"role": "system", "content": content}
    assert second == said("go" if isinstance(content, str) else [part("go")])


@pytest.mark.parametrize("prompt", ["", [], [text("")], None])
def test_without_words_there_is_no_system_prompt(prompt: Any) -> None:
    assert chat(user(text("go")), prompt=prompt) == [said("go")]


@pytest.mark.parametrize(
    "block, form, made",
    [
        (IMAGE, {}, SEEN),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a"}},
            {},
            {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
        ),
        (
            PDF,
            {"documents": "file"},
            {"type": "file", "file": {"filename": "a b.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        ),
    ],
)
def test_what_is_shown(block: Body, form: Body, made: Body) -> None:
    assert chat(user(text("see"), block), **form) == [said([part("see"), made])]


@pytest.mark.parametrize(
    "block, words",
    [
        ({"type": "image", "source": {"type": "file", "file_id": "a"}}, "image was here"),
        (PDF, "a b\n[A document (application/pdf) was here"),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}, "words"),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com/a"}}, "https://example.com/a"),
        ({"type": "document", "source": {"type": "content", "content": [text("inside")]}}, "inside"),
        ({"type": "search_result", "source": "https://example.com/", "title": "t", "content": [text("hit")]}, "hit"),
        ({"type": "nobody knows"}, "nobody knows"),
    ],
)
@pytest.mark.parametrize("who", [user, assistant])
def test_what_cannot_be_shown_is_said(who: Any, block: Body, words: str) -> None:
    turns = [user(text("a")), assistant(text("b"))]
    *_, last = chat(*turns[: 2 if who is user else 1], who(text("see"), block))
    assert last["content"].startswith("see\n\n") and words in last["content"]


def test_only_pdfs_are_files_and_have_names_of_their_own() -> None:
    source = {"type": "base64", "media_type": "application/zip", "data": "UEsD"}
    *titled, other = [{**PDF, "title": "A.PDF"}, {**PDF, "title": None}, {**PDF, "source": source}]
    (message,) = chat(user(*titled, other), documents="file")
    *files, words = message["content"]
    assert [each["file"]["filename"] for each in files] == ["A.PDF", "document.pdf"]
    assert "application/zip" in words["text"]


def test_thoughts_of_a_user_are_not_said() -> None:
    assert chat(user(thinking("hm"), text("go"))) == [said("go")]


def test_a_system_message_in_between_is_the_users() -> None:
    messages = [user(text("go")), assistant(call("a")), system("mind"), user(result("a", "b"), text("on"))]
    assert chat(*messages) == [said("go"), called("a"), told("a", "b"), said("mind\n\non")]


def test_a_system_message_may_say_nothing() -> None:
    """`content` is optional in `BetaSystemMessageParam`: it may do no more than ask for an effort."""
    assert chat(user(text("go")), {"role": "system", "output_config": {"effort": "low"}}) == [said("go")]


def test_messages_of_the_same_role_are_one() -> None:
    """Else the calls of the first would be without results."""
    messages = [user(text("a")), user(text("b")), assistant(text("c"), call("1")), assistant(call("2"))]
    messages += [user(result("2", "y")), user(result("1", "x"))]
    assert chat(*messages) == [said("a\n\nb"), called("1", "2", content="c"), told("1", "x"), told("2", "y")]


def test_an_answer_without_a_word_is_none() -> None:
    assert chat(user(text("a")), assistant(thinking("hm")), user(text("b"))) == [said("a"), said("b")]


@pytest.mark.parametrize("form, told", [("null", {"content": None}), ("empty", {"content": ""}), ("absent", {})])
def test_an_answer_that_only_calls(form: str, told: Body) -> None:
    _, answer, _ = chat(user(text("go")), assistant(call("a"), text("")), no_content=form)
    assert {name: value for name, value in answer.items() if name == "content"} == told


def test_with_a_breakpoint_every_content_is_a_list() -> None:
    """A later request has it elsewhere, and must not write what was cached as another content."""
    turns = [
        said("go"),
        assistant(text("ok"), call("a")),
        user(result("a", [text("b"), text("c")], cache_control=EPHEMERAL)),
    ]
    assert chat(*turns) == [
        said([part("go")]),
        called("a", content=[part("ok")]),
        told("a", [part("b"), part("c", cache_control=EPHEMERAL)]),
    ]
    marked = text("on", cache_control=EPHEMERAL)
    *before, _, last = chat(
        *turns[:2], user(result("a", "b")), assistant(text("d")), user({**IMAGE, "cache_control": None}, marked)
    )
    assert before == [said([part("go")]), called("a", content=[part("ok")]), told("a", [part("b")])]
    assert last == said([SEEN, part("on", cache_control=EPHEMERAL)])


def test_an_empty_result_keeps_its_breakpoint() -> None:
    """Anthropic takes none on an empty text, behind OpenRouter as well."""
    *_, last = chat(user(text("go")), assistant(call("a")), user(result("a", "", cache_control=EPHEMERAL)))
    assert last == told("a", [part("[No output.]", cache_control=EPHEMERAL)])


# --- calls and their results ---


@pytest.mark.parametrize(
    "given, content",
    [
        (result("a", "out"), "out"),
        (result("a", [text("one"), text("two")]), "one\n\ntwo"),
        (result("a", ""), "[No output.]"),
        (result("a", []), "[No output.]"),
        ({"type": "tool_result", "tool_use_id": "a"}, "[No output.]"),
        (result("a", "no", is_error=True), "Error: no"),
        (result("a", "yes", is_error=False), "yes"),
        (result("a", "", is_error=True), "Error"),
        (result("a", [{"type": "tool_reference", "tool_name": "Read"}]), "Read"),
        (result("a", [IMAGE], is_error=True), "Error\n\n" + ON_HAND.format("an image", 1)),
    ],
)
def test_a_result(given: Body, content: str) -> None:
    made = chat(user(text("go")), assistant(call("a")), user(given))
    assert made[2] == told("a", content)
    assert [message["role"] for message in made[3:]] == (["user"] if given.get("content") == [IMAGE] else [])


def test_results_come_in_the_order_of_the_calls_and_before_all_else() -> None:
    messages = [user(text("go")), assistant(call("a"), call("b")), user(text("hm"), result("b", "2"), result("a", "1"))]
    assert chat(*messages)[1:] == [called("a", "b"), told("a", "1"), told("b", "2"), said("hm")]


def test_an_answer_stands_between_results_and_what_the_user_says() -> None:
    """Mistral: "Unexpected role 'user' after role 'tool'"."""
    begun = [user(text("go")), assistant(call("a"))]
    assert chat(*begun, user(result("a", "1"), text("and?")), after_results="Done.")[2:] == [
        told("a", "1"),
        {"role": "assistant", "content": "Done."},
        said("and?"),
    ]
    assert chat(*begun, user(result("a", "1")), after_results="Done.")[2:] == [told("a", "1")]


def test_calls_of_others_get_what_stands_for_a_signature() -> None:
    """Gemini 3 refuses calls without one."""
    stand_in = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    own = {"google": {"thought_signature": "s"}}
    sealed_call = thinking("", sealed(Seal(calls={"b": own})))
    *_, message = chat(user(text("go")), assistant(call("a"), sealed_call, call("b")), call_extra=stand_in)[:2]
    assert [each["extra_content"] for each in message["tool_calls"]] == [stand_in, own]


def test_what_a_result_shows_follows_all_results() -> None:
    shown = [user(text("go")), assistant(call("a"), call("b"))]
    shown.append(user(result("b", [PDF]), result("a", [text("x"), IMAGE, text("y")]), text("and?")))
    *_, first, second, last = chat(*shown, documents="file")
    assert first == told("a", f"x\n\n{ON_HAND.format('an image', 1)}\n\ny")
    assert second == told("b", ON_HAND.format("a document", 2))
    assert [each.get("text") or each["type"] for each in last["content"]] == [
        FROM_TOOL.format(1),
        "image_url",
        FROM_TOOL.format(2),
        "file",
        "and?",
    ]


def test_a_result_of_no_call_is_something_said() -> None:
    """Its image too. The same when a call has its result already, or when another turn came between."""
    messages = [user(result("z", [text("old"), IMAGE])), assistant(call("a")), user(result("a", "1"), result("a", "2"))]
    lead = "[The result of a call that is no longer in this conversation:]"
    assert chat(*messages) == [
        said([part(lead), part("old"), SEEN]),
        called("a"),
        told("a", "1"),
        said(f"{lead}\n\n2"),
    ]
    messages = [
        user(text("go")),
        assistant(call("a")),
        user(text("stop")),
        assistant(text("ok")),
        user(result("a", "1")),
    ]
    made = chat(*messages)
    assert made[1:4] == [called("a"), told("a", MISSING), said("stop")] and made[5] == said(f"{lead}\n\n1")


def test_a_call_without_a_result_gets_one() -> None:
    messages = [user(text("go")), assistant(call("a"), call("b")), user(result("b", "2"))]
    assert chat(*messages)[1:] == [called("a", "b"), told("a", MISSING), told("b", "2")]
    assert chat(*messages[:2])[1:] == [called("a", "b"), told("a", MISSING), told("b", MISSING)]


def test_calls_of_the_same_id_get_ids_of_their_own() -> None:
    messages = [
        user(text("go")),
        assistant(*[call("a")] * 2, call("a_2")),
        user(*(result("a", n) for n in "12"), result("a_2", "3")),
    ]
    assert chat(*messages)[1:] == [called("a", "a_2", "a_2_2"), told("a", "1"), told("a_2", "2"), told("a_2_2", "3")]


def test_many_calls_of_the_same_id_cost_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(client_id: str, *, nine: bool = False) -> str:
        made.append(client_id)
        return provider_id(client_id, nine=nine)

    monkeypatch.setattr("turnout.dialects.chat.assistant.provider_id", counted)
    answer = chat(user(text("go")), assistant(*[call("a")] * 100))[1]
    assert len({each["id"] for each in answer["tool_calls"]}) == 100
    assert len(made) < 400


def test_ids_are_those_of_the_provider() -> None:
    """`tc64_` ones are unpacked; Mistral's have nine letters and digits."""
    messages = [user(text("go")), assistant(call("tc64_Yjox"), call("toolu_1")), user(result("toolu_1", "1"))]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    made = json.loads(chat_request(body, ChatForm()).translated.body)["messages"]
    assert [each["id"] for each in made[1]["tool_calls"]] == ["b:1", "toolu_1"]
    nine = chat(*messages, call_ids="nine")
    assert all(len(each["id"]) == 9 and each["id"].isalnum() for each in nine[1]["tool_calls"])


# --- thoughts ---


@pytest.mark.parametrize(
    "form, given",
    [
        ("none", {}),
        ("reasoning_content", {"reasoning_content": "hm\n\nso"}),
        ("reasoning", {"reasoning": "hm\n\nso"}),
        ("reasoning_details", {}),
    ],
)
def test_thoughts_are_given_back_where_they_are_wanted(form: str, given: Body) -> None:
    thoughts = [thinking("hm"), thinking(""), thinking("so"), {"type": "redacted_thinking", "data": "ZGF0YQ=="}]
    _, answer, _ = chat(user(text("go")), assistant(*thoughts, call("a")), thoughts=form)
    assert answer == called("a", **given)


def test_what_was_sealed_is_given_back() -> None:
    """`reasoning_details` where they are wanted, and what belongs to a call wherever it came from."""
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    extra = {"google": {"thought_signature": "s"}}
    first, second = Seal(details=details), Seal(details=details, calls={"tc64_Yjox": extra})
    blocks = [thinking("hm", sealed(first)), {"type": "redacted_thinking", "data": sealed(second)}]
    blocks += [call("tc64_Yjox"), call("b")]
    body = json.dumps({"model": "m", "messages": [user(text("go")), assistant(*blocks)]}).encode()
    for thoughts, given in (("none", None), ("reasoning_details", details * 2)):
        form = ChatForm.model_validate({"thoughts": thoughts})
        answer = json.loads(chat_request(body, form).translated.body)["messages"][1]
        assert [each.get("extra_content") for each in answer["tool_calls"]] == [extra, None]
        assert answer.get("reasoning_details") == given


@pytest.mark.parametrize(("block", "words"), IN_WORDS)
def test_blocks_without_an_equivalent_are_told_in_words(block: Body, words: str) -> None:
    """Wherever they stand: the server tools of Anthropic leave theirs in a conversation that goes on elsewhere."""
    made = chat(user(block), assistant(block, call("a")), user(result("a", [block])))
    assert [message["content"] for message in made] == [words] * 3
