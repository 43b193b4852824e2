"""Rewriting: a Messages request made into what one target accepts, by rules that are data.

The order is fixed: first the conversation, then tools and thinking, then markers, betas and single fields. Every step
leaves what it need not touch byte for byte, and a second pass over the result changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from turnout.dialects.messages.rewrite import (
    blocks,
    caching,
    fields,
    moving,
    system,
    thinking,
    thoughts,
    tool_changes,
    tool_shapes,
    tools,
)
from turnout.dialects.messages.rewrite.betas import fit_betas, refused_pairs
from turnout.dialects.messages.rewrite.binding import give_up_changed, is_bound
from turnout.dialects.messages.rewrite.breakpoints import limit_markers
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.mending import mend
from turnout.dialects.messages.rewrite.paths import apply_paths
from turnout.dialects.messages.rewrite.subject import Rewritten, Subject
from turnout.dialects.messages.rewrite.traces import Traces, traces
from turnout.errors import InvalidRequest
from turnout.settings.rewriting import Rewrite
from turnout.wire.splice import UNREADABLE, text_of

_MARKER = b'"cache_control"'

__all__ = ["Rewritten", "Subject", "rewrite"]


def rewrite(body: bytes, members: Mapping[str, msgspec.Raw], rules: Rewrite, subject: Subject) -> Rewritten:
    """The request as `rules` want it for the target, its model name included.

    `members` is the top-level decode of exactly this body. Raises InvalidRequest when a part that has to be read is no
    JSON.
    """
    document = Document(members)
    try:
        if text_of(members["model"]) != subject.model:
            document.put("model", subject.model)
            document.note("model")
        betas = _apply(document, rules, subject, traces(body) if subject.others_answer else Traces())
        tool_shapes.flatten_schemas(document, rules)
        tool_names = tool_shapes.shorten_names(document, rules)
        if rules.cache_markers is not None and body.count(_MARKER) > rules.cache_markers:
            limit_markers(document, rules.cache_markers)
        return Rewritten(document.encoded(body), betas, tuple(document.rules), document.left_out, tool_names)
    except UNREADABLE as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from None


def _apply(document: Document, rules: Rewrite, subject: Subject, left: Traces) -> tuple[str, ...]:
    move = moving.move_of(subject)
    rules = moving.rules_towards(rules, move)
    unpaired = refused_pairs(subject.betas, rules)
    tool_changes.settle_tools(document, rules, unpaired)
    system.drop_attribution(document, rules)
    system.move_system_roles(document, rules, hoist=not is_bound(subject.model))
    system.prepend_system(document, rules)
    thoughtless = blocks.drop_foreign_thinking(document, rules, subject, left.unsigned)
    blocks.flatten_blocks(document, rules, unpaired)
    blocks.note_images(document, rules)
    if left.foreign:
        mend(document, for_claude=subject.signs_as == "anthropic" or "claude" in subject.model)
    tools.fit_tools(document, rules, unpaired)
    tools.fit_tool_choice(document, rules)
    moving.end_with_user(document, move)
    moving.fit_output(document, move)
    needed = (*thinking.think_as_asked(document, rules, subject), *thinking.fit_thinking(document, rules, move))
    if thoughtless:
        thinking.stop_thinking(document)
    thoughts.fit_thoughts(document, rules, subject)
    moving.fit_effort(document, move)
    moving.fit_sampling(document, move)
    betas = (*subject.betas, *(beta for beta in dict.fromkeys(needed) if beta not in subject.betas))
    fields.fit_fields(document, betas, rules)
    fields.fit_message_fields(document, betas, rules)
    fields.fit_system_fields(document, rules)
    caching.fit_markers(document, rules, unpaired)
    caching.set_breakpoints(document, rules)
    apply_paths(document, rules)
    moving.fit_version(document, subject)
    thinking.limit_budget(document, rules, move)
    thinking.drop_idle_edits(document)
    betas += tuple(beta for beta in give_up_changed(document, subject) if beta not in betas)
    kept = fit_betas(document, betas, rules)
    fields.drop_empty_entries(document)
    return kept
