"""Errors as OpenAI's clients expect them: a status, and a body that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg.errors import QueryCanceled
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tasks.errors import OpenbookError, Rejected, Retryable

_LOG = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is not answered as asked: the status, the reason and the remedy."""

    def __init__(
        self,
        status: int,
        message: str,
        remedy: str = "",
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = f"{message}. {remedy}" if remedy else message
        self.code = code
        self.param = param
        self.retry_after = retry_after


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def answer(refusal: Refusal) -> JSONResponse:
    """The refusal as a response."""
    kind = _TYPES.get(refusal.status)
    if kind is None:
        kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    error = {
        "message": refusal.message,
        "type": kind,
        "param": refusal.param,
        "code": refusal.code,
    }
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error}, status_code=refusal.status, headers=headers)


_NO_CHARACTER = Refusal(
    400, "the request holds half of a surrogate pair, which is no character", "Leave it out."
)


def too_long(seconds: float) -> Refusal:
    """The answer to a request that took longer than it may."""
    return Refusal(
        504,
        f"the request took longer than {seconds:g} seconds",
        "Ask for less, or try again when the server is less busy.",
        code="timeout",
    )


def explain_errors(app: FastAPI, seconds: float) -> None:
    """Let the app answer every error in OpenAI's shape; `seconds` is a statement's time-out."""

    def handle(kind: type[Exception], refuse: Callable[[Exception], Refusal]) -> None:
        async def handler(_request: Request, error: Exception) -> Response:
            return answer(refuse(error))

        known: Callable[[Request, Exception], Awaitable[Response]] = handler
        app.add_exception_handler(kind, known)

    handle(Refusal, _refused)
    handle(RequestValidationError, _invalid)
    handle(HTTPException, _http)
    handle(OpenbookError, _openbook)
    handle(UnicodeEncodeError, lambda _error: _NO_CHARACTER)
    handle(QueryCanceled, lambda _error: too_long(seconds))
    handle(Exception, _failed)


def _refused(error: Exception) -> Refusal:
    assert isinstance(error, Refusal)
    return error


def _openbook(error: Exception) -> Refusal:
    assert isinstance(error, OpenbookError)
    if isinstance(error, Rejected):
        return Refusal(400, error.message, error.remedy)
    if isinstance(error, Retryable):
        _LOG.warning("%s", error)
        return Refusal(503, error.message, error.remedy, code="unavailable", retry_after=2)
    _LOG.error("%s", error)
    return Refusal(500, error.message, error.remedy)


def _invalid(error: Exception) -> Refusal:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        return Refusal(400, "the body was not read as JSON", "Send Content-Type: application/json.")
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        place, problem = first["loc"][-1] + 1, first["ctx"]["error"]
        return Refusal(400, f"the body is no JSON: at character {place}, {problem}", "Correct it.")
    param = ".".join(map(str, first["loc"][1:]))  # behind body, query or path
    return Refusal(
        400,
        f"{param or 'the body'}: {first['msg']}",
        "The file /openapi.json describes every request.",
        param=param or None,
    )


def _http(error: Exception) -> Refusal:
    assert isinstance(error, HTTPException)
    return Refusal(error.status_code, str(error.detail), "See /openapi.json for what there is.")


def _failed(_error: Exception) -> Refusal:
    return Refusal(500, "the server made a mistake", "Its log says which.")
