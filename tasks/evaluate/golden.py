"""Golden sets: questions about a collection's documents, and the documents that answer them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection

from tasks.database import query
from tasks.errors import Rejected
from tasks.evaluate.exam import Exam, Question


class Judgement(NamedTuple):
    """One line of a file of questions."""

    question: str
    path: str
    grade: int


def read_judgements(file: Path) -> list[Judgement]:
    """The lines of a JSON Lines file: {"question": …, "path": …, "grade": 1}; grade may be missing.

    A question with several answers has several lines. Raises Rejected, naming file and line, for a
    line that cannot be used.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Rejected(f"{file} cannot be read: {error.strerror}", "Name a file.") from None
    except UnicodeDecodeError:
        raise Rejected(f"{file} is no UTF-8", "Store it as UTF-8.") from None
    return list(_judgements(file, lines))


def _judgements(file: Path, lines: list[str]) -> Iterator[Judgement]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        match row:
            case {"question": str(question), "path": str(path), **others} if question and path:
                grade = others.get("grade", 1)
            case _:
                grade = None
        if not isinstance(grade, int) or isinstance(grade, bool) or grade < 0:
            raise Rejected(
                f"{file}, line {number} is no judgement: {line[:80]!r}",
                'Write one object a line: {"question": "…", "path": "…", "grade": 1}.',
            )
        yield Judgement(row["question"], row["path"], grade)


def store_golden(
    connection: Connection, name: str, collection: str, judgements: list[Judgement]
) -> None:
    """Make these the questions of the golden set, which is made where there is none.

    Raises Rejected for an unknown collection.
    """
    with connection.transaction():
        known = connection.execute(
            query("golden_store_set"), {"name": name, "collection": collection}
        ).fetchone()
        if known is None:
            raise Rejected(f"there is no collection {collection!r}", "See `openbook sources`.")
        questions, paths, grades = [list(column) for column in zip(*judgements, strict=True)] or [
            [],
            [],
            [],
        ]
        connection.execute(
            query("golden_store_questions"),
            {"set": known[0], "questions": questions, "paths": paths, "grades": grades},
        )


def golden_sets(connection: Connection) -> list[str]:
    """The names of the golden sets that have questions."""
    return [name for (name,) in connection.execute(query("golden_sets")).fetchall()]


def golden_set(connection: Connection, name: str) -> Exam:
    """The golden set of that name.

    Raises Rejected when there is none, or none with questions.
    """
    rows = connection.execute(query("golden_questions"), {"name": name}).fetchall()
    if not rows:
        raise Rejected(
            f"there is no golden set {name!r} with questions",
            f"Store one: openbook evaluate --golden {name} --questions FILE.",
        )
    asked = tuple(Question(question, grades) for _, _, question, grades in rows)
    return Exam(name, rows[0][1], asked, golden_set_id=rows[0][0])
