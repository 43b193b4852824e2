"""Redirects of a provider: followed within its own host, told with what to set in the configuration otherwise."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal
from urllib.parse import SplitResult, urljoin, urlsplit

from turnout.exchange import Outgoing
from turnout.health.verdict import Judgement
from turnout.journey.state import Candidate
from turnout.redaction.text import masked_path
from turnout.settings.address import USUAL_PORTS

MOST_MOVES = 2
"""At one target and in one exchange: from one address to its proper spelling, and once more."""

# The others have a POST become a GET (RFC 9110, 15.4).
_SAME_REQUEST = frozenset({307, 308})
_PLAIN = re.compile(r"[!-~]+")


def followed(sent: Outgoing, judgement: Judgement, moves: int) -> Outgoing | None:
    """An attempt at the address to which its provider has sent it on; None where it must not go there.

    Only to the host and port that the credential is bound to, or from http to https at the same name, each at its
    usual port. Nobody but the user decides where a credential goes.
    """
    if judgement.status not in _SAME_REQUEST or moves >= MOST_MOVES:
        return None
    to = _destination(sent, judgement.location)
    if to is None or to.username is not None:
        return None
    port = to.port or USUAL_PORTS[to.scheme]
    same = (to.scheme, port) == (sent.scheme, sent.port)
    safer = (sent.scheme, sent.port, to.scheme, port) == ("http", 80, "https", 443)
    if to.hostname != sent.host.lower() or not (same or safer):
        return None
    path = f"{to.path or '/'}?{to.query}" if to.query else to.path or "/"
    scheme: Literal["http", "https"] = "https" if to.scheme == "https" else "http"
    host = to.netloc if safer else dict(sent.add)["host"]
    return replace(sent, scheme=scheme, port=port, path=path, add=(("host", host),))


def sent_to(moved: Outgoing, outgoing: Outgoing) -> Outgoing:
    """An attempt at its provider's new address."""
    add = tuple({**dict(outgoing.add), **dict(moved.add)}.items())
    return replace(outgoing, scheme=moved.scheme, port=moved.port, path=moved.path, add=add)


def _destination(sent: Outgoing, location: str) -> SplitResult | None:
    if not _PLAIN.fullmatch(location):
        return None
    try:
        to = urlsplit(urljoin(f"{sent.scheme}://{dict(sent.add)['host']}{sent.path}", location))
        _ = to.port  # raises ValueError when it is not a number in range
    except ValueError:
        return None
    return to if to.scheme in USUAL_PORTS and to.hostname else None


def moved_words(candidate: Candidate, judgement: Judgement, endpoint: str) -> str:
    """What a client is told of a redirect. `endpoint` is what was asked, behind the base URL.

    The query of a Location is left out, and what looks like a secret is masked.
    """
    provider, secret = candidate.provider, candidate.credential.secret
    base = urlsplit(provider.base_url)
    sent = f"{base.scheme}://{base.netloc}{base.path}{endpoint}"
    try:
        to = urlsplit(urljoin(sent, judgement.location))
        address = f"{to.scheme}://{to.netloc.rpartition('@')[2]}{to.path}"
    except ValueError:
        address = "an address that cannot be read"
    known = (secret,) if secret is not None else ()
    shown = masked_path(address, known)
    shown = "".join(letter if letter.isprintable() else "?" for letter in shown)[:300]
    if shown.endswith(endpoint) and shown.startswith("http"):
        advice = f'If that is where it belongs, set base_url = "{shown.removesuffix(endpoint)}"'
    else:
        advice = "No API is there: base_url leads elsewhere, or a login stands on the way"
    return f"{provider.host} answered {judgement.status}: moved to {shown}. {advice} for [providers.{provider.name}]"
