"""The state in words is told of an empty home, as to the commands."""

from tests.cli.conftest import home

__all__ = ["home"]
