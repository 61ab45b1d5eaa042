"""Remove by age what nothing needs: ended versions, contents that no version names, old queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from psycopg import Connection
from psycopg.rows import class_row

from tasks.upkeep.forget import Removal


@dataclass(frozen=True, slots=True)
class Expired:
    """How many documents without a file or a history went, and how many texts of queries."""

    documents: int
    queries: int


def sweep(connection: Connection, retention: timedelta, grace: timedelta) -> Removal:
    """Remove versions that ended before the retention period, and what is nobody's after `grace`.

    What a killed run stored stays for the grace period: the next run of the folder wants it.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Removal)) as cursor:
        removal = cursor.execute(
            "select * from openbook.sweep(%s, %s)", [retention, grace]
        ).fetchone()
    assert removal is not None
    return removal


def expire(connection: Connection, retention: timedelta) -> Expired:
    """Remove documents whose file and history are gone, and query texts last asked before then."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Expired)) as cursor:
        expired = cursor.execute("select * from openbook.expire(%s)", [retention]).fetchone()
    assert expired is not None
    return expired
