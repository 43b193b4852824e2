"""The vendors that speak Chat Completions, each refusing what it is known to refuse, and what nobody knows about it.

Known is what the PROTOCOL notes (5.1, 5.7, 7) say, and what the quoted refusals of these servers tell.
"""

from __future__ import annotations

from turnout.testing.chat.hosts import HOSTS
from turnout.testing.chat.makers import MAKERS
from turnout.testing.chat.vendor import ChatVendor

CHAT_VENDORS = {vendor.name: vendor for vendor in (ChatVendor("plain"), *MAKERS, *HOSTS)}
"""By name; `plain` is a server that nobody has described."""
