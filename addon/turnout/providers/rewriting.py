"""The body of one attempt, changed by the rules for its target: the same for all kinds."""

from __future__ import annotations

from turnout.dialects.messages.rewrite import Rewritten, Subject, rewrite
from turnout.exchange import ClientRequest
from turnout.providers.base import Shaping
from turnout.routing.names import asked, upstream_name
from turnout.settings.model import Provider


def betas_of(request: ClientRequest) -> tuple[str, ...]:
    """The values of the client's `anthropic-beta`."""
    sent = request.headers.get("anthropic-beta", "")
    return tuple(beta.strip() for beta in sent.split(",") if beta.strip())


def rewritten(request: ClientRequest, provider: Provider, model: str, shaping: Shaping) -> Rewritten:
    """The request as the rules want it. Raises InvalidRequest."""
    subject = Subject(
        model=model,
        client_model=upstream_name(request.model, provider.aliases),
        betas=betas_of(request),
        version=request.headers.get("anthropic-version", ""),
        effort=asked(request.model).effort,
        minted_by=shaping.minted_by,
        others_answer=shaping.others_answer,
        signs_as=provider.signs_as,
        bound_to=shaping.bound_to,
    )
    return rewrite(request.body, request.fields, shaping.rules, subject)


def opened(request: ClientRequest) -> tuple[str, ...]:
    """What the body has lost before any rule: it was decompressed to be read, and goes on as it was read."""
    return ("content-encoding",) if "content-encoding" in request.headers else ()
