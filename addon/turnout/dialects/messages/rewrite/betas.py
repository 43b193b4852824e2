"""The `anthropic-beta` header, and the fields that come and go with its values."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache, partial

from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import DROP, Node, text
from turnout.settings.rewriting import Pair, Rewrite, pairs, parse_path


def fit_betas(document: Document, betas: tuple[str, ...], rules: Rewrite) -> tuple[str, ...]:
    """The betas that may stay. Fields of the others go, and betas whose fields a rule removed go too."""
    kept = tuple(beta for beta in betas if _allowed(beta, rules.keep_betas, rules.drop_betas))
    refused = refused_pairs(betas, rules)
    for pair in pairs():
        if refused and _is_among(pair, refused):
            _drop_fields(document, pair, rules)
        elif _lost_its_fields(pair, document):
            kept = tuple(beta for beta in kept if not _matches(beta, pair.betas))
    if kept != betas:
        document.note("betas")
    return kept


def header_for(path: str) -> tuple[str, ...]:
    """The beta to send with a field that Turnout sets, if the field has one. `fit_betas` takes back what is refused."""
    return tuple(pair.header for pair in pairs() if path in pair.fields and pair.header)


def refused_pairs(betas: tuple[str, ...], rules: Rewrite) -> tuple[Pair, ...]:
    """The pairs of which the provider takes none of the betas. Their fields go even if the client sent no beta."""
    return _refused(betas, rules.keep_betas, rules.drop_betas)


def taken_fields(betas: tuple[str, ...], rules: Rewrite) -> frozenset[str]:
    """The fields of all other pairs: where a list says what is taken, they are as well."""
    return _taken(betas, rules.keep_betas, rules.drop_betas)


@lru_cache(maxsize=256)
def _taken(betas: tuple[str, ...], keep: tuple[str, ...] | None, drop: tuple[str, ...]) -> frozenset[str]:
    refused = _refused(betas, keep, drop)
    taken = (pair for pair in pairs() if not _is_among(pair, refused))
    return frozenset(path for pair in taken for path in (*pair.fields, *pair.values))


def _is_among(pair: Pair, some: tuple[Pair, ...]) -> bool:
    """By identity: comparing all their members would cost more than all the rest."""
    return any(pair is each for each in some)


@lru_cache(maxsize=256)
def _refused(betas: tuple[str, ...], keep: tuple[str, ...] | None, drop: tuple[str, ...]) -> tuple[Pair, ...]:
    if keep is None and not drop:
        return ()
    kept = tuple(beta for beta in betas if _allowed(beta, keep, drop))
    return tuple(pair for pair in pairs() if _is_refused(pair, kept, keep, drop))


def _is_refused(pair: Pair, kept: tuple[str, ...], keep: tuple[str, ...] | None, drop: tuple[str, ...]) -> bool:
    if any(_matches(beta, pair.betas) for beta in kept):
        return False
    if keep is not None and not overlap(keep, pair.betas):
        return True
    return overlap(drop, pair.betas)


def _allowed(beta: str, keep: tuple[str, ...] | None, drop: tuple[str, ...]) -> bool:
    return (keep is None or _matches(beta, keep)) and not _matches(beta, drop)


def _matches(beta: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(beta, glob) for glob in globs)


def overlap(globs: Iterable[str], others: tuple[str, ...]) -> bool:
    """Whether some value fits a glob of both."""
    return any(
        fnmatchcase(glob.replace("*", "0"), other) or fnmatchcase(other.replace("*", "0"), glob)
        for glob in globs
        for other in others
    )


def _drop_fields(document: Document, pair: Pair, rules: Rewrite) -> None:
    for path in pair.fields:
        if not _is_named(path, rules) and document.drop(parse_path(path)):
            document.note(f"drop {path}")
    for path, needing in pair.values.items():
        if document.edit(parse_path(path), partial(_without, value=needing)):
            document.note(f"drop {path}")


def _without(node: Node, value: str) -> Node:
    return DROP if text(node) == value else node


def _is_named(path: str, rules: Rewrite) -> bool:
    """A list of what the provider takes names the field, whatever beta Anthropic asks for it."""
    place, _, field = path.rpartition("[*].")
    lists = {"": rules.fields, "messages": rules.message_fields, "tools": rules.tool_fields}
    return field in (lists.get(place) or ())


def _lost_its_fields(pair: Pair, document: Document) -> bool:
    if document.removed.isdisjoint(_names_of_fields(pair.fields, pair.cache_fields)):
        return False
    return bool(pair.cache_fields) or not any(document.has(parse_path(path)) for path in pair.fields)


@lru_cache(maxsize=64)
def _names_of_fields(fields: tuple[str, ...], cache_fields: tuple[str, ...]) -> frozenset[str]:
    """As `Document.removed` names them."""
    paths = (".".join(parse_path(path)) for path in fields)
    return frozenset((*paths, *(f"cache_control.{key}" for key in cache_fields)))
