"""A scripted provider for tests: `provider` serves, `replies` and `events` say what, `strict` says what is accepted."""
