"""Remove by age what nothing needs: ended versions, and contents that no version names."""

from __future__ import annotations

from datetime import timedelta

from psycopg import Connection
from psycopg.rows import class_row

from tasks.upkeep.forget import Removal


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
