"""The dialects of providers, each with its way to the Messages API and back."""

from __future__ import annotations

from collections.abc import Mapping

from turnout.dialects.base import Translator
from turnout.dialects.chat import ChatTranslation

TRANSLATORS: Mapping[str, Translator] = {"chat": ChatTranslation}
"""By dialect. The Messages API needs none: its bodies stay byte for byte."""
