"""What earlier answers have taught about providers: what they refuse, and which thinking blocks they have signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from turnout.dialects.messages.refusals import Lesson
from turnout.dialects.messages.rewrite.binding import is_bound, shape_of
from turnout.dialects.messages.signatures import REFUSED, is_elsewhere, mark, signer_of, thoughts_of
from turnout.exchange import Endpoint
from turnout.health.lessons import LessonBook
from turnout.health.signatures import SignatureLedger
from turnout.health.state_file import StateFile
from turnout.providers.base import Shaping
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite, rules_for

_CACHED_RULES = 256

_Key = tuple[str, str, tuple[Lesson, ...], bool]


class Knowledge:
    """Outlives a reload of the settings; what is worth it outlives the process, in files of the state directory."""

    def __init__(self) -> None:
        self.lessons = LessonBook()
        self.signatures = SignatureLedger()
        self._rules: dict[_Key, tuple[Rewrite, str]] = {}
        """The rules, and the name of what they do to a conversation."""
        self._providers: Mapping[str, Provider] = {}
        self._signers: set[str] = set()
        self._lessons_file = StateFile(self.lessons, "what was learned about providers")
        self._signatures_file = StateFile(self.signatures, "known thinking signatures")

    def configure(self, providers: Mapping[str, Provider]) -> None:
        """New settings: what was learned of a provider is forgotten as far as an edit of its table outdates it."""
        known = len(self.lessons)
        for name, provider in self._providers.items():
            self._forget_outdated(provider, providers.get(name))
        if len(self.lessons) != known:
            self._lessons_file.write_soon()
        self._providers = providers
        self._signers = {provider.signs_as for provider in providers.values()}
        self._rules.clear()

    def _forget_outdated(self, old: Provider, new: Provider | None) -> None:
        if new is None or (new.base_url, new.kind) != (old.base_url, old.kind):
            self.lessons.forget(old.name)
        elif new.rewrite != old.rewrite:
            # What was added to a list contradicts no lesson; another value must not be outvoted by one.
            edited = {name for name, value in new.rewrite if value != getattr(old.rewrite, name)}
            self.lessons.forget(
                old.name, lambda lesson: not lesson.is_list and not edited.isdisjoint({*lesson.table, "models"})
            )

    def keep_in(self, directory: Path, *, signatures: bool) -> None:
        """Where to keep what is learned. Reads what an earlier run left there; from then on changes are written."""
        lessons, ledger = directory / "learned.json", directory / "signatures.json"
        if self._lessons_file.place != lessons:
            self._lessons_file.place = lessons
            self.lessons.load(lessons)
        if signatures and self._signatures_file.place != ledger:
            self.signatures.load(ledger)
        self._signatures_file.place = ledger if signatures else None

    # --- what requests need of it ---

    def known(self, provider: Provider, endpoint: Endpoint, model: str) -> tuple[Lesson, ...]:
        """The lessons in force for this model."""
        return self.lessons.known(provider.name, endpoint, model) if provider.learns else ()

    def shaping(
        self,
        provider: Provider,
        model: str,
        lessons: tuple[Lesson, ...] = (),
        *,
        account: str = "",
        only_own: bool = False,
        output_limit: int | None = None,
    ) -> Shaping:
        """How a body is to be changed on its way to this model, which is asked for this account.

        `only_own`: the provider refused a signature; it gets none but those it is known to have made. `output_limit`:
        tokens that are left for the answer to this one request.
        """
        key = (provider.name, model, lessons, only_own)
        known = self._rules.get(key)
        if known is None:
            own = ({"signatures": "own"},) if only_own else ()
            tables = [lesson.table for lesson in lessons]
            # What is left out for this request alone is left out of the next one by what is known of its blocks.
            shape = shape_of(rules_for(provider.rewrite, model, tables)) if is_bound(model) else ""
            known = rules_for(provider.rewrite, model, (*tables, *own)), shape
            if len(self._rules) >= _CACHED_RULES:
                self._rules.clear()
            self._rules[key] = known
        rules, shape = known
        bound_to = mark(provider.signs_as, account, shape) if is_bound(model) else ""
        if output_limit is not None:
            rules = rules.model_copy(update={"max_tokens": min(output_limit, rules.max_tokens or output_limit)})
        others = bool(self._signers - {provider.signs_as})
        asked = rules.signatures == "own" or self.signatures.knows_others_than(provider.signs_as, bound_to)
        return Shaping(rules, self.signatures.minted_by if asked else None, others_answer=others, bound_to=bound_to)

    def runs(self, provider: Provider, endpoint: Endpoint, model: str, tools: Sequence[str]) -> bool:
        """Whether a model is offered with one of these tools of Anthropic's, as far as is known."""
        rules = self.shaping(provider, model, self.known(provider, endpoint, model)).rules
        return any(map(rules.executes, tools))

    # --- what answers teach ---

    def learn(
        self, provider: Provider, endpoint: Endpoint, model: str, lessons: Sequence[Lesson]
    ) -> tuple[Lesson, ...]:
        """Remember what a model refuses. Returns what was not known before."""
        new = self.lessons.learn(provider.name, endpoint, model, lessons)
        if new:
            self._lessons_file.write_soon()
        return new

    def unlearn(self, provider: Provider, endpoint: Endpoint, model: str, lessons: Sequence[Lesson]) -> None:
        """Forget lessons that did not help: the same was refused again."""
        if self.lessons.unlearn(provider.name, endpoint, model, lessons):
            self._lessons_file.write_soon()

    def minted(self, provider: Provider, fingerprints: Sequence[str], mark: str = "") -> None:
        """A provider has signed these thinking blocks; `mark`: they are bound to what it says."""
        self.signatures.note(fingerprints, mark or provider.signs_as)
        self._signatures_file.write_soon()

    def refused_thoughts(self, provider: Provider, body: bytes, bound_to: str, *, bound: bool) -> None:
        """A provider does not take the thinking of this request, which was bound to `bound_to`: nobody gets it again.

        What the provider is not known to have made is to blame; if there is none, or if it says that a block is
        `bound` to another conversation, all that was sent is.
        """
        found = {each: self.signatures.minted_by(each) for each in thoughts_of(body)}
        unknown = [each for each, mark in found.items() if mark is None]
        own = [
            each
            for each, mark in found.items()
            if signer_of(mark) == provider.signs_as and not is_elsewhere(mark, bound_to)
        ]
        self.signatures.note(unknown if unknown and not bound else unknown + own, REFUSED)
        self._signatures_file.write_soon()

    async def written(self) -> None:
        """Wait until the files hold all that is known."""
        await self._lessons_file.written()
        await self._signatures_file.written()

    def flush(self) -> None:
        """Write what has not been written, before the process ends. Needs no event loop; blocks on the disk."""
        self._lessons_file.flush()
        self._signatures_file.flush()
