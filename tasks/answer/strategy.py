"""What each collection's questions are answered from."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection, errors

from tasks.answer.retrieval import Retrieval
from tasks.database import query
from tasks.errors import Fatal, Rejected

STRATEGIES = ("rag", "long-context", "none")


def strategy_of(
    connection: Connection,
    retrieval: Retrieval,
    collection: str,
    principals: Sequence[str] | None = None,
) -> str:
    """The collection's strategy, for a caller who may use it; raises Rejected if there is none."""
    rows = retrieval.ask(connection, "strategies", {"collection": collection}, principals)
    if not rows:
        raise _no_collection(collection)
    return str(rows[0][1])


def strategies(connection: Connection, collection: str | None = None) -> dict[str, str]:
    """The strategy of each collection, or of that one; raises Rejected if there is none such."""
    rows = connection.execute(query("strategies"), {"collection": collection}).fetchall()
    if collection is not None and not rows:
        raise _no_collection(collection)
    return dict(rows)


def set_strategy(connection: Connection, collection: str, strategy: str) -> None:
    """Answer the collection's questions so from now on.

    Raises Rejected if there is no such collection, and Fatal for a login that may not say so.
    """
    try:
        changed = connection.execute(
            query("strategy_set"), {"collection": collection, "strategy": strategy}
        )
    except errors.InsufficientPrivilege:
        raise Fatal(
            f"the login {connection.info.user} may not change a collection",
            "Connect as a member of openbook_ingest.",
        ) from None
    if not changed.rowcount:
        raise _no_collection(collection)


def _no_collection(name: str) -> Rejected:
    return Rejected(f"there is no collection {name!r}", "See `openbook strategy`.")
