"""Golden sets in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.errors import Rejected
from tasks.evaluate.exam import Check, Exam, Question


def store_golden(
    connection: Connection,
    name: str,
    questions: Sequence[Question],
    *,
    collection: str | None = None,
    purpose: str | None = None,
    only: bool = False,
) -> None:
    """Put the questions into the golden set, which is made where there is none.

    A question that is there becomes as given; with `only`, others leave the set. Collection and
    purpose stay as they are where None is given; a new set without a collection is about no
    documents. Raises Rejected for an unknown collection, and for questions that name sources where
    the set has none.
    """
    with connection.transaction():
        if collection is not None:
            _need_collection(connection, collection)
        row = connection.execute(
            query("golden_store_set"),
            {"name": name, "collection": collection, "purpose": purpose},
        ).fetchone()
        assert row is not None
        lost = next((one for one in questions if one.grades and row[1]), None)
        if lost is not None:
            raise Rejected(
                f"{lost.text!r} names sources, and the golden set {name!r} is about no documents",
                "Say which: openbook golden import FILE --set NAME --collection default.",
            )
        rows = [_as_row(question) for question in questions]
        connection.execute(
            query("golden_store_questions"),
            {"set": row[0], "questions": Jsonb(rows), "only": only},
        )


def unknown_sources(connection: Connection, name: str) -> list[str]:
    """Paths of documents that the set's questions name and that its collection does not have."""
    return [path for (path,) in connection.execute(query("golden_unknown"), {"name": name})]


def lost_questions(connection: Connection, source_id: int) -> dict[str, int]:
    """How many questions of each golden set about the source's collection lost their documents."""
    return dict(connection.execute(query("golden_lost"), {"source": source_id}).fetchall())


def golden_set(connection: Connection, name: str) -> Exam:
    """The golden set of that name.

    Raises Rejected when there is none, or none with questions.
    """
    rows = connection.execute(query("golden_questions"), {"name": name}).fetchall()
    if not rows:
        raise Rejected(
            f"there is no golden set {name!r} with questions",
            f"Store one: openbook golden import FILE --set {name}.",
        )
    set_id, collection, purpose = rows[0][:3]
    asked = tuple(
        Question(
            text,
            grades,
            expected_answer=expected,
            checks=tuple(Check(**check) for check in checks),
            tags=tuple(tags),
            conversation_id=conversation_id,
            id=id,
        )
        for _, _, _, id, text, grades, expected, checks, tags, conversation_id in rows
    )
    return Exam(name, collection, asked, golden_set_id=set_id, purpose=purpose)


def golden_sets(connection: Connection) -> list[dict[str, Any]]:
    """Each set's name, collection, purpose, and how many questions say what."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("golden_sets")).fetchall()


def _need_collection(connection: Connection, name: str) -> None:
    known = connection.execute("select from collections where name = %s", [name]).fetchone()
    if known is None:
        raise Rejected(f"there is no collection {name!r}", "See `openbook sources`.")


def _as_row(question: Question) -> dict[str, Any]:
    return {
        "question": question.text,
        "expected_answer": question.expected_answer,
        "checks": [{"kind": check.kind, "value": check.value} for check in question.checks],
        "tags": list(question.tags),
        "conversation_id": question.conversation_id,
        "grades": dict(question.grades),
    }
