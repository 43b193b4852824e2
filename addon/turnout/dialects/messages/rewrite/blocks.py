"""Content blocks that a provider does not take: other types, images, and thinking that another provider signed."""

from __future__ import annotations

from operator import is_

from turnout.dialects.messages.rewrite.conversation import (
    BlockEdit,
    block_type,
    inside_results,
    role,
    text_block,
    with_blocks,
    without_empty,
)
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.fields import known_of_block
from turnout.dialects.messages.rewrite.flatten import IMAGE_NOTE, as_text
from turnout.dialects.messages.rewrite.subject import Subject
from turnout.dialects.messages.rewrite.thoughts import turn_began_without_thought
from turnout.dialects.messages.rewrite.tool_shapes import short_name
from turnout.dialects.messages.rewrite.tree import Node, Object, opened, text
from turnout.dialects.messages.signatures import REFUSED, SEALED, THINKING_BLOCKS, fingerprint, is_elsewhere, signer_of
from turnout.settings.rewriting import Pair, Rewrite


def drop_foreign_thinking(document: Document, rules: Rewrite, subject: Subject, unsigned: bool) -> bool:
    """Thinking blocks that this provider did not sign and would refuse, or take for its own.

    `unsigned`: there may be some without any signature. True when the turn under way has lost its first thought, so
    that Anthropic's older models would refuse to think on.
    """
    if rules.signatures == "keep" and subject.minted_by is None and not (unsigned and subject.signs_as == "anthropic"):
        return False

    def edit(block: Object) -> list[Node]:
        return [] if block_type(block) in THINKING_BLOCKS and _is_foreign(block, rules, subject) else [block]

    if not _edit_messages(document, edit, roles=("assistant",)):
        return False
    document.note("signatures")
    return subject.signs_as == "anthropic" and turn_began_without_thought(document.messages)


def _is_foreign(block: Object, rules: Rewrite, subject: Subject) -> bool:
    signature = text(block.get("signature") or block.get("data"))
    marks = signature, text(block.get("thinking"))
    mark = subject.minted_by(fingerprint(*marks)) if subject.minted_by is not None else None
    if mark == REFUSED or is_elsewhere(mark, subject.bound_to):
        return True
    minter = signer_of(mark)
    if rules.signatures == "own":
        return minter != subject.signs_as
    # Anthropic signs every block of its own, so an empty signature is somebody else's, and so is a translation's.
    unsigned = not signature or signature.startswith(SEALED)
    return (minter is not None and minter != subject.signs_as) or (unsigned and subject.signs_as == "anthropic")


def flatten_blocks(document: Document, rules: Rewrite, unpaired: tuple[Pair, ...]) -> None:
    """Blocks of types that the provider does not know become text; thinking that it does not know is dropped.

    Of those it knows, it gets the fields that it takes. `unpaired`: the pairs of which it takes no beta.
    """
    known = None if rules.blocks is None else frozenset(rules.blocks)
    refused = frozenset(rules.refused_blocks) | frozenset(
        kind for pair in unpaired for kind in pair.blocks if known is None or kind not in known
    )
    if known is None and not refused and rules.block_fields is None:
        return

    def edit(block: Object) -> list[Node]:
        name = block_type(block)
        if name == "tool_reference":
            block = _named_as_in_tools(block, rules)
        if name == "text" or ((known is None or name in known) and name not in refused):
            return [known_of_block(block, rules)]
        # What was thought was not said to the user: it never becomes text.
        return [] if name in THINKING_BLOCKS else [text_block(as_text(block), block)]

    if _edit_messages(document, edit, roles=("user", "assistant", "system")):
        document.note("blocks")


def _named_as_in_tools(reference: Object, rules: Rewrite) -> Object:
    """What a search has found, by the name that the model is to call it."""
    found = text(reference.get("tool_name"))
    short = short_name(found, rules.tool_name_length)
    return reference if short == found else {**reference, "tool_name": short}


def note_images(document: Document, rules: Rewrite) -> None:
    """Images become a note, for models that read text only or do not take them from where they are."""
    if rules.images == "keep" and rules.image_sources is None:
        return

    def edit(block: Object) -> list[Node]:
        unseen = block_type(block) == "image" and not _is_seen(block, rules)
        return [text_block(IMAGE_NOTE, block)] if unseen else [block]

    if _edit_messages(document, edit):
        document.note("images")


def _is_seen(block: Object, rules: Rewrite) -> bool:
    source = opened(block.get("source"))
    kept = rules.image_sources
    return rules.images == "keep" and (kept is None or (isinstance(source, dict) and block_type(source) in kept))


def _edit_messages(document: Document, edit: BlockEdit, roles: tuple[str, ...] = ("user", "assistant")) -> bool:
    """Edit the blocks of all messages and of the tool results in them; whether anything changed.

    A message that loses all its content goes: an empty one would be refused.
    """
    nested = inside_results(edit)

    def edit_deeply(block: Object) -> list[Node]:
        return [inner for outer in edit(block) for inner in nested(outer)]

    before = document.messages
    after = [with_blocks(message, edit_deeply) if role(message) in roles else message for message in before]
    if all(map(is_, after, before)):
        return False
    document.messages = without_empty(after, before)
    return True
