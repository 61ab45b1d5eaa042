"""A pooler between us and the server, such as PgBouncer: a session is lent for a transaction only.

What belongs to a session is then nobody's: its settings, prepared statements and locks. Searches do
without, so that OPENBOOK_SEARCH_URL may name a pooler; what keeps the book cannot.
"""

from __future__ import annotations

from psycopg import Connection

from tasks.errors import Fatal

SEARCH_PATH = "openbook, public"


def pooled(connection: Connection) -> bool:
    """Whether a pooler stands between: it names another process than the one that answers."""
    row = connection.execute("select pg_backend_pid()", prepare=False).fetchone()
    return row is not None and row[0] != connection.info.backend_pid


def require_own_session(connection: Connection) -> None:
    """Raises Fatal behind a pooler."""
    if pooled(connection):
        raise Fatal(
            "a pooler stands before the database, and what keeps the book needs a session and its "
            "locks",
            "Set OPENBOOK_DATABASE_URL to the server itself; a pooler is for OPENBOOK_SEARCH_URL.",
        )


def suit_pooler(connection: Connection) -> None:
    """Do without a session where a pooler stands between; raises Fatal for a wrong search path."""
    if not pooled(connection):
        return
    connection.prepare_threshold = None
    row = connection.execute("show search_path").fetchone()
    if row is None or row[0] != SEARCH_PATH:
        raise Fatal(
            f"behind the pooler the search path is {row[0] if row else 'unknown'}",
            f"Let PgBouncer's connect_query be `set search_path = {SEARCH_PATH}`, or set it for "
            "the login: `alter role … set search_path = …`.",
        )
