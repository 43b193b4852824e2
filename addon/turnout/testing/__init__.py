"""A pytest plugin for addons and routes: mitmproxy with Turnout in it, scripted providers, recordings.

In a `conftest.py` at the top (`pip install 'turnout[testing]'` brings what it needs):

    pytest_plugins = ["turnout.testing.fixtures"]

Then tests ask for the fixtures `proxy`, `provider`, `recording`, `golden`, `mitmdump` and `home`; see `fixtures`.
`replies` and `events` are what a scripted provider can be told to answer, `strict` and `vendors` what it accepts;
`chat` has both for providers of Chat Completions.
"""
