"""The shapes of the requests that Claude Code sends, with filler in place of its texts.

Structure, types, markers, betas and sizes of fields follow what was recorded of the real client; see
tests/recordings for the recordings themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

OPUS = "claude-opus-4-6"
SONNET = "claude-sonnet-4-6"
HAIKU = "claude-haiku-4-5-20251001"
NEWEST = "claude-opus-5-5"

BETAS = (
    "claude-code-20250219",
    "context-1m-2025-08-07",
    "interleaved-thinking-2025-05-14",
    "thinking-token-count-2026-05-13",
    "context-management-2025-06-27",
    "prompt-caching-scope-2026-01-05",
    "mid-conversation-system-2026-04-07",
    "effort-2025-11-24",
)
NEWEST_BETAS = (
    *("claude-code-20250219", "interleaved-thinking-2025-05-14", "context-management-2025-06-27"),
    *("per-turn-control-2026-07-01", "mid-conversation-tool-changes-2026-07-01", "thinking-token-count-2026-05-13"),
    *("advanced-tool-use-2025-11-20", "effort-2025-11-24"),
)
"""What Claude Code 2.1.332 sends with a model of the 5.5 generation."""
AUTO_BETAS = (
    *NEWEST_BETAS,
    *("dangerous-tool-use-2026-09-03", "thinking-display-updates-2026-08-18", "afk-mode-2026-01-31"),
)
OAUTH_BETAS = ("oauth-2025-04-20", *BETAS, "extended-cache-ttl-2025-04-11")

EPHEMERAL = {"type": "ephemeral"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


@dataclass(frozen=True)
class Shape:
    """One request."""

    name: str
    body: Body
    betas: tuple[str, ...]

    @property
    def model(self) -> str:
        return str(self.body["model"])

    def sent_to(self, model: str) -> bytes:
        """The body as bytes, for another model."""
        return json.dumps({**self.body, "model": model}, ensure_ascii=False).encode()


def filler(words: int, seed: str = "filler") -> str:
    return " ".join(f"{seed}{number}" for number in range(words))


def text(content: str, **more: Any) -> Body:
    return {"type": "text", "text": content, **more}


def user(*blocks: Body) -> Body:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Body) -> Body:
    return {"role": "assistant", "content": list(blocks)}


def system(content: str) -> Body:
    return {"role": "system", "content": content}


def thinking(content: str, signature: str = "U2lnbmVkIGJ5IHNvbWVib2R5IGVsc2U=") -> Body:
    return {"type": "thinking", "thinking": content, "signature": signature}


def call(id: str, name: str = "Bash", **input: Any) -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def result(id: str, content: Any, **more: Any) -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


def _tools(count: int = 24) -> list[Body]:
    names = ["Bash", "Read", "Edit", "Write", *(f"mcp__server__tool_{number}" for number in range(count - 4))]
    return [
        {
            "name": name,
            "description": filler(40, name.lower()),
            "input_schema": {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"command": {"type": "string", "description": filler(5)}, "limit": {"type": "number"}},
                "required": ["command"],
                "additionalProperties": False,
            },
        }
        for name in names
    ]


def _system(ttl: Body) -> list[Body]:
    return [
        text("x-anthropic-billing-header: cc_version=2.1.197.0; cc_entrypoint=sdk-cli; cch=00000;"),
        text(filler(12, "role"), cache_control={**EPHEMERAL, **ttl}),
        text(filler(900, "rule"), cache_control={**EPHEMERAL, **ttl, "scope": "global"}),
    ]


def _fresh(model: str, ttl: Body | None = None) -> Body:
    """A one-line prompt in a new session."""
    identity = {"device_id": "0" * 64, "account_uuid": "", "session_id": "00000000-0000-4000-8000-000000000000"}
    body: Body = {
        "model": model,
        "messages": [
            user(
                text(filler(60, "reminder")),
                text("Say hello via the tool.", cache_control={**EPHEMERAL, **(ttl or {})}),
            ),
            system(filler(30, "aside")),
        ],
        "system": _system(ttl or {}),
        "tools": _tools(),
        "metadata": {"user_id": json.dumps(identity)},
        "max_tokens": 32000 if model == HAIKU else 64000,
        "stream": True,
    }
    if model == HAIKU:
        return {**body, "thinking": {"type": "enabled", "budget_tokens": 31999}}
    return {
        **body,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
    }


def _going(model: str, *messages: Body) -> Body:
    """A session in its middle."""
    body = _fresh(model)
    body["messages"][0]["content"][1].pop("cache_control")
    body["messages"] += messages
    return body


def _turn(*results: Body, calls: tuple[Body, ...] | None = None) -> tuple[Body, Body]:
    calls = calls or (call("toolu_01", command="echo one"), call("toolu_02", "Read", file="/a", limit=2.50))
    return assistant(thinking("what to do"), text("Let me look."), *calls), user(*results)


def _with_thinking(model: str) -> Body:
    turn = _turn(
        result("toolu_01", [text("one")]),
        result("toolu_02", "no such file", is_error=True, cache_control=EPHEMERAL),
    )
    return _going(model, *turn)


def _with_images(model: str) -> Body:
    turn = _turn(result("toolu_01", [text("a screen"), IMAGE]), result("toolu_02", [IMAGE], cache_control=EPHEMERAL))
    body = _going(model, *turn)
    body["messages"][0]["content"].append(deepcopy(IMAGE))
    return body


def _with_document(model: str) -> Body:
    body = _going(model, assistant(text("Which one?")), user(text("This one.", cache_control=EPHEMERAL)))
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQKJUVPRgo="}
    plain = {"type": "text", "media_type": "text/plain", "data": filler(20, "page")}
    body["messages"][-1]["content"] += [
        {"type": "document", "source": source, "title": "a.pdf"},
        {"type": "document", "source": plain, "title": "a.txt", "citations": {"enabled": True}},
    ]
    return body


def _compaction(model: str) -> Body:
    body = _with_thinking(model)
    body["messages"] += [assistant(text("It says one.")), user(text(filler(80, "summarise"), cache_control=EPHEMERAL))]
    body["messages"][-3]["content"][-1].pop("cache_control")
    return body


def _title(model: str) -> Body:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    return {
        "model": model,
        "messages": [user(text(filler(8, "prompt")))],
        "system": [_system({})[0], text(filler(60, "title"))],
        "tools": [],
        "metadata": _fresh(model)["metadata"],
        "max_tokens": 32000,
        "thinking": {"type": "disabled"},
        "temperature": 1,
        "output_config": {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}},
        "stream": True,
    }


def _web_search(model: str) -> Body:
    body = _title(model)
    body |= {
        "messages": [user(text("Perform a web search for the query: filler"))],
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        "tool_choice": {"type": "tool", "name": "web_search"},
    }
    del body["output_config"]
    return body


def _searched(model: str) -> Body:
    found = {
        "type": "web_search_result",
        "url": "https://example.com/",
        "title": "Example",
        "encrypted_content": "e30=",
    }
    tool = {"type": "tool_reference", "tool_name": "mcp__server__tool_1"}
    source = {"type": "search_result", "source": "https://example.com/", "title": "Example", "content": [text("found")]}
    return _going(
        model,
        assistant(
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "filler"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": [found]},
            text("Found it."),
            call("toolu_01", "mcp__server__tool_0"),
            call("toolu_02", "mcp__server__tool_1"),
        ),
        user(result("toolu_01", [tool]), result("toolu_02", [source, text("and more")])),
    )


def _system_between(model: str) -> Body:
    use, answer = _turn(result("toolu_01", "one"), result("toolu_02", "two"), text("Go on."))
    done = assistant(thinking("enough"), text("Done."))
    return _going(model, use, system("The date has changed."), answer, system("Be brief."), done, user(text("Thanks.")))


def _odd_tools(model: str) -> Body:
    body = _fresh(model)
    body["tools"][0] |= {"defer_loading": True, "type": "custom"}
    body["tools"][1] |= {"eager_input_streaming": True}
    body["tools"][2] |= {"strict": True, "cache_control": {**EPHEMERAL}}
    body["tools"][3] |= {"input_examples": [{"command": "echo"}], "allowed_callers": ["direct"]}
    body["tools"].append({"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"})
    return body


def _top_level_marker(model: str) -> Body:
    body = _fresh(model)
    body["messages"][0]["content"][1].pop("cache_control")
    return {**body, "cache_control": {**EPHEMERAL, "evict_on_complete": True}}


PLACEHOLDER: Body = {
    "name": "DeferredToolPlaceholder",
    "description": filler(4, "never"),
    "input_schema": {"type": "object", "properties": {}},
    "defer_loading": True,
}


def entry(content: Any, effort: str = "medium") -> Body:
    """A system entry as the 5.5 generation gets it."""
    return {"role": "system", "content": content, "output_config": {"effort": effort}}


def _newest(model: str, ttl: Body | None = None) -> Body:
    """A one-line prompt in a new session of Claude Code 2.1.332."""
    body = _fresh(model, ttl)
    mark = {**EPHEMERAL, **(ttl or {})}
    del body["messages"][0]["content"][1]["cache_control"], body["system"][2]["cache_control"]["scope"]
    body["messages"][1] = entry([text(filler(90, "aside"), cache_control=mark)])
    body["tools"] = [*_tools(11), deepcopy(PLACEHOLDER)]
    thinking = {"type": "adaptive", "display": "omitted"}
    return {**body, "max_tokens": 128_000, "thinking": thinking, "output_config": {"effort": "medium"}}


def _newest_going(model: str, *messages: Body) -> Body:
    body = _newest(model)
    body["messages"][1] = entry(filler(90, "aside"))
    body["messages"] += messages
    return body


def _newest_turn(model: str) -> Body:
    turn = _turn(result("toolu_01", "one", is_error=False), result("toolu_02", "two", cache_control=EPHEMERAL))
    return _newest_going(model, *turn, entry([], "high"))


def _newest_auto(model: str) -> Body:
    """An interactive session: the server is asked whether an action is dangerous."""
    context = {"v": 1, "home_dir": "/home/filler", "live_cwd": "/home/filler/work", "git": {"branch": "filler"}}
    body = _newest(model)
    body["thinking"]["display"] = "updates"
    return {**body, "safeguards": [{"type": "dangerous_tool_use", "classifier_context": context}]}


def _newest_bare(model: str) -> Body:
    body = _newest(model)
    body["messages"][0]["content"][1]["cache_control"] = dict(EPHEMERAL)
    body["messages"][1] = entry([])
    return body


def _newest_found(model: str) -> Body:
    """What ToolSearch found comes back as references, and is among the tools from then on."""
    found = [{"type": "tool_reference", "tool_name": name} for name in ("mcp__server__tool_1", "mcp__server__tool_2")]
    call_it = assistant(thinking("what is there"), call("toolu_01", "mcp__server__tool_0", query="select:tool_1"))
    body = _newest_going(
        model, call_it, user(result("toolu_01", found), text("They are there now.", cache_control=EPHEMERAL))
    )
    for tool in body["tools"][5:7]:
        tool["defer_loading"] = True
    return body


def _newest_changes(model: str) -> Body:
    """Tools that come and go within the conversation."""
    own = {"name": "late_tool", "description": filler(5, "late"), "input_schema": {"type": "object", "properties": {}}}
    added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": own}}
    removed = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "mcp__server__tool_6"}}
    body = _newest_going(model, assistant(text("Done.")), user(text("And now?", cache_control=EPHEMERAL)))
    body["messages"].insert(2, entry([text(filler(3, "tools")), added, removed]))
    return body


def _newest_title(model: str) -> Body:
    body = _title(model)
    del body["thinking"], body["temperature"]
    return {**body, "max_tokens": 128_000, "output_config": {**body["output_config"], "effort": "medium"}}


_BUILDERS: dict[str, tuple[Callable[[str], Body], tuple[str, ...]]] = {
    "fresh": (_fresh, BETAS),
    "hour": (lambda model: _fresh(model, {"ttl": "1h"}), OAUTH_BETAS),
    "thinking": (_with_thinking, BETAS),
    "images": (_with_images, BETAS),
    "document": (_with_document, BETAS),
    "compaction": (_compaction, BETAS),
    "title": (_title, ("claude-code-20250219", "structured-outputs-2025-12-15")),
    "web search": (_web_search, ("claude-code-20250219", "web-search-2025-03-05")),
    "searched": (_searched, BETAS),
    "system between": (_system_between, BETAS),
    "odd tools": (_odd_tools, (*BETAS, "advanced-tool-use-2025-11-20")),
    "top-level marker": (_top_level_marker, (*BETAS, "prompt-caching-evict-2026-05-12")),
}


def _shape(name: str, model: str) -> Shape:
    build, betas = _BUILDERS[name]
    sent = tuple(beta for beta in betas if model != HAIKU or not beta.startswith(("effort-", "context-1m-")))
    return Shape(f"{name}, {model.split('-')[1]}", build(model), sent)


_NEWEST: dict[str, tuple[Callable[[str], Body], tuple[str, ...]]] = {
    "newest": (_newest, NEWEST_BETAS),
    "newest hour": (
        lambda model: _newest(model, {"ttl": "1h"}),
        ("oauth-2025-04-20", *NEWEST_BETAS, "extended-cache-ttl-2025-04-11"),
    ),
    "newest turn": (_newest_turn, NEWEST_BETAS),
    "newest auto": (_newest_auto, AUTO_BETAS),
    "newest bare": (_newest_bare, NEWEST_BETAS),
    "newest found": (_newest_found, NEWEST_BETAS),
    "newest changes": (_newest_changes, NEWEST_BETAS),
    "newest title": (
        _newest_title,
        ("claude-code-20250219", "redact-thinking-2026-02-12", "per-turn-control-2026-07-01", "effort-2025-11-24")
        + ("structured-outputs-2025-12-15",),
    ),
}

SHAPES = (
    *(_shape(name, model) for name in _BUILDERS for model in (OPUS, HAIKU)),
    _shape("fresh", SONNET),
    *(Shape(name, build(NEWEST), betas) for name, (build, betas) in _NEWEST.items()),
)
"""Sonnet's are those of Opus but for the name."""


