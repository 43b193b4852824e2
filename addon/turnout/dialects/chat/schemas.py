"""Schemas of parameters, brought down to what the strictest servers read.

That is the `Schema` of Gemini's API (https://ai.google.dev/api/caching#Schema), a message of fixed fields. What it does
not know it refuses ("Unknown name "additionalProperties" … Cannot find field"), and so it does with types in a list
("Proto field is not repeating"), with a schema without a type ("must be specified when not using one_of, any_of or
all_of"), an enum of anything but strings ("only allowed for STRING type"), and a name in `required` of which there is
no property ("property is not defined").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

Schema = dict[str, Any]
Path = tuple[str, ...]
"""References that are being followed."""

_MOST_REFERENCES = 256
_DEEPEST = 12
"""How many references a schema may have once all are followed, and how many inside each other. A type that holds
itself ends with an object of which nothing is said."""
_FORMATS = {"number": ("float", "double"), "integer": ("int32", "int64"), "string": ("date-time",)}
_BOUNDS = {
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}
_TYPES = frozenset(("string", "number", "integer", "boolean", "array", "object"))
_BY_MEMBER = (("properties", "object"), ("additionalProperties", "object"), ("items", "array"))
_BY_VALUE = {bool: "boolean", int: "integer", float: "number"}


@lru_cache(maxsize=1024)
def plain_schema(schema: bytes) -> bytes:
    """A schema in JSON as one of an object, with `properties`. A client sends the same tools again and again."""
    root = msgspec.json.decode(schema)
    made = _Plain(root).of(root)
    if made.get("type") != "object":
        made = {"type": "object"}
    made.pop("nullable", None)
    return msgspec.json.encode({"properties": {}, **made})


class _Plain:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._references = _MOST_REFERENCES

    def of(self, node: Any, path: Path = ()) -> Schema:
        """What the strictest read of any schema."""
        whole, path = self._whole(node, path)
        branches = [branch for name in ("anyOf", "oneOf") for branch in _list(whole.get(name))]
        kinds = _kinds(whole)
        if branches and "properties" not in whole:
            known = {"type": kinds} if kinds else {}
            return self._alternatives(whole, [{**known, **_table(branch)} for branch in branches], path)
        if len(kinds) > 1:
            return self._alternatives(whole, [{**whole, "type": kind} for kind in kinds], path)
        return self._single(whole, kinds[0] if kinds else _guessed(whole), path)

    def _whole(self, node: Any, path: Path) -> tuple[Schema, Path]:
        """A schema with what it refers to, and with all that it consists of."""
        schema = dict(_table(node))
        while isinstance(reference := schema.pop("$ref", None), str):
            if reference in path or len(path) == _DEEPEST or not self._references:
                schema = {"type": "object", **schema}
                break
            self._references -= 1
            path = (*path, reference)
            schema = {**_table(_found(self._root, reference)), **schema}
        for branch in _list(schema.pop("allOf", None)):
            part, path = self._whole(branch, path)
            schema = _merged(schema, part)
        if "properties" in schema:
            for branch in (each for name in ("anyOf", "oneOf") for each in _list(schema.get(name))):
                part, path = self._whole(branch, path)
                schema = _merged(schema, {"properties": part.get("properties")})
        return schema, path

    def _alternatives(self, whole: Schema, branches: list[Schema], path: Path) -> Schema:
        """Nothing may stand beside `anyOf`: what is said of all is said of each."""
        wholes = [self._whole(branch, path) for branch in branches]
        worded = [(branch, inner) for branch, inner in wholes if not _is_null(branch)]
        shared: Schema = {name: whole[name] for name in ("description",) if isinstance(whole.get(name), str)}
        if _nullable(whole) or len(worded) < len(wholes):
            shared["nullable"] = True
        made: list[Schema] = []
        for branch, inner in worded or [({}, path)]:
            plain = self.of(branch, inner)
            made += [{**shared, **each} for each in plain.get("anyOf", [plain])]
        different = [schema for place, schema in enumerate(made) if schema not in made[:place]]
        return different[0] if len(different) == 1 else {"anyOf": different}

    def _single(self, whole: Schema, kind: str, path: Path) -> Schema:
        made: Schema = {"type": kind}
        words = [whole["description"]] if isinstance(whole.get("description"), str) else []
        values = [value for value in _values(whole) if value is not None]
        if values and kind == "string" and all(isinstance(value, str) for value in values):
            made |= {"enum": told} if (told := [value for value in values if value]) else {}
        elif values:
            words.append(f"One of: {', '.join(msgspec.json.encode(value).decode() for value in values)}.")
        if words:
            made["description"] = " ".join(words)
        if _nullable(whole):
            made["nullable"] = True
        if whole.get("format") in _FORMATS.get(kind, ()):
            made["format"] = whole["format"]
        made |= {name: whole[name] for name in _BOUNDS.get(kind, ()) if type(whole.get(name)) in (int, float)}
        if kind == "array":
            made["items"] = self.of(_items(whole), path)
        return made | self._properties(whole, path) if kind == "object" else made

    def _properties(self, whole: Schema, path: Path) -> Schema:
        properties = {name: self.of(node, path) for name, node in _table(whole.get("properties")).items()}
        required = [name for name in _list(whole.get("required")) if isinstance(name, str) and name in properties]
        made: Schema = {"properties": properties} if properties else {}
        return {**made, "required": required} if required else made


def _merged(schema: Schema, more: Schema) -> Schema:
    properties = {**_table(more.get("properties")), **_table(schema.get("properties"))}
    required = dict.fromkeys(each for one in (schema, more) for each in _words(one.get("required")))
    whole = {**more, **schema}
    return whole | ({"properties": properties} if properties else {}) | ({"required": [*required]} if required else {})


def _found(root: Any, reference: str) -> Any:
    """What a JSON pointer into the schema itself points to; None for any other reference."""
    start, _, rest = reference.partition("/")
    if start != "#":
        return None
    for step in rest.split("/") if rest else ():
        name = step.replace("~1", "/").replace("~0", "~")
        root = (
            root[int(name)]
            if isinstance(root, list) and name.isdecimal() and int(name) < len(root)
            else (_table(root).get(name))
        )
    return root


def _kinds(whole: Schema) -> list[str]:
    told = whole.get("type")
    return [kind for kind in dict.fromkeys(_words(told if isinstance(told, list) else [told])) if kind in _TYPES]


def _guessed(whole: Schema) -> str:
    """The type of a schema that names none: what may be anything is written as a text."""
    kinds = {_BY_VALUE.get(type(value), "string") for value in _values(whole) if value is not None}
    if kinds:
        return kinds.pop() if len(kinds) == 1 else "string"
    return next((kind for member, kind in _BY_MEMBER if member in whole), "string")


def _values(whole: Schema) -> list[Any]:
    return [whole["const"]] if "const" in whole else _list(whole.get("enum"))


def _nullable(whole: Schema) -> bool:
    told = whole.get("type")
    listed = told if isinstance(told, list) else [told]
    return whole.get("nullable") is True or "null" in listed or any(value is None for value in _values(whole))


def _is_null(whole: Schema) -> bool:
    """It takes null and nothing else."""
    return whole.get("type") == "null" or _values(whole) == [None]


def _items(whole: Schema) -> Any:
    """The schema of the elements; of those that differ by their place the alternatives."""
    items = whole.get("items")
    by_place = _list(items) or _list(whole.get("prefixItems"))
    return items if isinstance(items, dict) or not by_place else {"anyOf": by_place}


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: Any) -> Iterable[str]:
    return [each for each in _list(value) if isinstance(each, str)]
