"""The one definition of what is secret, for all that is logged, noted, shown, saved or recorded.

`names` knows where credentials stand, `patterns` what they look like; `text`, `body`, `streams` and `log` take them
out.
"""
