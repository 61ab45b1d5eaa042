"""The named statements of `sql/queries`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg.sql import SQL

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"


@cache
def query(name: str) -> SQL:
    """The statement in `sql/queries/<name>.sql`, read once a process."""
    return SQL((SQL_FOLDER / "queries" / f"{name}.sql").read_text(encoding="utf-8"))
