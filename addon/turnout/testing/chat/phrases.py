"""How each vendor words a refusal, and the envelope it comes in.

Seen in answers that users of these vendors have reported (2024 to 2026), and PROTOCOL notes 5.1 and 7.
"""

from __future__ import annotations

from typing import Any

from turnout.testing.chat.problem import ChatProblem, indexed
from turnout.testing.vendors.problem import Answer

_TYPES = {
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
}


def _type(problem: ChatProblem) -> str:
    return problem.type or _TYPES.get(problem.status, "invalid_request_error")


def _dotted(problem: ChatProblem) -> str:
    return ".".join(str(step) for step in problem.path)


def openai(problem: ChatProblem) -> Answer:
    error = {"message": problem.said, "type": _type(problem), "param": problem.param, "code": problem.code}
    return Answer(problem.status, {"error": error})


def gemini(problem: ChatProblem) -> Answer:
    """A list with one error; a wrong key is 400."""
    said, status = problem.said, {401: 400}.get(problem.status, problem.status)
    if problem.kind == "key":
        said = "API key not valid. Please pass a valid API key."
    if problem.kind == "unknown field":
        at = indexed(problem.path[:-1])
        said = f'Invalid JSON payload received. Unknown name "{problem.value}"'
        said += f" at '{at}': Cannot find field." if at else ": Cannot find field."
    known = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    error = {"code": status, "message": said, "status": known.get(status, "INTERNAL")}
    return Answer(status, [{"error": error}])


def deepseek(problem: ChatProblem) -> Answer:
    """A Rust server, which names the message and not the field in it."""
    said, place = problem.said, indexed(problem.path[:2])
    wrong = f"Failed to deserialize the JSON body into the target type: {place}: "
    expected = ", ".join(f"`{name}`" for name in problem.expected)
    if problem.kind in ("unknown field", "unknown value"):
        kind = "field" if problem.kind == "unknown field" else "variant"
        said = f"{wrong}unknown {kind} `{problem.value}`, expected {expected} at line 1 column 1"
    if problem.kind == "order":
        unanswered = "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        unanswered += "'tool_call_id'. (insufficient tool messages following tool_calls message)"
        stray = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
        said = unanswered if said.startswith("An assistant") else stray
    kind = "authentication_error" if problem.kind == "key" else _type(problem)
    code = "invalid_request_error"
    return Answer(problem.status, {"error": {"message": said, "type": kind, "param": None, "code": code}})


def moonshot(problem: ChatProblem) -> Answer:
    said = problem.said if problem.kind == "own" else f"Invalid request: {problem.said}"
    kind = _type(problem)
    if problem.kind == "key":
        said, kind = "Invalid Authentication", "invalid_authentication_error"
    if problem.kind == "value" and problem.path == ("tool_choice",):
        told = "specified" if problem.value == "function" else problem.value
        said = f"tool_choice '{told}' is incompatible with thinking enabled"
    if problem.code == "unsupported_value" and problem.path == ("temperature",):
        said = "invalid temperature: only 1 is allowed for this model"
    if problem.path == ("thinking", "type"):
        said = f"invalid thinking: only type={'/'.join(problem.expected)} is allowed for this model"
    return Answer(problem.status, {"error": {"message": said, "type": kind}})


def minimax(problem: ChatProblem) -> Answer:
    """What is wrong with a request is 400; all else rides on a 200, with a code of its own."""
    codes = {401: 1004, 402: 1008, 429: 1002}
    if problem.kind == "key":
        return _minimax(1004, "login fail: Please carry the API secret key in the 'Authorization' field")
    if problem.status in codes:
        return _minimax(codes[problem.status], problem.said)
    message = f"invalid params, {problem.said} (2013)"
    error = {"type": "bad_request_error", "message": message, "http_code": str(problem.status)}
    return Answer(problem.status, {"type": "error", "error": error})


def _minimax(code: int, message: str) -> Answer:
    return Answer(200, {"base_resp": {"status_code": code, "status_msg": message}})


def qwen(problem: ChatProblem) -> Answer:
    said, code = problem.said, problem.code or "invalid_parameter_error"
    if problem.kind == "key":
        said, code = "Incorrect API key provided. ", "invalid_api_key"
    elif problem.kind == "size":
        said = f"<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, {problem.value}]"
        code = "invalid_parameter_error"
    elif problem.status == 400:
        code = "invalid_parameter_error"
    error = {"message": said, "type": _type(problem), "param": None, "code": code}
    return Answer(problem.status, {"error": error, "request_id": "scripted"})


