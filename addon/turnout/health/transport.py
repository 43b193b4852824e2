"""Faults of the connection in plain words: what mitmproxy, asyncio and OpenSSL say is meant for their developers."""

from __future__ import annotations

import errno
import re

# What the failover layer puts before a fault that came up before there was a connection.
_NO_CONNECTION = re.compile(r"cannot connect\b:?\s*")

_THROUGH = re.compile(r"(through the proxy \S+): ")
"""What it puts there as well where a proxy is on the way."""

# In this order: what follows "Cannot parse HTTP response" is the provider's text and may hold any of the other words.
_PLAIN = (
    (re.compile(r"Cannot parse HTTP response\b"), "not HTTP"),
    (re.compile(r"HTTP/1 protocol error: peer closed connection\b"), "broke off mid-answer"),
    (re.compile(r"(?:server closed connection|(?:HTTP/2 )?connection closed)\b"), "connection closed"),
    # asyncio; of several addresses it tells all faults in one message.
    (re.compile(rf".*\[Errno {errno.ECONNREFUSED}\] Connect call failed"), "connection refused"),
    # The words of glibc, macOS and Windows.
    (
        re.compile(
            r".*(?:Name or service not known|nodename nor servname|Temporary failure in name resolution"
            r"|No address associated with hostname|getaddrinfo failed)"
        ),
        "name not known",
    ),
    # X509_verify_cert_error_string of OpenSSL: nobody that is trusted vouches for it.
    (
        re.compile(r".*certificate verify failed: (?:self[- ]signed|unable to (?:get|verify))", re.IGNORECASE),
        "TLS certificate not trusted; name its authority in SSL_CERT_FILE or tls.ca",
    ),
    (re.compile(r".*certificate verify failed: ([\w -]{1,60})", re.IGNORECASE), r"TLS certificate not trusted: \1"),
    (re.compile(r".*certificate verify failed", re.IGNORECASE), "TLS certificate not trusted"),
    # mitmproxy/proxy/layers/http/_upstream_proxy.py
    (re.compile(r"Upstream proxy \S+ refused HTTP CONNECT request: (\d{3}[\w -]{0,40})"), r"CONNECT refused with \1"),
    # mitmproxy/proxy/layers/tls.py, receive_handshake_data
    (
        re.compile(r"OpenSSL |(?:tlsv1|sslv3|ssl/tls) alert |The remote server (?:does not speak TLS|.*\bTLS version)"),
        "TLS handshake failed",
    ),
)


def never_connected(error: str) -> bool:
    """The fault came up before there was a connection."""
    return _NO_CONNECTION.match(error) is not None


def plain_words(error: str) -> str:
    """The fault in a few words, on one line; as it is where there are no better ones."""
    line = " ".join(error.split())
    fault = _NO_CONNECTION.sub("", line, count=1) if never_connected(line) else line
    through = _THROUGH.match(fault)
    fault = fault[through.end() :] if through else fault
    found = ((pattern.match(fault), words) for pattern, words in _PLAIN)
    words = next((match.expand(words) for match, words in found if match), fault or "cannot connect")
    return f"{words} {through[1]}" if through else words
