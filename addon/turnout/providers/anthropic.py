"""Kind `anthropic`: the Messages API, at Anthropic and at every provider that serves a compatible one."""

from __future__ import annotations

from urllib.parse import urlsplit

from turnout.credentials.chain import Credential
from turnout.exchange import Exchange, Outgoing
from turnout.routing.names import split_long_context
from turnout.settings.model import Provider
from turnout.settings.secret import SECRET_HEADERS
from turnout.wire.messages import replace_model

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


class AnthropicKind:
    """Bodies leave byte-identical but for the model name, which is spliced in place."""

    def prepare(self, exchange: Exchange, provider: Provider, model: str, credential: Credential) -> Outgoing:
        request = exchange.request
        body = replace_model(request.body, request.fields, model)
        # The body was decompressed to be read, and goes on as it was read.
        edits = ["content-encoding"] if "content-encoding" in request.headers else []
        if body is not request.body:
            edits.append("model")
        exchange.body = f"rewritten: {', '.join(edits)}" if edits else "identical"
        base = urlsplit(provider.base_url)
        scheme = "https" if base.scheme == "https" else "http"
        port = base.port or (443 if scheme == "https" else 80)
        dropped = _DROPPED if credential.owned else _DROPPED - _KEPT_BY_CLIENT_CREDENTIAL
        headers = {
            "host": base.netloc,
            # A stream must be readable while it passes: no compression.
            "accept-encoding": "identity",
            "content-length": str(len(body)),
            **credential.headers(),
        }
        betas = _betas(request.headers.get("anthropic-beta", ""), request.model, provider, credential)
        if betas is not None:
            headers["anthropic-beta"] = betas
        return Outgoing(
            scheme=scheme,  # type: ignore[arg-type]
            host=base.hostname or "",
            port=port,
            path=base.path.rstrip("/") + request.path,
            body=body,
            drop=dropped,
            add=tuple(headers.items()),
        )


def _betas(sent: str, client_model: str, provider: Provider, credential: Credential) -> str | None:
    """The `anthropic-beta` header with what this target needs appended (A5); None when it stays as it is."""
    present = [beta.strip() for beta in sent.split(",") if beta.strip()]
    needed = [provider.oauth_beta] if credential.oauth and provider.oauth_beta else []
    if split_long_context(client_model)[1] and provider.long_context_beta:
        needed.append(provider.long_context_beta)
    missing = [beta for beta in needed if beta not in present]
    return ",".join([*present, *missing]) if missing else None
