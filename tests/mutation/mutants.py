"""The mutants of a module: its syntax tree, each time with one small fault in it.

Left alone is what no test should hold fast: docstrings, annotations, decorators, imports, assertions, lines of log,
patterns of regular expressions, and texts with values in them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Swapped, they are the negation already."""
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_OF_DATACLASSES = frozenset({"repr", "slots", "frozen", "eq", "kw_only", "weakref_slot"})
_NOT_ENTERED = (ast.Import, ast.ImportFrom, ast.Assert)


@dataclass(frozen=True)
class Mutant:
    """One fault. While `applied`, the tree has it."""

    line: int
    before: str
    after: str
    in_function: bool
    """It changes what a function does when it is called, and nothing that happens when the module is imported."""
    _holder: ast.AST
    _field: str
    _index: int | None
    _node: ast.AST
    _fault: ast.AST

    @contextmanager
    def applied(self) -> Iterator[None]:
        self._put(self._fault)
        try:
            yield
        finally:
            self._put(self._node)

    def _put(self, node: ast.AST) -> None:
        if self._index is None:
            setattr(self._holder, self._field, node)
        else:
            getattr(self._holder, self._field)[self._index] = node


def mutants_of(tree: ast.AST) -> list[Mutant]:
    """All mutants of a module, in the order of its text."""
    return [
        Mutant(
            node.lineno, ast.unparse(node), ast.unparse(fault), inside, holder, field, index, node, _placed(fault, node)
        )
        for holder, field, index, node, inside in _nodes(tree)
        for fault in _faults(node, holder)
    ]


def _placed(fault: ast.AST, node: Any) -> ast.AST:
    return ast.fix_missing_locations(ast.copy_location(fault, node))


def _nodes(holder: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, str, int | None, Any, bool]]:
    """Every expression and statement that may be changed, with its place in the tree; the last: inside a function."""
    for field, value in ast.iter_fields(holder):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        within = inside or (field == "body" and isinstance(holder, ast.FunctionDef | ast.AsyncFunctionDef))
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(node, ast.AST) and not _is_left_alone(node):
                if isinstance(node, ast.expr | ast.stmt):
                    yield holder, field, index if isinstance(value, list) else None, node, within
                yield from _nodes(node, within)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger")))):
            return True
        case ast.Subscript(value=ast.Name(id="Literal")) | ast.JoinedStr():
            return True
        case ast.keyword(arg=name):
            return name in _OF_DATACLASSES
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return isinstance(node, _NOT_ENTERED)


def _faults(node: ast.AST, holder: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=operators, comparators=values):
            for index, operator in enumerate(operators):
                changed = [*operators[:index], _COMPARED[type(operator)](), *operators[index + 1 :]]
                yield ast.Compare(left, changed, values)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _COMPUTED:
            yield ast.BinOp(left, _COMPUTED[type(operator)](), right)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in _NAMED:
            yield ast.Call(ast.Name(_NAMED[name], ast.Load()), arguments, keywords)
        case ast.Constant(value=value):
            yield from _other_constants(value)
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete() | ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple()]):
            yield ast.Pass()
    if isinstance(node, ast.expr) and _is_condition(node, holder):
        yield ast.UnaryOp(ast.Not(), node)


def _is_condition(node: ast.expr, holder: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp) or (isinstance(node, ast.Compare) and isinstance(node.ops[0], _OPPOSITES)):
        return False
    if isinstance(holder, ast.comprehension):
        return node in holder.ifs
    return isinstance(holder, ast.If | ast.While | ast.IfExp) and node is holder.test


def _other_constants(value: object) -> Iterator[ast.AST]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str() | bytes() if value:
            yield ast.Constant(value + value[:1])