def shape(name: str) -> Shape:
    """The shape of this name, such as `fresh, opus`."""
    return next(each for each in SHAPES if each.name == name)


IN_WORDS: list[tuple[Body, str]] = [
    ({"type": "search_result", "source": "https://x", "title": "T", "content": [text("C")]}, "T\nhttps://x\nC"),
    ({"type": "document", "title": "T", "source": {"type": "text", "data": "D"}}, "T\nD"),
    (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
        "[A document (application/pdf) was here; this model cannot read it.]",
    ),
    ({"type": "document", "source": {"type": "content", "content": [text("C")]}}, "C"),
    ({"type": "tool_reference", "tool_name": "Grep"}, "Grep"),
    ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}, '[web_search: {"q": 1}]'),
    (
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result", "title": "T", "url": "U"}]},
        "T U",
    ),
    ({"type": "web_search_tool_result", "content": {"error_code": "max_uses_exceeded"}}, "max_uses_exceeded"),
    ({"type": "compaction", "content": "summary"}, "summary"),
    ({"type": "container_upload", "file_id": "f"}, "[A block of type container_upload was left out.]"),
    ({"type": "hologram", "shape": [1]}, "[A block of type hologram was left out.]"),
    ({"type": "fallback", "text": "  "}, "[A block of type fallback was left out.]"),
]
"""Blocks that a provider does not know, and what they say in words."""
