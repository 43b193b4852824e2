"""The keys under which Turnout leaves notes in a flow's metadata: flat strings, for the `~meta` filter."""

from __future__ import annotations

PREFIX = "turnout."

EXCHANGE = "turnout.exchange"
"""Id of the exchange; its flow and those of its failed attempts share it."""
PART = "turnout.part"
"""`exchange` for the flow of a client's request, `attempt` for that of a failed attempt."""
CLIENT_MODEL = "turnout.client_model"
"""The model name that the client used."""
RETRY = "turnout.retry"
"""The provider to which a flow is to be sent, or was, by the command `turnout.retry`."""
RETRY_OF = "turnout.retry_of"
"""The exchange whose request it sends again."""

SERVED_BY = "x-turnout-served-by"
"""The header with `provider/model` on every answer of a provider: the model that was asked of it, whatever the reply
calls it."""
