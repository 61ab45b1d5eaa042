"""The book as OpenAI's clients read vector stores: a collection is a store, a document a file.

Read-only. Request and response bodies have the names and shapes of OpenAI's API, so that
`client.vector_stores.search` and its kin work with `base_url` set to this server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from tasks.records import Hit
from tasks.serve.access import Access
from tasks.serve.desk import AtDesk, Caller, Desk
from tasks.serve.errors import Refusal
from tasks.serve.library import Collection, Document, Library

router = APIRouter(prefix="/v1/vector_stores", tags=["vector stores"])

MOST_ATTRIBUTES = 16
TEXT_PAGE = 100_000
"""Characters of a file's content in one answer."""

Scalar = str | int | float | bool


class Comparison(BaseModel):
    """One attribute compared with a value."""

    key: str
    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    value: Scalar | list[Scalar]

    def as_filter(self) -> dict[str, Any]:
        """The same in the language of sql/functions/filters.sql."""
        if self.key in ("and", "or", "not"):
            raise Refusal(400, f"filters: no attribute is named {self.key!r}", param="filters")
        return {self.key: {self.type: self.value}}


class Compound(BaseModel):
    """All of the filters, or one of them."""

    type: Literal["and", "or"]
    filters: list[Comparison | Compound]

    def as_filter(self) -> dict[str, Any]:
        """The same in the language of sql/functions/filters.sql."""
        return {self.type: [each.as_filter() for each in self.filters]}


class RankingOptions(BaseModel):
    """`ranker` is accepted and changes nothing."""

    ranker: str | None = None
    score_threshold: float = 0.0


class SearchRequest(BaseModel):
    """A search in one vector store. `page` is the `next_page` of the answer before."""

    model_config = ConfigDict(extra="ignore")

    query: str | list[str]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: Comparison | Compound | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool = False
    page: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None

    def queries(self, desk: Desk) -> list[str]:
        """The queries, each short enough and not too many."""
        texts = [self.query] if isinstance(self.query, str) else self.query
        if not 1 <= len(texts) <= desk.limits.queries:
            raise Refusal(
                400,
                f"query has {len(texts)} texts",
                f"Send 1 to {desk.limits.queries}.",
                param="query",
            )
        for text in texts:
            desk.require_short(text)
        return texts


@router.post("/{vector_store_id}/search")
async def search(
    vector_store_id: str, body: SearchRequest, caller: Caller, desk: AtDesk
) -> JSONResponse:
    """Find passages. Several queries are searched one by one, and a passage has its best score."""
    queries = body.queries(desk)
    offset = int(body.page or 0)
    wanted = body.max_num_results
    if offset >= desk.limits.depth:
        raise Refusal(400, f"paging ends at {desk.limits.depth} results", param="page")
    options: dict[str, Any] = {
        "collection": vector_store_id,
        "filter": body.filters.as_filter() if body.filters else None,
    }
    reach = desk.limits.reach(offset, wanted)
    least = body.ranking_options.score_threshold if body.ranking_options else 0.0

    def read() -> tuple[list[Hit], Mapping[int, Document]]:
        if len(queries) == 1:
            hits = desk.library.search(caller, queries[0], k=reach, skip=offset, **options)
        else:
            deep = offset + reach
            lists = [desk.library.search(caller, text, k=deep, **options) for text in queries]
            hits = _merged(lists)[offset:deep]
        page = [hit for hit in hits if hit.score >= least]
        return page, _documents(desk.library, caller, vector_store_id, page)

    desk.metrics.searches.labels("hybrid").inc(len(queries))
    hits, documents = await desk.turns.run(read)
    more = len(hits) > wanted
    return JSONResponse(
        {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": [_result(hit, documents.get(hit.document_id)) for hit in hits[:wanted]],
            "has_more": more,
            "next_page": str(offset + wanted) if more else None,
        }
    )


