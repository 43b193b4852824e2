"""The `anthropic-beta` header, and the fields that come and go with its values."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from turnout.settings.rewriting import Pair, Rewrite, pairs, parse_path
from turnout.wire.rewrite.document import Document


def fit_betas(document: Document, betas: tuple[str, ...], rules: Rewrite) -> tuple[str, ...]:
    """The betas that may stay. Fields of the others go, and betas whose fields a rule removed go too."""
    kept = tuple(beta for beta in betas if _allowed(beta, rules))
    for pair in pairs():
        if _is_refused(pair, kept, rules):
            for path in pair.fields:
                if document.drop(parse_path(path)):
                    document.note(f"drop {path}")
        elif _lost_its_fields(pair, document):
            kept = tuple(beta for beta in kept if not _matches(beta, pair.betas))
    if kept != betas:
        document.note("betas")
    return kept


def header_for(path: str) -> tuple[str, ...]:
    """The beta to send with a field that Turnout sets, if the field has one. `fit_betas` takes back what is refused."""
    return tuple(pair.header for pair in pairs() if path in pair.fields and pair.header)


def _allowed(beta: str, rules: Rewrite) -> bool:
    return (rules.keep_betas is None or _matches(beta, rules.keep_betas)) and not _matches(beta, rules.drop_betas)


def _matches(beta: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(beta, glob) for glob in globs)


def _is_refused(pair: Pair, kept: tuple[str, ...], rules: Rewrite) -> bool:
    """The provider takes none of the pair's betas. That is so for its fields even if the client sent no beta."""
    if rules.keep_betas is None and not rules.drop_betas:
        return False
    if any(_matches(beta, pair.betas) for beta in kept):
        return False
    if rules.keep_betas is not None and not _overlap(rules.keep_betas, pair.betas):
        return True
    return _overlap(rules.drop_betas, pair.betas)


def _overlap(globs: Iterable[str], others: tuple[str, ...]) -> bool:
    """Some value fits a glob of both."""
    return any(
        fnmatchcase(glob.replace("*", "0"), other) or fnmatchcase(other.replace("*", "0"), glob)
        for glob in globs
        for other in others
    )


def _lost_its_fields(pair: Pair, document: Document) -> bool:
    if not document.removed:
        return False
    lost = [path for path in pair.fields if ".".join(parse_path(path)) in document.removed]
    return bool(lost) and not any(document.has(parse_path(path)) for path in pair.fields)
