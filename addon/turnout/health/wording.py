"""Refusals that come under the status of a faulty request, and are about the account or the model: by their words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from turnout.dialects.error_body.quotations import without_quotations

About = Literal["quota", "account", "model"]
"""`quota`: what may be spent is spent. `account`: the account or its key may not be used. `model`: there is no such."""

_READ = 600
"""Characters: an error begins with what is wrong."""

# "messages.3.content.0.text: …", "tools[2].name …": whatever follows, the request is at fault.
_PLACE = re.compile(r"\b(?:messages|tools|system|content|input)(?:\.|\[)\d")

_MONEY = r"(?:credits?|funds|balance|quota|allowance|usage|extra usage)"
_PERIOD = r"(?:usage|spending|billing|credit|monthly|weekly|daily|session|plan)"
_QUOTA = re.compile(
    # Anthropic (router-for-me/CLIProxyAPI#3305, anthropics/claude-code#2127)
    rf"\bout of {_MONEY}\b|\bcredit balance is too low\b|reached your specified API usage limits"
    r"|\bdraws? from (?:your )?extra usage\b"
    # DeepSeek, Z.AI, OpenRouter, new-api, Moonshot
    rf"|\binsufficient[_ ](?:\w+ )?{_MONEY}\b|\bnot enough {_MONEY}\b"
    rf"|\b{_MONEY} (?:is |are )?(?:insufficient|exhausted|used up)"
    r"|\b(?:add|purchase|buy|requires) more credits\b|\bplease (?:recharge|top[- ]?up)\b"
    r"|\bspend(?:ing)? (?:limit|cap)\b|exceeded your current quota"
    rf"|\b(?:reached|exceeded|hit) your (?:[\w-]+ ){{0,2}}{_PERIOD} (?:limit|quota|cap)"
    # Alibaba: "Access denied, please make sure your account is in good standing."; Volcano, MiniMax
    r"|\baccount is in good standing\b|\boverdue (?:payment|balance|bill)|\b(?:is|are) overdue\b|\bin arrears\b"
    r"|余额不足|额度不足|欠费|请充值",
    re.IGNORECASE,
)
_QUOTA_CODES = frozenset({
    "arrearage", "insufficient_balance", "insufficient_credits", "insufficient_funds", "insufficient_quota",
    "insufficient_user_quota", "billing_not_active", "exceeded_current_quota_error", "overdue", "accountoverdueerror",
    "quota_exceeded", "spend_limit_exceeded",
})  # fmt: skip

_HOLDER = (
    r"(?:organi[sz]ation|account|workspace|team|project|api[ _-]?key|access[ _-]?key|key|credential|subscription|trial"
    r"|plan|licen[cs]e)"
)
_IDS = r"(?: \S*[\d<`'\"]\S*){0,2}"
_STOPPED = (
    r"(?:disabled|deactivated|suspended|banned|blocked|locked|revoked|expired|restricted|terminated|frozen|inactive"
    r"|not active|on hold)"
)
_ACCOUNT = re.compile(
    # Anthropic (router-for-me/CLIProxyAPI#3409, earendil-works/pi#2943), OpenAI, Moonshot
    rf"\b(?:this|your|the) {_HOLDER}{_IDS} (?:has been|have been|has|is|was) (?:\w+ly )?{_STOPPED}\b"
    r"|\bonly authorized for use with Claude Code\b"
    r"|\bOAuth (?:token|authentication) (?:has |is )(?:been )?(?:expired|revoked|currently not)"
    # Google: "API key not valid. Please pass a valid API key.", "API key expired. Please renew the API key."
    rf"|\bapi[ _-]?key (?:has |is )?(?:been )?(?:{_STOPPED}|not valid|invalid)\b"
    r"|\b(?:invalid|incorrect|expired) (?:api[ _-]?key|x-api-key|bearer token|access token)\b"
    r"|\buser location is not supported\b|\bnot (?:available|supported) in your (?:country|region|location)\b",
    re.IGNORECASE,
)
_ACCOUNT_CODES = frozenset({
    "account_deactivated", "account_disabled", "account_suspended", "api_key_expired", "api_key_invalid",
    "incorrect_api_key_error", "invalid_api_key", "organization_disabled", "organization_restricted",
    "region_not_supported", "unsupported_country_region_territory",
})  # fmt: skip

_NAME = r"[`'\"‘“(]?[\w./:@\-]*[`'\"’”)]?"
_GONE = (
    r"(?:(?:was |is |were |could )?not (?:be )?(?:found|exist\b|recogni[sz]ed|servable|deployed)"
    r"|(?:does|do) ?n[o']t exist"
    r"|(?:has been |is |was )(?:decommissioned|retired|deprecated and|no longer (?:available|supported))"
    r"|is not (?:allowed|enabled|accessible|available)(?=\s*(?:$|[.,;(]|(?:for|on|in) (?:this|your)\b))"
    r"|is not supported(?=\.?\s*(?:$|\()))"
)
_OTHER_THINGS = (
    r"(?! (?:param|kwarg|config|setting|option|argument|output|input|response|type|feature|messages?\b|role))"
)
_MODEL = re.compile(
    # DeepSeek "Model Not Exist", vLLM and OpenAI "The model `x` does not exist", Ollama, Groq, Vertex, Copilot
    rf"\bmodel\b{_OTHER_THINGS}(?: (?:id|name|version|identifier))?:? ?(?:with (?:id|name) )?{_NAME},? {_GONE}"
    rf"|\bmodel not exist|{_NAME} model {_GONE}"
    # Z.AI "Unknown Model, please check the model code.", LiteLLM "Invalid model name passed in model=x", MiniMax
    rf"|\b(?:unknown|invalid|unrecogni[sz]ed|unsupported|not supported|no such) model\b{_OTHER_THINGS}"
    # OpenRouter "x is not a valid model ID", Bedrock "The provided model identifier is invalid."
    r"|\bis not a (?:valid|known|supported) model\b"
    r"|\bmodel (?:identifier|id|name|code) is (?:invalid|not valid|unknown)\b"
    # Moonshot "Not found the model x or Permission denied", one-api "No available channel for model x"
    r"|\bnot found the model\b|\bno available channels? for model\b|\bno endpoints found for \S+\s*$"
    r"|\bnot allowed to (?:access|use) (?:this )?model\b|\bmodel not allowed\b|\breached the end of its life\b"
    r"|模型不存在|无可用渠道",
    re.IGNORECASE,
)
_MODEL_CODES = frozenset({
    "invalid_model", "invalid_model_id", "invalid_model_name", "model_decommissioned", "model_not_allowed",
    "model_not_available", "model_not_exist", "model_not_found", "model_not_supported", "modelnotfound",
    "modelnotopen", "unknown_model", "unsupported_model",
})  # fmt: skip


def about(message: str, codes: Sequence[str] = ()) -> About | None:
    """What a refusal is about, other than the request; None when that is not sure.

    `codes`: the provider's own codes and the type of its error.
    """
    known = {code.lower() for code in codes}
    if known & _QUOTA_CODES:
        return "quota"
    if known & _ACCOUNT_CODES:
        return "account"
    if known & _MODEL_CODES:
        return "model"
    text = without_quotations(message, _READ)
    if _PLACE.search(text):
        return None
    found: tuple[tuple[About, re.Pattern[str]], ...] = (("quota", _QUOTA), ("account", _ACCOUNT), ("model", _MODEL))
    return next((word for word, pattern in found if pattern.search(text)), None)
