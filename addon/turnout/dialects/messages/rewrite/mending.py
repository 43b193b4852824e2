"""A conversation in which another provider has answered, made fit for the next one.

Some run tools of their own and leave them in their answers, number their calls as they like, or write empty texts.
What they wrote is kept where it can be, and told in words where it cannot (decolua/9router#3685, cline/cline#8942).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, deque
from operator import is_

from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role, text_block, without_empty
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.flatten import as_text
from turnout.dialects.messages.rewrite.traces import FOREIGN_MEMBERS
from turnout.dialects.messages.rewrite.tree import Node, Object, is_list, opened, opened_elements, plain, text
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.wire.splice import json_object

_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_UNFIT_FOR_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 128
_NO_NAME = "unnamed"
_OWN_RUN_ID = re.compile(r"srvtoolu_[a-zA-Z0-9_]+")
_RUN_BY_ANTHROPIC = re.compile(
    r"web_search|web_fetch|(?:bash_|text_editor_)?code_execution|tool_search_tool_(?:regex|bm25)|advisor"
)
_RESULT = re.compile(r"\w+_tool_result")
_OF_MCP = frozenset({"mcp_tool_use", "mcp_tool_result"})
_SEEN = frozenset({"image", "document", "search_result", "container_upload"})
"""Blocks of the user's turns: Anthropic takes none of them from an assistant."""
_THOUGHTS = frozenset({"reasoning", "reasoning_text", "reasoning_content", "redacted_reasoning", "summary_text"})
_OF_OTHER_DIALECTS = _THOUGHTS | {
    "output_text", "input_text", "refusal", "image_url", "input_image", "output_image", "image_generation_call",
    "audio", "input_audio", "output_audio", "file", "input_file", "function", "function_call", "tool_call",
    "function_call_output",
}  # fmt: skip
_OF_SEARCH = frozenset({"web_search_result_location"})


def mend(document: Document, *, for_claude: bool) -> None:
    """Leave nothing in the conversation that its target would refuse for where it came from.

    `for_claude`: the rules of Anthropic apply, for the blocks of tools that a server runs and for the ids of calls.
    """
    before = document.messages
    after = _Mender(before, for_claude=for_claude).mended()
    if all(map(is_, after, before)):
        return
    document.messages = without_empty(after, before)
    document.note("foreign turns")


class _Mender:
    def __init__(self, messages: list[Node], *, for_claude: bool) -> None:
        self._messages = messages
        self._for_claude = for_claude
        self._last = next((message for message in reversed(messages) if role(message) != "system"), None)
        self._runs = _runs_of_anthropic(messages, self._last)
        self._calls: dict[str, deque[str]] = {}
        """Of the answer before: the ids of its calls that are still open, by the id that the client knows."""
        self._known: set[str] = set()
        self._counts: Counter[str] = Counter()

    def mended(self) -> list[Node]:
        """A message for each, the same object where there was nothing to do."""
        result: list[Node] = []
        for position, message in enumerate(self._messages):
            if role(message) == "assistant":
                result.append(self._answer(message, self._results_after(position)))
            elif role(message) == "user":
                result.append(self._request(message))
                self._calls = {}
            else:
                result.append(message)
        return result

    def _results_after(self, position: int) -> Counter[str]:
        """The results in the user's next message, by id."""
        following = (message for message in self._messages[position + 1 :] if role(message) != "system")
        message = next(following, None)
        blocks = _blocks(message) if role(message) == "user" else []
        return Counter(text(block.get("tool_use_id")) for block in blocks if block_type(block) == "tool_result")

    # --- an answer ---

    def _answer(self, message: Object, answered: Counter[str]) -> Node:
        ran = {text(block.get("tool_use_id")) for block in _blocks(message) if block_type(block) == "tool_result"}
        self._calls = {}
        kept: list[Node] = []
        for block in content_blocks(message):
            kept += self._block(block, message, answered, ran)
        return _with(message, kept)

    def _block(self, block: Node, message: Node, answered: Counter[str], ran: set[str]) -> list[Node]:
        kind = block_type(block)
        if not kind or kind in _THOUGHTS:
            return []
        if kind == "text":
            return [self._text(block)] if text(block.get("text")).strip() else []
        if kind == "tool_use":
            id = text(block.get("id"))
            is_open = answered[id] > 0 or (message is self._last and id not in ran)
            answered[id] -= 1
            return [self._call(block, id)] if is_open else [_told(block)]
        if kind == "tool_result" or kind in _OF_OTHER_DIALECTS or kind in _SEEN:
            return [_told(block)]
        if self._for_claude and kind in _OF_MCP:
            id = text(block.get("id" if kind == "mcp_tool_use" else "tool_use_id"))
            return [block] if id.startswith("mcptoolu_") else [_told(block)]
        if self._for_claude and (kind == "server_tool_use" or _RESULT.fullmatch(kind)):
            id = text(block.get("id" if kind == "server_tool_use" else "tool_use_id"))
            return [block] if id in self._runs else [_told(block)]
        return [self._bare(block)] if kind in THINKING_BLOCKS else [block]

    def _call(self, block: Object, id: str) -> Node:
        made = self._identifier(id) if self._for_claude else id
        self._calls.setdefault(id, deque()).append(made)
        arguments = opened(block.get("input"))
        changed: Object = {} if made == id else {"id": made}
        if not isinstance(arguments, dict):
            changed["input"] = _object(arguments)
        name = text(block.get("name"))
        fit = _UNFIT_FOR_NAME.sub("_", name)[:_LONGEST_NAME] or _NO_NAME
        if fit != name:
            changed["name"] = fit
        kept = self._bare(block)
        return {**kept, **changed} if changed else kept

    def _text(self, block: Object) -> Node:
        """Without what it cites of a search that its reader has not made."""
        block = self._bare(block)
        cited = block.get("citations")
        if not self._for_claude or not is_list(cited):
            return block
        citations = opened_elements(cited)
        known = [citation for citation in citations if _is_known(citation)]
        if len(known) == len(citations):
            return block
        rest = {name: value for name, value in block.items() if name != "citations"}
        return {**rest, "citations": known} if known else rest

    def _bare(self, block: Object) -> Object:
        """For Anthropic, the block without members that none of its own has; the same object when there are none."""
        if not self._for_claude or block.keys().isdisjoint(FOREIGN_MEMBERS):
            return block
        return {name: value for name, value in block.items() if name not in FOREIGN_MEMBERS}

    def _identifier(self, id: str) -> str:
        """An id that the API takes, the same one in every request of the conversation."""
        self._counts[id] += 1
        if not _CALL_ID.fullmatch(id) or id in self._known:
            digest = hashlib.sha256(f"{id}\0{self._counts[id]}".encode("utf-8", "surrogatepass")).hexdigest()
            id = f"toolu_{digest[:24]}"
        self._known.add(id)
        return id

    # --- a turn of the user ---

    def _request(self, message: Object) -> Node:
        results: list[Node] = []
        others: list[Node] = []
        for block in content_blocks(message):
            if block_type(block) == "tool_result":
                result = self._result(block)
                (results if result is not None else others).append(result if result is not None else _told(block))
            elif block_type(block) != "text" or text(block.get("text")).strip():
                others.append(block)
        return _with(message, [*results, *others])

    def _result(self, block: Object) -> Node | None:
        """The result with the id that its call has now; None when there is no such call."""
        id = text(block.get("tool_use_id"))
        made = self._calls.get(id)
        if not made:
            return None
        new = made.popleft()
        return block if new == id else {**block, "tool_use_id": new}


