"""What a filter names that no document has: told where a search found nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.types.json import Jsonb

from tasks.retrieve.search import ask

_OWN = {"path", "source", "format", "title", "modified", "published"}
"""What every document has, whatever its metadata holds."""


def fields_of_none(
    connection: Connection,
    collection: str,
    filter: Mapping[str, Any] | None,
    predicate: str | None,
) -> list[str]:
    """The fields of a search's filter or predicate that no document of the collection has.

    Documents are those that the login may read; none is named to one that may not list them.
    Raises Rejected for a predicate that cannot be.
    """
    ((written,),) = ask(connection, "predicate_filter", {"predicate": predicate})
    names = {*_names(filter or {}), *_names(written)} - _OWN
    asked = {"names": Jsonb(sorted(names)), "collection": collection}
    try:
        return [name for (name,) in ask(connection, "fields_of_none", asked)] if names else []
    except InsufficientPrivilege:
        return []


def _names(filter: Mapping[str, Any]) -> Iterator[str]:
    for name, value in filter.items():
        if name in ("and", "or"):
            for one in value:
                yield from _names(one)
        elif name == "not":
            yield from _names(value)
        else:
            yield name
