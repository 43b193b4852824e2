"""Kind `anthropic`: the Messages API, at Anthropic and at every provider that serves a compatible one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from turnout.credentials.chain import Credential
from turnout.dialects.messages.rewrite import Subject, rewrite
from turnout.exchange import Exchange, Outgoing
from turnout.providers.base import Sending, Shaping
from turnout.routing.names import asked, upstream_name
from turnout.settings.address import USUAL_PORTS
from turnout.settings.model import Provider
from turnout.settings.rewriting import foreign_headers
from turnout.settings.secret import SECRET_HEADERS, without_secret_parameters

_DROPPED = SECRET_HEADERS | {
    "host",
    # Hop by hop (RFC 9110, section 7.6.1). `upgrade` invites a provider to leave HTTP/1.1, `expect` to answer 100.
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
}
"""Headers of the client that never go on: credentials are set anew for the target's host, framing by the body."""

_KEPT_BY_CLIENT_CREDENTIAL = {"anthropic-workspace-id"}
"""Belongs to the client's own login; meaningless (and identifying) with another credential."""


_PARAMETERS = frozenset({"beta"})
"""What the Messages API knows in a query; any other parameter may tell who, where and in which session somebody is."""


class AnthropicKind:
    """Bodies leave byte-identical unless a rule, or another model name, asks for a change."""

    def prepare(
        self, exchange: Exchange, provider: Provider, model: str, credential: Credential, shaping: Shaping
    ) -> Sending:
        request = exchange.request
        wanted = asked(request.model)
        sent = request.headers.get("anthropic-beta", "")
        betas = tuple(beta.strip() for beta in sent.split(",") if beta.strip())
        subject = Subject(
            model=model,
            client_model=upstream_name(request.model, provider.aliases),
            betas=betas,
            version=request.headers.get("anthropic-version", ""),
            effort=wanted.effort,
            minted_by=shaping.minted_by,
            others_answer=shaping.others_answer,
            signs_as=provider.signs_as,
            bound_to=shaping.bound_to,
        )
        rewritten = rewrite(request.body, request.fields, shaping.rules, subject)
        # The body was decompressed to be read, and goes on as it was read.
        edits = ["content-encoding"] if "content-encoding" in request.headers else []
        headers = credential.headers()
        needed = _with_needed(rewritten.betas, wanted.long_context, provider, credential)
        if needed and needed != betas:
            headers["anthropic-beta"] = ",".join(needed)
        without_betas = frozenset({"anthropic-beta"}) if betas and not needed else frozenset()
        dropped = _dropped(credential) | _private(request.headers, provider) | without_betas
        outgoing = _addressed(exchange, provider, rewritten.body, headers, dropped)
        return Sending(outgoing, (*edits, *rewritten.rules), rewritten.left_out, rewritten.tool_names)


def _addressed(
    exchange: Exchange, provider: Provider, body: bytes, headers: Mapping[str, str], dropped: frozenset[str]
) -> Outgoing:
    base = urlsplit(provider.base_url)
    scheme: Literal["http", "https"] = "https" if base.scheme == "https" else "http"
    framing = {
        "host": base.netloc,
        # A stream must be readable while it passes: no compression.
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    }
    return Outgoing(
        scheme=scheme,
        host=base.hostname or "",
        port=base.port or USUAL_PORTS[scheme],
        path=base.path.rstrip("/") + _path(exchange.request.path, provider),
        body=body,
        drop=dropped,
        add=tuple({**framing, **headers}.items()),
    )


def _path(path: str, provider: Provider) -> str:
    """Path and query of the client. Of its parameters, others than a first party get the one that they may know."""
    if provider.first_party:
        return without_secret_parameters(path)
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if pair.partition("=")[0] in _PARAMETERS]
    return "?".join(filter(None, (bare, "&".join(kept))))


def _dropped(credential: Credential) -> frozenset[str]:
    return frozenset(_DROPPED if credential.owned else _DROPPED - _KEPT_BY_CLIENT_CREDENTIAL)


def _private(headers: Iterable[str], provider: Provider) -> frozenset[str]:
    """The client's headers that are nobody's business but a first party's."""
    if provider.first_party:
        return frozenset()
    private = frozenset(headers) - foreign_headers()
    needed = [glob.lower() for glob in provider.headers]
    return frozenset(name for name in private if not any(fnmatchcase(name, glob) for glob in needed))


def _with_needed(
    betas: tuple[str, ...], long_context: bool, provider: Provider, credential: Credential
) -> tuple[str, ...]:
    """The betas with what this target needs appended (A5, E5)."""
    needed = [provider.oauth_beta] if credential.oauth and provider.oauth_beta else []
    if long_context and provider.long_context_beta:
        needed.append(provider.long_context_beta)
    return (*betas, *(beta for beta in needed if beta not in betas))
