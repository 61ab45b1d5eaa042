"""The book for assistants: two read-only tools, by the Model Context Protocol.

`search` and `fetch` take and return what ChatGPT's connectors and deep research expect of tools
with these names; other clients of the protocol read the same as structured content.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import quote

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from psycopg.errors import QueryCanceled
from pydantic import BaseModel, Field

from tasks.errors import OpenbookError
from tasks.records import Hit, decode_path
from tasks.serve.access import ANYONE
from tasks.serve.errors import Refusal
from tasks.serve.library import Document, Library, NoCollection, Place

PAGE = 20_000
"""Characters of a document that one call returns."""
REACH = 1
"""Passages before and behind a chunk that are returned with it."""


class Result(BaseModel):
    """One passage that was found. `id` is what `fetch` takes, `url` is for citations."""

    id: str
    title: str
    url: str
    text: str


class Results(BaseModel):
    """Passages, best first."""

    results: list[Result]


class Fetched(BaseModel):
    """A text with what is known of its document."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


def create_server(library: Library) -> MCPServer[Any]:
    """The server over a library, for whatever the library's login may read."""
    server: MCPServer[Any] = MCPServer(
        "openbook",
        title="Openbook",
        version=version("openbook"),
        instructions="Search a collection of documents, then fetch what looks right, and cite it.",
        log_level="WARNING",
    )
    reading = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    @server.tool(annotations=reading)
    def search(
        query: Annotated[str, Field(description="A question or keywords", max_length=8000)],
        k: Annotated[int, Field(description="How many passages", ge=1, le=50)] = 10,
        filter: Annotated[
            dict[str, Any] | None,
            Field(
                description='Conditions on documents, such as {"format": "pdf", "path": {"prefix":'
                ' "hr/"}}; names are path, source, format, title and the files\' own metadata; '
                "operators are eq, ne, gt, gte, lt, lte, in, nin, exists, prefix, and, or, not"
            ),
        ] = None,
        collection: Annotated[str, Field(description="Where to search")] = "default",
    ) -> Results:
        """Find passages by meaning and by words; quoted phrases and -excluded words are obeyed.

        Each result has the passage's text, and an id with which `fetch` returns more of it.
        """
        with _told(library):
            return Results(results=_find(library, query, k, filter, collection))

    @server.tool(annotations=reading)
    def fetch(
        id: Annotated[
            str,
            Field(
                description="An id of search's results: its passage with its neighbours. Without "
                "its #number: the whole document"
            ),
        ],
        page: Annotated[
            int, Field(description="Which part of a long document, from 1", ge=1, le=100_000)
        ] = 1,
    ) -> Fetched:
        """Read a passage with what stands around it, or a whole document part by part.

        metadata.document is the id of the passage's whole document; metadata.pages says how many
        parts the document has.
        """
        with _told(library):
            return _read(library, id, page)

    return server


@contextmanager
def _told(library: Library) -> Iterator[None]:
    """Tells the model of errors that are its own to mend, or that will pass."""
    try:
        yield
    except NoCollection as error:
        names = ", ".join(each.name for each in library.collections(ANYONE))
        raise ToolError(f"there is no collection {error.name!r}. There are: {names}.") from None
    except Refusal as error:
        raise ToolError(error.message) from None
    except OpenbookError as error:
        raise ToolError(str(error)) from None
    except QueryCanceled:
        raise ToolError("the search took too long. Ask for less.") from None


def _find(
    library: Library, query: str, k: int, filter: dict[str, Any] | None, collection: str
) -> list[Result]:
    hits = library.search(ANYONE, query, collection=collection, k=k, filter=filter)
    ids = sorted({hit.document_id for hit in hits})
    found = library.documents(ANYONE, collection, ids=ids) if ids else []
    documents = {document.id: document for document in found}
    return [
        _result(hit, collection, documents[hit.document_id])
        for hit in hits
        if hit.document_id in documents  # else it was removed a moment ago
    ]


def _read(library: Library, id: str, page: int) -> Fetched:
    collection, document_id, chunk_id = _parse(id)
    document = library.document(ANYONE, collection, document_id)
    known = {
        "path": document.path,
        "source": document.source,
        "format": document.format,
        "document": f"{collection}/{document_id}",
    }
    shown = None
    if chunk_id is None:
        part = library.text(ANYONE, collection, document_id, (page - 1) * PAGE, PAGE)
        pages = max(1, -(-part.characters // PAGE))
        text = part.text
    else:
        around = library.passages(ANYONE, Place(collection, document_id, chunk_id), REACH)
        own = next(passage for passage in around if passage.chunk_id == chunk_id)
        pages, shown = 1, own.page
        text = "\n\n".join(passage.text for passage in around)
        known["section"] = own.section
    if page > pages:
        raise Refusal(404, f"{id} has {pages} pages, not {page}")
    known |= {"page": str(page), "pages": str(pages)}
    return Fetched(
        id=id,
        title=document.title or document.path,
        text=text,
        url=_url(document, shown),
        metadata={name: value for name, value in known.items() if value},
    )


def _parse(id: str) -> tuple[str, int, int | None]:
    """Collection, document and perhaps chunk of an id such as `default/12#34`."""
    parts = re.fullmatch(r"(.+)/([0-9]{1,18})(?:#([0-9]{1,18}))?", id, flags=re.DOTALL)
    if parts is None:
        raise Refusal(404, f"{id!r} is no id", "Take one from the results of search.")
    collection, document, chunk = parts.groups()
    return collection, int(document), None if chunk is None else int(chunk)


def _result(hit: Hit, collection: str, document: Document) -> Result:
    name = hit.title or hit.path
    return Result(
        id=f"{collection}/{hit.document_id}#{hit.chunk_id}",
        title=f"{name} · {hit.section}" if hit.section else name,
        url=_url(document, hit.page),
        text=hit.text,
    )


def _url(document: Document, page: int | None) -> str:
    """The file on the machine that ingests it, at the page where there is one."""
    path = quote(os.path.join(os.fsencode(document.root), decode_path(document.path)))
    return f"file://{path}" + (f"#page={page}" if page else "")