@router.get("")
async def list_stores(
    caller: Caller,
    desk: AtDesk,
    *,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> JSONResponse:
    """The collections that the token may use, in the order of their names."""
    stores = await desk.turns.run(lambda: desk.library.collections(caller))
    names = [store.name for store in stores]
    if after is not None and after not in names:
        raise Refusal(400, f"there is no vector store {after!r}", param="after")
    if order == "desc":
        stores.reverse()
    start = 1 + [store.name for store in stores].index(after) if after is not None else 0
    page = stores[start : start + limit]
    return _page([_store(store) for store in page], more=start + limit < len(stores))


@router.get("/{vector_store_id}")
async def retrieve_store(vector_store_id: str, caller: Caller, desk: AtDesk) -> JSONResponse:
    """One collection."""
    store = await desk.turns.run(lambda: desk.library.collection(caller, vector_store_id))
    return JSONResponse(_store(store))


@router.get("/{vector_store_id}/files")
async def list_files(
    vector_store_id: str,
    caller: Caller,
    desk: AtDesk,
    *,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    filter: Literal["in_progress", "completed", "failed", "cancelled"] | None = None,
) -> JSONResponse:
    """The documents of a collection, or those of one status, as they were first seen."""
    found = await desk.turns.run(
        lambda: desk.library.documents(
            caller,
            vector_store_id,
            after=None if after is None else document_id(after),
            status=filter,
            descending=order == "desc",
            limit=limit + 1,
        )
    )
    page = [_file(document, vector_store_id) for document in found[:limit]]
    return _page(page, more=len(found) > limit)


@router.get("/{vector_store_id}/files/{file_id}")
async def retrieve_file(
    vector_store_id: str, file_id: str, caller: Caller, desk: AtDesk
) -> JSONResponse:
    """One document."""
    wanted = document_id(file_id)
    document = await desk.turns.run(lambda: desk.library.document(caller, vector_store_id, wanted))
    return JSONResponse(_file(document, vector_store_id))


@router.get("/{vector_store_id}/files/{file_id}/content")
async def retrieve_content(
    vector_store_id: str,
    file_id: str,
    caller: Caller,
    desk: AtDesk,
    page: Annotated[int, Query(ge=0, le=2**31 // TEXT_PAGE)] = 0,
) -> JSONResponse:
    """A document's text as it was read from the file, 100,000 characters a page."""
    wanted = document_id(file_id)
    text = await desk.turns.run(
        lambda: desk.library.text(caller, vector_store_id, wanted, page * TEXT_PAGE, TEXT_PAGE)
    )
    more = (page + 1) * TEXT_PAGE < text.characters
    return JSONResponse(
        {
            "object": "vector_store.file_content.page",
            "data": [{"type": "text", "text": text.text}],
            "has_more": more,
            "next_page": str(page + 1) if more else None,
        }
    )


def document_id(file_id: str) -> int:
    """The document's id in the name that clients have for it, such as `file-12`."""
    number = file_id.removeprefix("file-")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise Refusal(404, f"there is no file {file_id!r}", code="not_found")
    return int(number)


def _merged(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The lists' hits, each place once with its best score, best first."""
    best: dict[tuple[int, int], Hit] = {}
    for hit in (hit for hits in lists for hit in hits):
        place = (hit.document_id, hit.chunk_id)
        if place not in best or hit.score > best[place].score:
            best[place] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.chunk_id))


def _documents(
    library: Library, access: Access, collection: str, hits: Sequence[Hit]
) -> dict[int, Document]:
    ids = sorted({hit.document_id for hit in hits})
    found = library.documents(access, collection, ids=ids) if ids else []
    return {document.id: document for document in found}


def _result(hit: Hit, document: Document | None) -> dict[str, Any]:
    own: dict[str, Scalar | None] = {
        "source": hit.source,
        "path": hit.path,
        "title": hit.title,
        "section": hit.section,
        "page": hit.page,
        "chunk_id": hit.chunk_id,
        "keyword_rank": hit.keyword_rank,
        "dense_rank": hit.dense_rank,
    }
    return {
        "file_id": f"file-{hit.document_id}",
        "filename": hit.path,
        "score": hit.score,
        "attributes": _attributes(own, document),
        "content": [{"type": "text", "text": hit.text}],
    }


def _attributes(own: Mapping[str, Scalar | None], document: Document | None) -> dict[str, Scalar]:
    """What is known of a file, as OpenAI bounds it: 16 names, texts of up to 512 characters."""
    known: dict[str, Any] = dict(own)
    if document is not None:
        known["format"] = document.format
        known = {**known, **{k: v for k, v in document.metadata.items() if k not in known}}
    kept = {
        name[:64]: value[:512] if isinstance(value, str) else value
        for name, value in known.items()
        if isinstance(value, str | int | float)
    }
    return dict(list(kept.items())[:MOST_ATTRIBUTES])


def _store(store: Collection) -> dict[str, Any]:
    counts = {
        "completed": store.completed,
        "failed": store.failed,
        "in_progress": store.in_progress,
        "cancelled": 0,
        "total": store.completed + store.failed + store.in_progress,
    }
    return {
        "id": store.name,
        "object": "vector_store",
        "name": store.name,
        "created_at": store.created_at,
        "status": "in_progress" if store.in_progress else "completed",
        "usage_bytes": store.bytes,
        "file_counts": counts,
        "metadata": {},
    }


def _file(document: Document, collection: str) -> dict[str, Any]:
    reason = f"{document.reason}. {document.remedy or ''}".strip()
    failed = document.status == "failed"
    own = {"source": document.source, "path": document.path, "title": document.title}
    return {
        "id": f"file-{document.id}",
        "object": "vector_store.file",
        "vector_store_id": collection,
        "created_at": document.created_at,
        "status": document.status,
        "usage_bytes": document.bytes,
        "last_error": {"code": "invalid_file", "message": reason} if failed else None,
        "attributes": _attributes(own, document),
    }


def _page(entries: list[dict[str, Any]], *, more: bool) -> JSONResponse:
    return JSONResponse(
        {
            "object": "list",
            "data": entries,
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
            "has_more": more,
        }
    )
