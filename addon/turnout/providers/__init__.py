"""Providers: how one attempt is addressed, signed and shaped, by kind."""

from __future__ import annotations

from turnout.providers.anthropic import AnthropicKind
from turnout.providers.base import ProviderKind
from turnout.providers.openai import OpenAIKind
from turnout.settings.model import Kind

KINDS: dict[Kind, ProviderKind] = {"anthropic": AnthropicKind(), "openai": OpenAIKind()}
