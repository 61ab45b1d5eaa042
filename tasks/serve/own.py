"""Openbook's own endpoints: whole hits, health and metrics."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from tasks.errors import OpenbookError
from tasks.serve.desk import AtDesk, Caller, admit
from tasks.serve.errors import Refusal

router = APIRouter()

Id = Annotated[int, Query(ge=0, le=2**63 - 1)]


class SearchRequest(BaseModel):
    """A search in one collection; sql/functions/filters.sql describes `filter`."""

    model_config = ConfigDict(extra="forbid")

    query: str
    k: Annotated[int, Field(ge=1)] = 10
    mode: Literal["hybrid", "dense", "keyword"] = "hybrid"
    filter: dict[str, Any] | None = None
    collection: str = "default"
    offset: Annotated[int, Field(ge=0)] = 0


@router.post("/search", tags=["search"])
async def search(body: SearchRequest, caller: Caller, desk: AtDesk) -> JSONResponse:
    """Find passages; each hit has its file, page, section, and its rank in each list."""
    desk.require_short(body.query)
    if body.k > desk.limits.hits or body.offset + body.k >= desk.limits.depth:
        raise Refusal(
            400,
            f"k is {body.k} and offset {body.offset}",
            f"Ask for up to {desk.limits.hits} hits, down to the {desk.limits.depth}th place.",
            param="k",
        )
    desk.metrics.searches.labels(body.mode).inc()
    started = time.perf_counter()
    hits = await desk.turns.run(
        lambda: desk.library.search(
            caller,
            body.query,
            k=body.k + 1,
            mode=body.mode,
            filter=body.filter,
            collection=body.collection,
            offset=body.offset,
        )
    )
    return JSONResponse(
        {
            "query": body.query,
            "collection": body.collection,
            "mode": body.mode,
            "hits": [asdict(hit) for hit in hits[: body.k]],
            "next_offset": body.offset + body.k if len(hits) > body.k else None,
            "milliseconds": round(1000 * (time.perf_counter() - started), 1),
        }
    )


@router.get("/neighbours", tags=["search"])
async def neighbours(
    caller: Caller,
    desk: AtDesk,
    *,
    collection: str,
    document: Id,
    chunk: Id,
    reach: Annotated[int, Query(ge=0, le=20)] = 1,
) -> JSONResponse:
    """A hit's passage with those before and behind it, in reading order."""
    found = await desk.turns.run(
        lambda: desk.library.passages(caller, collection, document, chunk, reach)
    )
    return JSONResponse({"passages": [asdict(passage) for passage in found]})


@router.get("/health", tags=["server"])
async def health(desk: AtDesk) -> JSONResponse:
    """200 when the database answers and has this version's schema; otherwise 503 and the reason."""
    try:
        await desk.turns.run(desk.library.ready)
    except (OpenbookError, Refusal) as error:
        # The reason may name hosts and users: it is for the log.
        reason = type(error).__name__
        return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", tags=["server"], dependencies=[Depends(admit)])
async def metrics(desk: AtDesk) -> Response:
    """What the server counts of itself, in Prometheus' text format."""
    return Response(desk.metrics.text(), media_type=CONTENT_TYPE_LATEST)
