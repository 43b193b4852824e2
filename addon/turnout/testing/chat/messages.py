"""The messages of a Chat Completions request: roles, fields, content and calls."""

from __future__ import annotations

import json
import re
from typing import Any

from turnout.testing.chat.fields import PART_FIELDS
from turnout.testing.chat.problem import (
    ChatProblem,
    empty_array,
    indexed,
    invalid,
    missing,
    too_long,
    unknown_value,
    wrong_type,
)
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.vendors.problem import Path

Message = dict[str, Any]

_DATA = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")


def check_messages(own: ChatVendor, messages: Any) -> None:
    """Raises ChatProblem."""
    if messages is None:
        raise missing(("messages",))
    if not isinstance(messages, list):
        raise wrong_type(("messages",), "an array of objects", messages)
    if not messages:
        raise empty_array(("messages",))
    for position, message in enumerate(messages):
        path: Path = ("messages", position)
        if not isinstance(message, dict):
            raise wrong_type(path, "an object", message)
        if message.get("role") not in own.roles:
            raise unknown_value((*path, "role"), message.get("role"), own.roles)
        try:
            _check_message(own, message, path)
        except ChatProblem as problem:
            problem.role = message["role"]
            raise


def _check_message(own: ChatVendor, message: Message, path: Path) -> None:
    role = message["role"]
    own.refuse_unknown(message, (own.message_fields or {}).get(role, ()), path)
    if role == "assistant" and "tool_calls" in message:
        _check_calls(own, message["tool_calls"], (*path, "tool_calls"))
    if role == "tool":
        told = message.get("tool_call_id")
        if told is None:
            raise missing((*path, "tool_call_id"))
        _check_id(own, told, (*path, "tool_call_id"))
    _check_content(own, message, (*path, "content"))


def _check_content(own: ChatVendor, message: Message, path: Path) -> None:
    content, role = message.get("content"), message["role"]
    if role == "assistant" and message.get("tool_calls") and content in (None, ""):
        stands = "absent" if "content" not in message else "null" if content is None else "empty"
        if stands not in own.no_content:
            raise wrong_type(path, "a string", content)
        return
    if content is None:
        raise ChatProblem("value", path, "Invalid value for 'content': expected a string, got null.")
    if role == "tool" and content == "" and own.empty_results:
        return
    if content in ("", []):
        raise ChatProblem("value", path, f"Invalid value for '{indexed(path)}': expected non-empty content.")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(path, "one of a string or array of objects", content)
    for position, part in enumerate(content):
        _check_part(own, role, part, (*path, position))
    if not own.text_arrays and all(part["type"] == "text" for part in content):
        raise wrong_type(path, "a string", content)


def _check_part(own: ChatVendor, role: str, part: Any, path: Path) -> None:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    kind = part.get("type")
    if kind not in own.parts[role]:
        raise unknown_value((*path, "type"), kind, own.parts[role])
    known = PART_FIELDS[kind] | {"type"} | ({"cache_control"} if own.marked_parts else set())
    own.refuse_unknown(part, known, path)
    match kind:
        case "text":
            if not isinstance(part.get("text"), str) or not part["text"]:
                raise wrong_type((*path, "text"), "a non-empty string", part.get("text"))
        case "image_url":
            _check_image(own, part.get("image_url"), (*path, "image_url"))
        case "file":
            _check_file(own, part.get("file"), (*path, "file"))


def _check_image(own: ChatVendor, image: Any, path: Path) -> None:
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        raise wrong_type(path, "an object with the string 'url'", image)
    own.refuse_unknown(image, ("url", "detail"), path)
    url = image["url"]
    if url.startswith("data:"):
        if _DATA.fullmatch(url) is None:
            said = f"Invalid MIME type or base64 in '{indexed((*path, 'url'))}'. Only image types are supported."
            raise ChatProblem("value", (*path, "url"), said, "invalid_image_format")
    elif not own.image_addresses or not url.startswith("https://"):
        raise invalid((*path, "url"), "only base64 data is supported.", "invalid_image_url", url)


def _check_file(own: ChatVendor, file: Any, path: Path) -> None:
    if not isinstance(file, dict):
        raise wrong_type(path, "an object", file)
    own.refuse_unknown(file, ("file_data", "file_id", "filename"), path)
    if "file_id" not in file and not str(file.get("file_data", "")).startswith("data:application/pdf;base64,"):
        raise invalid((*path, "file_data"), "expected a base64-encoded data URL of a PDF.")
    if "file_data" in file and not file.get("filename"):
        raise missing((*path, "filename"))


def _check_calls(own: ChatVendor, calls: Any, path: Path) -> None:
    if not isinstance(calls, list):
        raise wrong_type(path, "an array of objects", calls)
    if not calls:
        raise empty_array(path)
    for position, call in enumerate(calls):
        _check_call(own, call, (*path, position))
    ids = [call["id"] for call in calls]
    if len(set(ids)) != len(ids):
        raise invalid(path, "duplicate ids of tool calls.")


def _check_call(own: ChatVendor, call: Any, path: Path) -> None:
    if not isinstance(call, dict):
        raise wrong_type(path, "an object", call)
    own.refuse_unknown(call, own.call_fields, path)
    if "id" not in call:
        raise missing((*path, "id"))
    _check_id(own, call["id"], (*path, "id"))
    if call.get("type") != "function":
        raise unknown_value((*path, "type"), call.get("type"), ("function",))
    function = call.get("function")
    if not isinstance(function, dict) or not {"name", "arguments"} <= set(function):
        raise missing((*path, "function"))
    own.refuse_unknown(function, ("name", "arguments"), (*path, "function"))
    check_name(own, function["name"], (*path, "function", "name"))
    _check_arguments(function["arguments"], (*path, "function", "arguments"))


def _check_id(own: ChatVendor, told: Any, path: Path) -> None:
    if not isinstance(told, str):
        raise wrong_type(path, "a string", told)
    if not told:
        wrong = "empty string. Expected a string with minimum length 1, but got an empty string instead."
        raise invalid(path, wrong, "empty_string")
    if own.longest_id is not None and len(told) > own.longest_id:
        raise too_long(path, "string", own.longest_id, len(told))
    if re.fullmatch(own.call_ids, told) is None:
        said = f"Tool call id was {told} but must be a-z, A-Z, 0-9, with a length of 9."
        raise ChatProblem("own", path, said, "3280", type="invalid_function_call")


def check_name(own: ChatVendor, name: Any, path: Path) -> None:
    """Of a function. Raises ChatProblem."""
    if not isinstance(name, str):
        raise wrong_type(path, "a string", name)
    if len(name) > 64:
        raise too_long(path, "string", 64, len(name))
    if re.fullmatch(own.names, name) is None:
        pattern = "^[a-zA-Z0-9_-]+$"
        wrong = f"string does not match pattern. Expected a string that matches the pattern '{pattern}'."
        raise invalid(path, wrong, value=name)


def _check_arguments(arguments: Any, path: Path) -> None:
    """OpenAI takes any text; the templates of open models read it as an object."""
    if not isinstance(arguments, str):
        raise wrong_type(path, "a string", arguments)
    try:
        read = json.loads(arguments)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise invalid(path, "expected the JSON of an object.")
