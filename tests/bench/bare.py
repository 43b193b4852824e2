"""The least a streaming reverse proxy needs of mitmproxy: the request is buffered, the answer streamed."""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    assert flow.response is not None
    flow.response.stream = True
