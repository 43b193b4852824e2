"""Clients of Chat Completions: what they ask, as a request of the Messages API, and its answer in their words."""
