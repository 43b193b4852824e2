"""Kind `anthropic`: the Messages API, at Anthropic and at every provider that serves a compatible one."""

from __future__ import annotations

from turnout.credentials.chain import Credential
from turnout.exchange import Exchange
from turnout.providers.addressing import addressed, dropped_headers
from turnout.providers.base import Sending, Shaping
from turnout.providers.rewriting import betas_of, opened, rewritten
from turnout.redaction.names import without_secret_parameters
from turnout.routing.names import asked
from turnout.settings.model import Provider

_VERSION = "2023-06-01"
"""Of the Messages API, for clients that do not speak it and name none."""

_OPENAIS = "openai-"
"""How the headers begin that tell OpenAI the organisation and project of its client."""

_PARAMETERS = frozenset({"beta"})
"""What the Messages API knows in a query; any other parameter may tell who, where and in which session somebody is."""


class AnthropicKind:
    """Bodies leave byte-identical unless a rule, or another model name, asks for a change."""

    def prepare(
        self, exchange: Exchange, provider: Provider, model: str, credential: Credential, shaping: Shaping
    ) -> Sending:
        request = exchange.request
        betas = betas_of(request)
        fit = rewritten(request, provider, model, shaping)
        headers = credential.headers()
        needed = _with_needed(fit.betas, asked(request.model).long_context, provider, credential)
        if request.dialect != "anthropic":
            headers["anthropic-version"] = _VERSION
        if needed and needed != betas:
            headers["anthropic-beta"] = ",".join(needed)
        without_betas = frozenset({"anthropic-beta"}) if betas and not needed else frozenset()
        dropped = dropped_headers(request.headers, provider, credential) | without_betas
        if request.dialect != "anthropic":
            dropped |= {name for name in request.headers if name.startswith(_OPENAIS)}
        path = _path(request.path, provider)
        outgoing = addressed(provider, path, fit.body, headers, dropped)
        return Sending(outgoing, path.partition("?")[0], (*opened(request), *fit.rules), fit.left_out, fit.tool_names)


def _path(path: str, provider: Provider) -> str:
    """Path and query of the client. Of its parameters, others than a first party get the one that they may know."""
    if provider.first_party:
        return without_secret_parameters(path)
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if pair.partition("=")[0] in _PARAMETERS]
    return "?".join(filter(None, (bare, "&".join(kept))))


def _with_needed(
    betas: tuple[str, ...], long_context: bool, provider: Provider, credential: Credential
) -> tuple[str, ...]:
    """The betas with what this target needs appended (A5, E5)."""
    needed = [provider.oauth_beta] if credential.oauth and provider.oauth_beta else []
    if long_context and provider.long_context_beta:
        needed.append(provider.long_context_beta)
    return (*betas, *(beta for beta in needed if beta not in betas))