def xai(problem: ChatProblem) -> Answer:
    """The error is a text; a wrong key is 400."""
    said, code, status = problem.said, "invalid-argument", problem.status
    if problem.kind == "key":
        said, status = "Incorrect API key provided: a-***ey. You can obtain an API key from https://console.x.ai.", 400
    elif problem.code == "unsupported_parameter":
        said = f"Model does not support parameter {problem.value}."
    elif problem.status != 400:
        code = problem.code or _type(problem)
    return Answer(status, {"code": code, "error": said})


def zai(problem: ChatProblem) -> Answer:
    if problem.kind == "key":
        code, said = "401", "token expired or incorrect"
    elif problem.kind == "own" or problem.status != 400:
        code, said = problem.code or str(problem.status), problem.said
    elif problem.kind == "order" or problem.path[:1] == ("messages",):
        code, said = "1214", "The messages parameter is illegal. Please check the documentation."
    else:
        code, said = "1210", f"Invalid API parameter, please check the documentation. {problem.said}"
    return Answer(problem.status, {"error": {"code": code, "message": said}})


def fireworks(problem: ChatProblem) -> Answer:
    said = problem.said
    if problem.kind == "unknown field":
        said = f"Extra inputs are not permitted, field: '{_dotted(problem)}'"
    kind = _type(problem)
    code = problem.code if problem.code and problem.status != 400 else kind
    return Answer(problem.status, {"error": {"object": "error", "type": kind, "code": code, "message": said}})


def groq(problem: ChatProblem) -> Answer:
    """A schema validator, which names the message and its role."""
    said = problem.said
    if problem.role:
        place = ".".join(str(step) for step in problem.path[:2])
        wrong = f"property '{problem.value}' is unsupported" if problem.kind == "unknown field" else problem.said
        said = f"'{place}' : for 'role:{problem.role}' the following must be satisfied[('{place}' : {wrong})]"
    elif problem.kind == "unknown field":
        said = f"property '{problem.value}' is unsupported"
    error: dict[str, Any] = {"message": "Invalid API Key" if problem.kind == "key" else said, "type": _type(problem)}
    code = "invalid_api_key" if problem.kind == "key" else problem.code if problem.status != 400 else None
    return Answer(problem.status, {"error": {**error, "code": code} if code else error})


def cerebras(problem: ChatProblem) -> Answer:
    """Without the key `error` around it."""
    said, param, code = problem.said, "validation_error", "wrong_api_format"
    place = _dotted(problem)
    if problem.role:
        place = ".".join(str(step) for step in (*problem.path[:2], problem.role, *problem.path[2:]))
    if problem.kind == "unknown field":
        said = f"{place}: property '{place}' is unsupported"
    if problem.kind == "key":
        said, param, code = "Wrong API Key", "api_key", "wrong_api_key"
    if problem.status not in (400, 401):
        code = problem.code or code
    return Answer(problem.status, {"message": said, "type": _type(problem), "param": param, "code": code})


def mistral(problem: ChatProblem) -> Answer:
    """FastAPI: what does not fit the types is 422, what fits but is refused 400; a wrong key has a shape of its own."""
    if problem.kind == "key":
        return Answer(401, {"detail": "Unauthorized"})
    if problem.kind == "unknown field":
        role = [problem.role] if problem.role else []
        place = ["body", *problem.path[:2], *role, *problem.path[2:]]
        detail = {"type": "extra_forbidden", "loc": place, "msg": "Extra inputs are not permitted", "input": None}
        return Answer(422, _mistral({"detail": [detail]}, "invalid_request_error", None))
    return Answer(problem.status, _mistral(problem.said, _type(problem), problem.code))


def _mistral(message: Any, kind: str, code: str | None) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def ollama(problem: ChatProblem) -> Answer:
    error = {"message": problem.said, "type": _type(problem), "param": None, "code": None}
    return Answer(problem.status, {"error": error})


def llamacpp(problem: ChatProblem) -> Answer:
    return Answer(problem.status, {"error": {"code": problem.status, "message": problem.said, "type": _type(problem)}})


def vllm(problem: ChatProblem) -> Answer:
    kind = "BadRequestError" if problem.status == 400 else _type(problem)
    error = {"message": problem.said, "type": kind, "param": problem.param, "code": problem.status}
    return Answer(problem.status, {"error": error})


def lmstudio(problem: ChatProblem) -> Answer:
    """The error is a text."""
    said = problem.said
    if problem.path == ("tool_choice",):
        said = f"Invalid tool_choice type: 'object'. Supported string values: {', '.join(problem.expected)}"
    return Answer(problem.status, {"error": said})


def openrouter(problem: ChatProblem) -> Answer:
    error = {"message": problem.said, "code": problem.status, "metadata": {}}
    return Answer(problem.status, {"error": error})
