"""The wordings in which providers refuse how a request thinks: thoughts that are missing, modes, budgets, efforts.

Sources: Anthropic's error reference, the vendors' documentation, and public reports, named where a wording is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from turnout.dialects.messages.refusals.lesson import LEAST_BUDGET, Lesson
from turnout.settings.rewriting import ThinkingType

MODES = get_args(ThinkingType)
EFFORTS = ("low", "medium", "high", "xhigh", "max")

Reader = Callable[[re.Match[str]], Iterator[Lesson]]

_AROUND = 200
"""Characters on both sides of a wording in which the word thinking must stand, where the wording itself has none."""


def of_mode(word: str, choices: Sequence[str]) -> Iterator[Lesson]:
    """A mode that is none of the choices. Where it is not named, it is the one that the provider does not list."""
    if not word:
        missing = [mode for mode in ("adaptive", "enabled") if mode not in choices]
        word = missing[0] if len(missing) == 1 else ""
    others = {"adaptive": ("enabled", "disabled"), "enabled": ("adaptive", "disabled"), "between_tools": ("disabled",)}
    if word in MODES and word not in choices:
        known = next((mode for mode in others.get(word, ()) if mode in choices), "drop")
        yield Lesson(f"thinking.{word}", known)


def _of_modes(choices: Sequence[str]) -> Iterator[Lesson]:
    """Only these modes are taken. Which of the others was sent is not told: each is made one of these."""
    for mode in MODES if set(choices) <= set(MODES) and choices else ():
        yield from of_mode(mode, choices)


def _only(match: re.Match[str]) -> Iterator[Lesson]:
    return _of_modes(re.findall(r"[a-z_]+", _without_ties(match["modes"]))) if _is_about_thinking(match) else iter(())


def _named_of(match: re.Match[str]) -> Iterator[Lesson]:
    return of_mode(match["word"], re.findall(r"[a-z_]+", _without_ties(match["modes"])))


def _without_ties(modes: str) -> str:
    return re.sub(r"\b(?:and|or)\b", " ", modes)


def _refused_mode(match: re.Match[str]) -> Iterator[Lesson]:
    mode = match["mode"].lower()
    if _is_about_thinking(match):
        yield from of_mode(mode, [other for other in ("adaptive", "enabled") if other != mode])


def _is_about_thinking(match: re.Match[str]) -> bool:
    around = match.string[max(0, match.start() - _AROUND) : match.end() + _AROUND]
    return "thinking" in around.lower()


def _budget(match: re.Match[str]) -> Iterator[Lesson]:
    """The limits that are told behind the name of the budget."""
    rest = match["rest"]
    between, most, least = (pattern.search(rest) for pattern in (_BETWEEN, _AT_MOST, _AT_LEAST))
    low = between[1] if between else least[1] if least else None
    high = between[2] if between else most[1] if most else None
    if high is not None:
        limit = _number(high)
        yield Lesson("thinking_budget", limit) if limit >= LEAST_BUDGET else Lesson("drop", "thinking")
    elif low is not None and _number(low) > LEAST_BUDGET:
        yield Lesson("least_thinking_budget", _number(low))


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def _fixed(*lessons: Lesson) -> Reader:
    return lambda _: iter(lessons)


_N = r"\(?`?(\d[\d,]{0,9})"
_BETWEEN = re.compile(rf"between {_N} and {_N}", re.IGNORECASE)
_AT_MOST = re.compile(
    rf"(?:not (?:be )?greater than|less than or equal to|at most|no more than|<=|maximum (?:value )?(?:is|of)"
    rf"|exceeds? (?:the )?(?:model'?s? )?(?:maximum|limit|max)(?: allowed)?(?: value)?(?: of)?:?|\[\d+, ?(?=\d)) ?{_N}",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    rf"(?:greater than or equal to|at least|no less than|>=|minimum (?:value )?(?:is|of)) ?{_N}", re.IGNORECASE
)

_Q = "[`'\"]"
_MODE = f"{_Q}?(?:{'|'.join(MODES)}){_Q}?"
_MODE_LIST = rf"{_MODE}(?:(?:,? (?:and|or) |, ?){_MODE}){{0,3}}"
_SUPPORTED = r"(?:allowed|supported|accepted|permitted|available)"
_NOT = r"(?:cannot|can't|can not|may not|must not)"
_END = r"(?=[.,;!`'\")\\]|$)"
_MADE_OF_REASONS = r"(?: mode| parameters?| content)?"
_ALONE = r"(?<!\w )(?<![\w.`'\"-])"
_NOT_SUPPORTED = r" (?:mode )?(?:is )?not supported(?! (?:with|when|together|in comb))"

_EFFORT = Lesson("drop", "output_config.effort")
_NO_THINKING = _fixed(Lesson("drop", "thinking"))
_NO_REASONING = _fixed(Lesson("drop", "thinking"), _EFFORT)
_CHOOSES_FREELY = _fixed(Lesson("tool_choice.any", "without_thinking"), Lesson("tool_choice.tool", "without_thinking"))

_TABLE: tuple[tuple[Reader, tuple[str, ...]], ...] = (
    (
        _fixed(Lesson("thoughts", "with_calls")),
        (
            # DeepSeek, on both of its APIs (decolua/9router#2397); its answer of 2025 (VicBilibily/GCMP#26)
            r"(?i)(?:\breasoning_content\b|\bthinking\b)[^\n]{0,60} must be (?:passed|sent|given) back",
            r"(?i)\bmissing [`'\"]?(?:reasoning_content|thinking)\b[^\n]{0,20}\bin the assistant message",
            # Moonshot (QuantumNous/new-api#3121)
            r"(?i)\b(?:reasoning_content|thinking(?: blocks?| content)?)[`'\"]? (?:is|are) (?:missing|required)"
            r" (?:in|for|on|with)[^\n]{0,40}\bassistant\b",
            r"(?i)\b(?:reasoning[_ ]content|thinking (?:blocks?|content))[`'\"]? must be"
            r" (?:preserved|included|provided|returned|kept|present)",
            r"(?i)\bassistant messages?\b[^\n]{0,60}\b(?:must (?:contain|include|have|carry)|requires?|lacks?)"
            r" (?:an? )?[`'\"]?(?:reasoning[_ ]content|thinking (?:blocks?|content))\b",
            # Google: nobody else can sign a call (lbjlaq/Antigravity-Manager#3229)
            r"(?i)\bmissing an? [`'\"]?thought_signature",
        ),
    ),
    (
        _fixed(Lesson("refused_blocks", "thinking")),
        (
            # Groq (janhq/jan#8136, vercel/ai#8057), Cerebras (Kilo-Org/kilocode#10375), and others that translate
            r"\bproperty '(?:[\w.]{0,40}\.)?(?:reasoning_content|reasoning|thinking)' is (?:unsupported|not supported)",
            r"\bmessages\[\w{1,6}\]\.(?:reasoning_content|reasoning|thinking): \w+ is not supported\b",
            rf"(?i)\b(?:reasoning_content|thinking (?:blocks?|content)){_Q}?(?: fields?)?"
            rf" (?:(?:is|are) not {_SUPPORTED}|(?:is|are) unsupported|(?:must|should|can) ?not be"
            r" (?:included|provided|passed|sent|present))",
        ),
    ),
    # Anthropic's models that think on a budget
    (_fixed(Lesson("thoughts", "in_turn")), (r"Expected `thinking` or `redacted_thinking`, but found",)),
    (
        _refused_mode,
        (
            rf"\"thinking\.type\.(?P<mode>{'|'.join(MODES)})\" is not supported",
            rf"\bthinking\.type{_Q}?: (?i:unsupported|invalid|unknown) (?:value|type):? {_Q}"
            rf"(?P<mode>{'|'.join(MODES)}){_Q}(?! \()",
            r"(?i)\b(?P<mode>adaptive) thinking is not supported (?:on|by|for|with) this model",
            rf"(?i)\b(?:invalid|unsupported|unknown|unrecognized) thinking[ ._](?:type|mode){_Q}?:? {_Q}?"
            rf"(?P<mode>{'|'.join(MODES)})\b(?!{_Q}? \()",
            # Alibaba (anthropics/claude-code#29531): "…; 'adaptive' is not supported"
            rf"(?:(?i:\bthinking)[ ._](?:type|mode)?[ =:]{{0,3}}{_Q}?|{_Q})(?P<mode>{'|'.join(MODES)}){_Q}?"
            rf"(?: thinking)? (?:is|are) not {_SUPPORTED}",
        ),
    ),
    (
        _only,
        (
            # Moonshot (MoonshotAI/Kimi-K2#141): "only type=enabled is allowed for this model"
            rf"(?i:\bonly) (?:{_Q}?(?:thinking[. ])?type{_Q}? ?[=:]? ?)?(?P<modes>{_MODE_LIST})"
            rf"(?: thinking)?(?: modes?| types?)? (?:is|are) {_SUPPORTED}",
            # NVIDIA (decolua/9router#2023), MiniMax (anomalyco/opencode#35138)
            rf"(?i:\bthinking)(?:[._ ](?:type|mode))?{_Q}?:? (?:must|should|can only) be"
            rf" (?:set to )?(?:one of:? |either )?\[?(?P<modes>{_MODE_LIST})"
            r"(?!\w| (?:when|if|while|with|unless|to)\b)",
        ),
    ),
    # MiniMax (diegosouzapw/OmniRoute#13249): `invalid thinking.type: "enabled" (allowed: adaptive, disabled)`
    (
        _named_of,
        (
            rf"\bthinking\.type{_Q}?:? {_Q}?(?P<word>{'|'.join(MODES)}){_Q}?"
            rf" \((?:allowed|supported|expected|valid)(?: values| types)?(?: are)?:? \[?(?P<modes>{_MODE_LIST})",
        ),
    ),
    (
        _fixed(Lesson("thinking.disabled", "drop")),
        (
            rf"(?i)\b(?:thinking|reasoning)\b[^\n.]{{0,60}}\b{_NOT} be (?:disabled|(?:turned|switched) off)",
            # OpenRouter (musistudio/claude-code-router#1267)
            r"(?i)\b(?:thinking|reasoning) is (?:mandatory|always on|required) (?:for|on|with) this (?:model|endpoint)",
            r"(?i)\bdoes(?: not|n't) support disabling (?:thinking|reasoning)",
            rf"(?i)\bdisabling (?:thinking|reasoning) is not (?:possible|{_SUPPORTED})",
            r"(?i)\bonly (?:works in|supports|runs in|available in) (?:the )?thinking mode\b",
        ),
    ),
    (
        _NO_THINKING,
        (
            # Ollama (Gitlawb/openclaude#1371)
            rf"(?i)\bdoes(?: not|n't) support (?:extended )?thinking{_MADE_OF_REASONS}{_END}",
            rf"(?i){_ALONE}(?:extended )?thinking{_NOT_SUPPORTED}",
        ),
    ),
    (
        _NO_REASONING,
        (
            rf"(?i)\bdoes(?: not|n't) support reasoning{_MADE_OF_REASONS}{_END}",
            rf"(?i){_ALONE}reasoning{_NOT_SUPPORTED}",
        ),
    ),
    # Alibaba (langchain4j/langchain4j#3974), ModelScope (musistudio/claude-code-router#948)
    (
        _fixed(Lesson("whole_answers", "without_thinking")),
        (
            r"(?i)\benable_thinking must be set to false for non-streaming",
            r"(?i)\benable[_ ]thinking can ?not be support\w* when [`'\"]?stream ?= ?false",
        ),
    ),
    # Alibaba (CherryHQ/cherry-studio#7263), Google (RooCodeInc/Roo-Code#4399), pydantic
    (_budget, (r"(?i)\b(?:thinking[_ ]budget|budget_tokens)\b(?P<rest>[^\n]{0,200})",)),
    # Anthropic, DeepSeek (tickernelz/opencode-mem#253), Moonshot (can1357/oh-my-pi#827), Alibaba (cloudwego/eino#994)
    (
        _CHOOSES_FREELY,
        (
            r"(?i)\bthinking (?:may not|cannot|can not) be (?:enabled|used) (?:when|with|if) [`'\"]?tool_choice",
            r"(?i)\bthinking mode does not support this tool_choice",
            r"(?i)\btool_choice\b[^\n]{0,60}\bincompatible with [^\n]{0,20}thinking",
            r"(?i)\bthinking(?: mode)? is (?:incompatible|not compatible) with [^\n]{0,20}(?:tool_choice|forced tool)",
            r"(?i)\btool_choice\b[^\n]{0,60}\bnot (?:supported|allowed) (?:with|when|while) [^\n]{0,20}thinking",
            r"(?i)\btool_choice\b[^\n]{0,30} does not support being set to [^\n]{1,60} in thinking mode",
        ),
    ),
    (
        _fixed(_EFFORT),
        (
            r"does not support the effort parameter",
            # nguyenphutrong/quotio#287, charmbracelet/crush#2623, RooCodeInc/Roo-Code#11395
            rf"(?i)\blevel {_Q}?(?:{'|'.join(EFFORTS)}){_Q}? (?:is )?not supported",
            rf"(?i)\bthink value {_Q}?\w{{1,12}}{_Q}? is not supported",
            r"(?i)\binvalid combination of reasoning_effort and thinking",
            rf"Unsupported value: '(?:{'|'.join(EFFORTS)})' is not supported with the [^\n]{{1,80}} model\b",  # OpenAI
            r"(?i)\binvalid (?:reasoning[_ ])?effort(?: level)?\b",
            rf"(?i)\beffort{_Q}? must be (?:one of|either)\b",
            r"\breasoning_effort: Input should be\b",
            rf"(?i)\b(?:reasoning[_ .]|output_config\.)effort{_Q}?:? [^\n]{{0,60}}"
            r"(?:not support(?:ed)?|unsupported|must be one of|is invalid)\b",
        ),
    ),
)

WORDINGS: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern), read) for read, patterns in _TABLE for pattern in patterns
)
