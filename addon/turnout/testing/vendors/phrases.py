"""How each vendor words a refusal, and the envelope it comes in (PROTOCOL notes 6.2, 6.3)."""

from __future__ import annotations

from typing import Any

from turnout.testing.vendors.problem import Answer, Problem


def _message(problem: Problem) -> str:
    """The wording of Anthropic's own validation, which imitators copy."""
    match problem.kind:
        case "unknown field":
            return f"{problem.dotted}: Extra inputs are not permitted"
        case "unknown variant":
            return f"{problem.dotted}: Input should be {_choices(problem)}"
        case "beta":
            return f"Unexpected value(s) `{problem.value}` for the `anthropic-beta` header."
        case _:
            return f"{problem.dotted}: {problem.value}"


def _choices(problem: Problem) -> str:
    quoted = [f"'{name}'" for name in problem.expected] or ["a supported value"]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def anthropic(problem: Problem) -> Answer:
    error = {"type": "invalid_request_error", "message": _message(problem)}
    return Answer(400, {"type": "error", "error": error})


def deepseek(problem: Problem) -> Answer:
    """A Rust server: what does not fit its types is 422, what fits but is refused 400."""
    expected = ", ".join(f"`{name}`" for name in problem.expected)
    wrong = "Failed to deserialize the JSON body into the target type: "
    match problem.kind:
        case "unknown field":
            at = problem.indexed
            return _deepseek(422, f"{wrong}{at}: unknown field `{problem.value}`, expected one of {expected}")
        case "unknown variant":
            at = problem.indexed
            return _deepseek(422, f"{wrong}{at}: unknown variant `{problem.value}`, expected one of {expected}")
    return _deepseek(400, problem.value if problem.path[:1] == ("tool_choice",) else _message(problem))


def _deepseek(status: int, message: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}
    return Answer(status, {"error": error})


def minimax(problem: Problem) -> Answer:
    """Fields and variants come as 400 in Anthropic's envelope, values as `base_resp` in a 200."""
    if problem.kind == "invalid":
        status = {"status_code": 2013, "status_msg": f"invalid params, {problem.dotted}: {problem.value}"}
        return Answer(200, {"base_resp": status})
    what = f"unknown {problem.kind.removeprefix('unknown ')} '{problem.value}'"
    if problem.path[:1] == ("messages",) and "content" in problem.path[3:]:
        what = "invalid tool_result content"
    message = f"invalid params, {problem.dotted}: {what} (2013)"
    return Answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def zai(problem: Problem) -> Answer:
    if problem.path[:1] == ("messages",) and problem.path[-1:] == ("role",):
        return _zai("1214", "The messages parameter is illegal. Please check the documentation.")
    return _zai("1210", f"Invalid API parameter, please check the documentation. {_message(problem)}")


def _zai(code: str, message: str) -> Answer:
    return Answer(400, {"error": {"code": code, "message": message}})


def moonshot(problem: Problem) -> Answer:
    message = f"Invalid request: {_message(problem)}"
    return Answer(400, {"error": {"type": "invalid_request_error", "message": message}})


def qwen(problem: Problem) -> Answer:
    message = f"<400> InternalError.Algo.InvalidParameter: {_message(problem)}"
    error = {"type": "invalid_request_error", "code": "InvalidParameter", "message": message}
    return Answer(400, {"type": "error", "error": error, "request_id": "scripted"})


def fireworks(problem: Problem) -> Answer:
    if problem.kind == "unknown field":
        message = f"Extra inputs are not permitted, field: '{problem.dotted}'"
    else:
        message = _message(problem)
    error = {"object": "error", "type": "invalid_request_error", "code": "invalid_request_error", "message": message}
    return Answer(400, {"error": error})


def ollama(problem: Problem) -> Answer:
    """A Go server."""
    message = f'json: unknown field "{problem.value}"' if problem.kind == "unknown field" else _message(problem)
    return Answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def llamacpp(problem: Problem) -> Answer:
    return Answer(400, {"error": {"code": 400, "message": _message(problem), "type": "invalid_request_error"}})


def vllm(problem: Problem) -> Answer:
    """FastAPI with the list of pydantic's errors written out as text."""
    kinds = {"unknown field": "extra_forbidden", "unknown variant": "literal_error"}
    details: dict[str, Any] = {
        "type": kinds.get(problem.kind, "value_error"),
        "loc": ("body", *problem.path),
        "msg": _message(problem).partition(": ")[2],
        "input": problem.value,
    }
    error = {"message": str([details]), "type": "BadRequestError", "param": None, "code": 400}
    return Answer(400, {"error": error})


def litellm(problem: Problem) -> Answer:
    message = f"litellm.UnsupportedParamsError: {_message(problem)}"
    return Answer(400, {"error": {"message": message, "type": "None", "param": "None", "code": "400"}})


def openrouter(problem: Problem) -> Answer:
    return Answer(400, {"error": {"code": 400, "message": _message(problem), "metadata": {}}})
