"""Where a request is received: who asks, how much they may ask, and the book to answer from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tasks.errors import Fatal
from tasks.serve.access import Access, Doorkeeper
from tasks.serve.errors import Refusal
from tasks.serve.library import Library
from tasks.serve.limits import Limits, Rate, Turns, Writing
from tasks.serve.metrics import Metrics
from tasks.serve.probe import Probe

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes of one server share."""

    library: Library
    doorkeeper: Doorkeeper
    limits: Limits
    rate: Rate
    turns: Turns
    probe: Probe
    metrics: Metrics
    writing: Writing

    def require_short(self, query: str) -> None:
        """Raises Refusal for a query that is longer than anybody's question."""
        most = self.limits.query_characters
        if len(query) > most:
            raise Refusal(
                400, f"the query is longer than {most} characters", "Shorten it.", param="query"
            )


def desk(request: Request) -> Desk:
    """The desk of the request's server."""
    found: Desk = request.app.state.desk
    return found


_bearer = HTTPBearer(auto_error=False, description="A token of `openbook tokens add`.")


async def admit(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Access:
    """Who asks; raises Refusal for an unknown token, and for one that asks too often."""
    at = desk(request)
    try:
        access = at.doorkeeper.admit(credentials.credentials if credentials else None)
    except Fatal as error:
        # The reason names files of the server: whoever asks is not known yet.
        _LOG.error("%s", error)
        raise Refusal(500, "the server cannot read its tokens", "Its log says why.") from None
    if access is None:
        raise Refusal(
            401,
            "this server asks for a token" if credentials is None else "the token is not known",
            "Send the header `Authorization: Bearer ob-…`; `openbook tokens add` makes a token.",
            code="invalid_api_key",
        )
    request.state.caller = access.name
    at.rate.take(access.name)
    return access


async def _desk(request: Request) -> Desk:
    return desk(request)


Caller = Annotated[Access, Depends(admit)]
AtDesk = Annotated[Desk, Depends(_desk)]
