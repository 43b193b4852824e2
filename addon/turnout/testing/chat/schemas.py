"""The parameters of a function: an object everywhere, and more at the servers that read schemas themselves.

OpenAI's rules and Gemini's subset are those that their refusals tell; https://ai.google.dev/api/caching#Schema.
"""

from __future__ import annotations

from typing import Any

from turnout.testing.chat.problem import ChatProblem
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.vendors.problem import Path

_NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf", "enum", "not")
_GEMINI = frozenset(
    ("type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems", "properties")
    + ("required", "minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength", "pattern")
    + ("example", "anyOf", "propertyOrdering", "default")
)
_TYPES = ("string", "number", "integer", "boolean", "array", "object")
_FORMATS = {"string": ("enum", "date-time"), "number": ("float", "double"), "integer": ("int32", "int64")}


def check_parameters(own: ChatVendor, function: dict[str, Any], path: Path) -> None:
    """Raises ChatProblem."""
    name, schema = function["name"], function["parameters"]
    told = schema.get("type") if isinstance(schema, dict) else None
    if told != "object":
        wrong = f"""schema must be a JSON Schema of 'type: "object"', got 'type: "{told}"'."""
        raise _of_openai(name, wrong, path)
    match own.schemas:
        case "openai":
            _check_openai(name, schema, path)
        case "gemini":
            _check_gemini(schema, f"tools[0].function_declarations[{path[1]}].parameters")


def _of_openai(name: str, wrong: str, path: Path) -> ChatProblem:
    said = f"Invalid schema for function '{name}': {wrong}"
    return ChatProblem("value", path, said, "invalid_function_parameters")


def _check_openai(name: str, schema: dict[str, Any], path: Path) -> None:
    if any(word in schema for word in _NOT_AT_THE_TOP):
        wrong = "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
        raise _of_openai(name, wrong, path)
    if "properties" not in schema:
        raise _of_openai(name, "In context=(), object schema missing properties.", path)
    for key, inner in schema["properties"].items():
        if isinstance(inner, dict) and inner.get("type") == "array" and "items" not in inner:
            wrong = f"In context=('properties', '{key}'), array schema missing items."
            raise _of_openai(name, wrong, path)


def _check_gemini(schema: Any, place: str) -> None:
    if not isinstance(schema, dict):
        raise _of_gemini(f"Invalid value at '{place}' (type.googleapis.com/google.ai.generativelanguage.Schema)")
    for name in schema:
        if name not in _GEMINI:
            raise _of_gemini(f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field.")
    kind = schema.get("type")
    if kind not in _TYPES and not (kind is None and "anyOf" in schema):
        raise _of_gemini(f"Invalid value at '{place}.type', {kind!r}")
    if "format" in schema and schema["format"] not in _FORMATS.get(kind, ()):
        raise _of_gemini(f"* GenerateContentRequest.{place}.format: only 'enum' and 'date-time' are supported")
    if "enum" in schema and (kind != "string" or not all(isinstance(each, str) and each for each in schema["enum"])):
        raise _of_gemini(f"* GenerateContentRequest.{place}.enum: only allowed for STRING type")
    if kind == "array" and "items" not in schema:
        raise _of_gemini(f"* GenerateContentRequest.{place}.items: missing field.")
    _check_gemini_object(schema, place)
    for position, inner in enumerate(schema.get("anyOf", ())):
        _check_gemini(inner, f"{place}.any_of[{position}]")
    if "items" in schema:
        _check_gemini(schema["items"], f"{place}.items")


def _check_gemini_object(schema: dict[str, Any], place: str) -> None:
    properties = schema.get("properties", {})
    if schema.get("type") != "object":
        for name in ("properties", "required"):
            if name in schema:
                raise _of_gemini(f"* GenerateContentRequest.{place}.{name}: only allowed for OBJECT type")
        return
    if "properties" in schema and not properties:
        raise _of_gemini(f"* GenerateContentRequest.{place}.properties: should be non-empty for OBJECT type")
    for position, name in enumerate(schema.get("required", ())):
        if name not in properties:
            raise _of_gemini(f"* GenerateContentRequest.{place}.required[{position}]: property is not defined")
    for position, inner in enumerate(properties.values()):
        _check_gemini(inner, f"{place}.properties[{position}].value")


def _of_gemini(said: str) -> ChatProblem:
    return ChatProblem("own", (), said)