def _with(message: Object, blocks: list[Node]) -> Node:
    """The message with these blocks, the same object when they are what it had."""
    content = message.get("content")
    if isinstance(content, list):
        same = len(blocks) == len(content) and all(map(is_, blocks, content))
        return message if same and blocks else {**message, "content": blocks}
    # A text, or nothing at all.
    return message if blocks and content is not None else {**message, "content": blocks}


def _is_known(citation: Node) -> bool:
    """Of a search, Anthropic wants to know the place again: it has given it an index."""
    if not isinstance(citation, dict):
        return False
    kind = block_type(citation)
    return bool(text(citation.get("encrypted_index"))) if kind in _OF_SEARCH else kind.endswith("_location")


def _told(block: Object) -> Object:
    return text_block(as_text(block), block)


def _blocks(message: Node) -> list[Object]:
    return [block for block in content_blocks(message) if isinstance(block, dict)]


def _object(arguments: Node) -> Node:
    """The input of a call that is no object: some write it as a text, or leave it out."""
    value = plain(arguments)
    if isinstance(value, str):
        value = json_object(value.encode("utf-8", "surrogatepass"))
    return value if isinstance(value, dict) else {}


def _runs_of_anthropic(messages: list[Node], last: Node) -> frozenset[str]:
    """The ids of the tools that Anthropic itself has run, with results that it will know again."""
    uses: set[str] = set()
    waiting: set[str] = set()
    sound: dict[str, bool] = {}
    for message in messages:
        for block in _blocks(message) if role(message) == "assistant" else ():
            kind = block_type(block)
            if kind == "server_tool_use":
                id = text(block.get("id"))
                if _OWN_RUN_ID.fullmatch(id) and _RUN_BY_ANTHROPIC.fullmatch(text(block.get("name"))):
                    uses.add(id)
                    waiting |= {id} if message is last else set()
            elif _RESULT.fullmatch(kind):
                sound[text(block.get("tool_use_id"))] = _is_sound(block)
    return frozenset(id for id in uses if sound.get(id, id in waiting))


def _is_sound(result: Object) -> bool:
    """Anthropic gives every page that it has found a content of its own, which has to come back."""
    if block_type(result) != "web_search_tool_result" or not is_list(result.get("content")):
        return True
    pages = opened_elements(result["content"])
    return all(isinstance(page, dict) and text(page.get("encrypted_content")) for page in pages)
