"""Tools, which of them to use, and schemas for the strictest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.chat.test_request import fields
from tests.dialects.messages.bodies import json_values
from tests.dialects.messages.shapes import Body
from turnout.dialects.chat.schemas import plain_schema
from turnout.settings.chat import ChatForm

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
TOOL = {"name": "Bash", "description": "runs", "input_schema": SCHEMA}


def function(tool: Body, **form: Any) -> Body:
    (made,) = fields(ChatForm(**form), tools=[tool])["tools"]
    return made["function"]  # type: ignore[no-any-return]


def test_a_tool_is_a_function() -> None:
    extras = {"type": "custom", "cache_control": {"type": "ephemeral"}, "defer_loading": True, "input_examples": [{}]}
    assert function(TOOL | extras) == {"name": "Bash", "description": "runs", "parameters": SCHEMA}
    assert function({"name": "a", "description": "", "input_schema": SCHEMA}).keys() == {"name", "parameters"}


@pytest.mark.parametrize(
    "schema, parameters",
    [
        (None, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": ["object", "null"], "properties": None}, {"type": "object", "properties": {}}),
    ],
)
def test_parameters_are_an_object(schema: Any, parameters: Body) -> None:
    assert function({"name": "a", "input_schema": schema})["parameters"] == parameters


@pytest.mark.parametrize(
    "own, form, strict",
    [
        (None, "absent", None),
        (None, "false", False),
        (True, "absent", True),
        (True, "false", True),
        (False, "absent", False),
    ],
)
def test_strictness_is_the_clients(own: bool | None, form: str, strict: bool | None) -> None:
    assert function(TOOL if own is None else TOOL | {"strict": own}, strict=form).get("strict") is strict


BASH = {"type": "bash_20250124", "name": "bash"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "a"}


@pytest.mark.parametrize(
    "choice, told",
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "Bash"}, {"tool_choice": {"type": "function", "function": {"name": "Bash"}}}),
        ({"type": "tool", "name": "bash"}, {"tool_choice": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"tool_choice": "required", "parallel_tool_calls": False}),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
    ],
)
def test_the_choice_of_a_tool(choice: Body, told: Body) -> None:
    made = fields(tools=[TOOL, BASH, TOOLSET], tool_choice=choice)
    assert [tool["function"]["name"] for tool in made.pop("tools")] == ["Bash"]
    assert made == told
    unswitched = fields(ChatForm(parallel_switch=False), tools=[TOOL], tool_choice=choice)
    assert "parallel_tool_calls" not in unswitched
    assert fields(tools=[BASH], tool_choice=choice) == {} == fields(tool_choice=choice, tools=[])


# --- schemas for the strictest ---


def plain(schema: Any, **beside: Any) -> Any:
    """What becomes of the schema of a property."""
    whole = {"type": "object", "properties": {"a": schema}, **beside}
    return json.loads(plain_schema(json.dumps(whole).encode()))["properties"]["a"]


TREE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}}}
OPEN = {"type": "object"}


@pytest.mark.parametrize(
    "schema, made",
    [
        ({"type": "string", "format": "uri", "pattern": "a", "minLength": 1, "default": "b"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 5}, {"type": "integer", "minimum": 1}),
        ({"const": "x"}, {"type": "string", "enum": ["x"]}),
        ({"enum": ["x", "", None]}, {"type": "string", "enum": ["x"], "nullable": True}),
        ({"enum": [1, 2], "description": "d"}, {"type": "integer", "description": "d One of: 1, 2."}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["string", "number"]}, {"anyOf": [{"type": "string"}, {"type": "number"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"const": None}]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"type": "string", "format": "uri"}, {"type": "string"}]}, {"type": "string"}),
        (
            {"type": ["integer", "null"], "anyOf": [{"minimum": "1"}, {"minimum": 5}]},
            {"anyOf": [{"nullable": True, "type": "integer"}, {"nullable": True, "type": "integer", "minimum": 5}]},
        ),
        (
            {"anyOf": [{"type": ["string", "number"]}, {"type": "boolean"}], "description": "d"},
            {"anyOf": [{"description": "d", "type": each} for each in ("string", "number", "boolean")]},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "array"}], "description": "d", "title": "t"},
            {
                "anyOf": [
                    {"description": "d", "type": "string"},
                    {"description": "d", "type": "array", "items": {"type": "string"}},
                ]
            },
        ),
        (
            {"type": "object", "properties": {"x": {}}, "anyOf": [{"properties": {"y": {"type": "null"}}}]},
            {"type": "object", "properties": {"y": {"type": "string", "nullable": True}, "x": {"type": "string"}}},
        ),
        (
            {"allOf": [{"$ref": "#/$defs/tree"}, {"properties": {"m": True}, "required": ["m", "n", "z"]}]},
            {
                "type": "object",
                "properties": {"m": {"type": "string"}, "next": OPEN, "n": {"type": "integer"}},
                "required": ["m", "n"],
            },
        ),
        (
            {"type": "array", "items": [{"type": "string"}], "minItems": 1},
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
        ),
        (
            {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "string"}]},
            {"type": "array", "items": {"anyOf": [{"type": "boolean"}, {"type": "string"}]}},
        ),
        ({"additionalProperties": {"type": "string"}, "propertyNames": {}, "patternProperties": {}}, OPEN),
        ({"type": "object", "required": ["x"]}, OPEN),
        (
            {"$ref": "#/$defs/tree", "description": "d"},
            {**TREE, "description": "d", "properties": {"next": OPEN, "n": {"type": "integer"}}},
        ),
        ({"$ref": "#/$defs/a~1b"}, {"type": "boolean"}),
        ({"$ref": "#/$defs/list/1"}, {"type": "number"}),
        ({"$ref": "https://example.com/s.json"}, {"type": "string"}),
        ({"$ref": "#"}, {"type": "object", "properties": {"a": OPEN}}),
        (True, {"type": "string"}),
    ],
)
def test_plain_schemas(schema: Any, made: Body) -> None:
    definitions = {"tree": TREE, "a/b": {"type": "boolean"}, "list": [{}, {"type": "number"}]}
    assert plain(schema, **{"$defs": definitions}) == made


def test_references_that_double_each_time_come_to_an_end() -> None:
    definitions = {f"d{n}": {"anyOf": [{"items": {"$ref": f"#/$defs/d{n + 1}"}}] * 2} for n in range(40)}
    definitions |= {f"e{n}": {"properties": {side: {"$ref": f"#/$defs/e{n + 1}"} for side in "lr"}} for n in range(40)}
    for start in ("d0", "e0"):
        assert len(json.dumps(plain({"$ref": f"#/$defs/{start}"}, **{"$defs": definitions}))) < 50_000


@pytest.mark.parametrize(
    "schema",
    [None, [], "a", {"type": "array"}, {"type": ["object", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}],
)
def test_what_is_no_object_becomes_one(schema: Any) -> None:
    assert json.loads(plain_schema(json.dumps(schema).encode())) == {"type": "object", "properties": {}}


_KEYS = {
    *("type", "description", "nullable", "enum", "format", "items", "properties", "required", "anyOf"),
    *("minimum", "maximum", "minItems", "maxItems"),
}


def check_plain(schema: Any) -> None:
    """As Gemini checks it."""
    assert schema.keys() <= _KEYS
    if "anyOf" in schema:
        assert schema.keys() == {"anyOf"} and len(schema["anyOf"]) > 1
    else:
        assert isinstance(schema["type"], str)
    assert ("items" in schema) == (schema.get("type") == "array")
    assert "enum" not in schema or schema["type"] == "string" and all(isinstance(each, str) for each in schema["enum"])
    assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()
    for each in (
        *schema.get("anyOf", ()),
        *schema.get("properties", {}).values(),
        *filter(None, [schema.get("items")]),
    ):
        check_plain(each)


_names = st.sampled_from(["a", "b"])
_refs = st.sampled_from(["#/$defs/a", "#/$defs/b", "#", "#/properties/a", "#/nothing"])
_types = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null", "other"])


def _members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    tables, lists = st.dictionaries(_names, inner, max_size=2), st.lists(inner, max_size=2)
    known = {
        **dict.fromkeys(("properties", "$defs"), tables),
        **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), lists),
        **{"items": inner, "$ref": _refs, "type": _types | st.lists(_types, max_size=3), "nullable": st.booleans()},
        **{"required": st.lists(_names), "enum": st.lists(json_values, max_size=2), "minimum": json_values},
        **{"const": json_values, "description": json_values, "format": json_values, "$schema": json_values},
    }
    return st.fixed_dictionaries({}, optional=known)


@given(st.recursive(st.booleans() | json_values, _members, max_leaves=8))
def test_any_schema_becomes_a_plain_one(schema: Any) -> None:
    made = json.loads(plain_schema(msgspec.json.encode(schema)))
    assert made["type"] == "object" and isinstance(made["properties"], dict)
    check_plain(made)
