"""Turnout moves LLM requests between providers without stopping them.

Data flows one way: client → gate → routing → attempt → provider → failover → response.
Each of these is a room (a folder) of this package; imports only go down.
"""

__version__ = "0.1.0"
