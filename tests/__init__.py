"""Tests mirror the rooms of the package; `replay`, `layer`, `proxy` and `e2e` put several rooms together."""

import ssl
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of an httpx client that speaks plain HTTP: by default it reads the public authorities, for 25 ms."""
