"""Kind `openai`: OpenAI's Chat Completions API, at OpenAI and at every provider that serves a compatible one."""

from __future__ import annotations

from urllib.parse import urlencode

from turnout.credentials.chain import Credential
from turnout.dialects import TRANSLATORS
from turnout.exchange import Exchange
from turnout.providers.addressing import addressed, dropped_headers
from turnout.providers.base import Sending, Shaping
from turnout.providers.rewriting import opened, rewritten
from turnout.settings.base_url import CHAT_ENDPOINT
from turnout.settings.model import Provider

_OF_ANTHROPIC = frozenset({"anthropic-version", "anthropic-beta"})


class OpenAIKind:
    """The rules work on the Messages request; what comes out of them is translated."""

    def prepare(
        self, exchange: Exchange, provider: Provider, model: str, credential: Credential, shaping: Shaping
    ) -> Sending:
        request = exchange.request
        fit = rewritten(request, provider, model, shaping)
        translation = TRANSLATORS["chat"](shaping.rules)
        translated = translation.request(fit.body)
        dropped = dropped_headers(request.headers, provider, credential) | _OF_ANTHROPIC
        path = "?".join(filter(None, (CHAT_ENDPOINT, urlencode(provider.query))))
        outgoing = addressed(provider, path, translated.body, credential.headers(), dropped)
        changes = (*opened(request), "chat completions", *fit.rules, *(f"drop {name}" for name in translated.lost))
        left_out = fit.left_out | frozenset(translated.lost)
        return Sending(outgoing, CHAT_ENDPOINT, changes, left_out, fit.tool_names, translation, fit.body)
