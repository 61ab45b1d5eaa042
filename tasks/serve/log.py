"""What the server says of itself on standard error, as JSON lines where that is asked for."""

from __future__ import annotations

import json
import logging
import re
import secrets
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; what is logged meanwhile carries it."""

REQUESTS = logging.getLogger("openbook.requests")
"""One line a request that was answered: its route and what came of it, never what was asked."""

_ID = re.compile(rb"[\w.-]{1,64}")


def new_request_id(given: bytes) -> str:
    """The id that a proxy gave the request, if it is one, or a new one."""
    return given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, and the record's facts."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; `extra={"facts": {...}}` adds to it."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identity := request_id.get():
            line["request_id"] = identity
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_json() -> None:
    """Let every logger of this process write JSON lines, and each request be one of them."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    REQUESTS.setLevel(logging.INFO)
