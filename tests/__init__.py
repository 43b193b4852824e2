"""Tests mirror the rooms of the package; `replay`, `layer`, `proxy` and `e2e` put several rooms together."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

