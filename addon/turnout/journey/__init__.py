"""The way of one exchange along its plan: targets tried, answers judged, and what is said at the end."""
