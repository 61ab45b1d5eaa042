"""What must hold of a book, asked in SQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from psycopg import Connection
from psycopg.sql import SQL

Moment = Literal["always", "at rest"]


class Invariant(NamedTuple):
    """A sentence that holds of every book at that moment, and the query for what breaks it."""

    moment: str
    sentence: str
    statement: str


def load() -> list[Invariant]:
    """The invariants of invariants.sql, in its order."""
    text = Path(__file__).with_name("invariants.sql").read_text(encoding="utf-8")
    found = re.findall(r"^-- (always|at rest): ([^\n]+)\n(select.*?);$", text, re.M | re.S)
    return [Invariant(*one) for one in found]


def broken(connection: Connection, moment: Moment) -> list[str]:
    """The invariants that do not hold, each with its first rows; at rest, all are asked."""
    connection.rollback()
    faults = []
    for one in load():
        if one.moment == "always" or moment == "at rest":
            rows = connection.execute(SQL(one.statement)).fetchmany(3)  # type: ignore[arg-type]
            faults += [f"{one.sentence}: {rows}"] if rows else []
    connection.rollback()
    return faults


def searchable(connection: Connection) -> dict[str, str]:
    """What readers can find of each document: its title, headings and bodies in reading order."""
    rows = connection.execute(
        """
        select d.path, string_agg(concat_ws(E'\n', p.title, p.section, p.body), E'\n'
                                  order by c.ordinal)
        from openbook.documents d
        join openbook.versions v on v.id = d.version_id
        join openbook.chunks c using (content_id)
        join openbook.passages p on p.id = c.passage_id
        where p.uses > 0
        group by d.path
        """
    ).fetchall()
    connection.rollback()
    return dict(rows)
