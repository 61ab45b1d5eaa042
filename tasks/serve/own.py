"""Openbook's own endpoints: whole hits, why each is one, what stands around it; health, metrics."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from tasks.errors import OpenbookError
from tasks.serve.desk import AtDesk, Caller
from tasks.serve.errors import Refusal
from tasks.serve.library import Asked, Place
from tasks.serve.metrics import vitals

router = APIRouter()

Mode = Literal["hybrid", "dense", "keyword"]
Id = Annotated[int, Query(ge=0, le=2**63 - 1)]


class SearchRequest(BaseModel):
    """A search in one collection; `filter` and `predicate` are those of sql/functions."""

    model_config = ConfigDict(extra="forbid")

    query: str
    k: Annotated[int, Field(ge=1)] = 10
    mode: Mode = "hybrid"
    filter: dict[str, Any] | None = None
    collection: str = "default"
    offset: Annotated[int, Field(ge=0)] = 0
    predicate: str | None = None
    as_of: AwareDatetime | None = None
    per_document: bool = False


@router.post("/search", tags=["search"])
async def search(body: SearchRequest, caller: Caller, desk: AtDesk) -> JSONResponse:
    """Find passages; each hit has its file, page, section, and its rank in each list."""
    desk.require_short(body.query)
    if body.k > desk.limits.hits or body.offset >= desk.limits.depth:
        raise Refusal(
            400,
            f"k is {body.k} and offset {body.offset}",
            f"Ask for up to {desk.limits.hits} hits; {desk.limits.depth} can be paged through.",
            param="k",
        )
    desk.metrics.searches.labels(body.mode).inc()
    started = time.perf_counter()
    hits = await desk.turns.run(
        lambda: desk.library.search(
            caller,
            body.query,
            k=desk.limits.reach(body.offset, body.k),
            mode=body.mode,
            filter=body.filter,
            predicate=body.predicate,
            as_of=body.as_of,
            per_document=body.per_document,
            collection=body.collection,
            skip=body.offset,
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
        lambda: desk.library.passages(caller, Place(collection, document, chunk), reach)
    )
    return JSONResponse({"passages": [asdict(passage) for passage in found]})


@router.get("/why", tags=["search"])
async def why(
    caller: Caller,
    desk: AtDesk,
    *,
    query: str,
    collection: str,
    document: Id,
    chunk: Id,
    k: Annotated[int, Query(ge=1, le=1000)] = 10,
    mode: Mode = "hybrid",
    filter: str | None = None,
    predicate: str | None = None,
) -> JSONResponse:
    """Why a chunk is a hit of a search with these parameters, or why it is none."""
    desk.require_short(query)
    place = Place(collection, document, chunk)
    asked: Asked = {
        "k": k,
        "mode": mode,
        "filter": _parse_filter(filter),
        "predicate": predicate,
    }
    found = await desk.turns.run(lambda: desk.library.why(caller, query, place=place, **asked))
    return JSONResponse(jsonable_encoder(found))


def _parse_filter(text: str | None) -> dict[str, Any] | None:
    """The filter of a query string; raises Refusal for what is no JSON object."""
    try:
        value = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if value is None or isinstance(value, dict):
        return value
    raise Refusal(
        400, "the filter is no JSON object", 'Write {"format": "pdf"}, encoded.', param="filter"
    )


@router.get("/health", tags=["server"])
async def health(desk: AtDesk) -> JSONResponse:
    """200 when the database answers and has this version's schema, and the tokens can be read.

    Otherwise 503 and the kind of the reason.
    """
    try:
        await desk.probe.ask()
        desk.doorkeeper.refresh()
    except (OpenbookError, Refusal) as error:
        # The reason may name hosts and users: it is for the log.
        reason = type(error).__name__
        return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", tags=["server"])
async def metrics(caller: Caller, desk: AtDesk) -> Response:
    """What the server counts of itself, in Prometheus' text format.

    A caller who sees all that the server sees is told of the book as well: freshness, lag,
    failures, cost, and which models serve.
    """
    text = desk.metrics.text()
    if caller.principals is None and caller.collections is None:
        try:
            text += vitals(await desk.turns.run(desk.library.vitals))
        except (OpenbookError, Refusal):
            text += vitals(None)  # what the server counts is told whatever the database does
    return Response(text, media_type=CONTENT_TYPE_LATEST)
