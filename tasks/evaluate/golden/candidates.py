"""Golden questions out of logged conversations: what people corrected, and what they liked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg import Connection

from tasks.database import query
from tasks.evaluate.exam import Question

Redact = Callable[[Sequence[str]], Sequence[str]]
"""Takes personal data out of texts that belong together."""


def candidates(
    connection: Connection, name: str, redact: Redact, limit: int = 100
) -> list[Question]:
    """The newest conversations' questions that the golden set does not have, at most `limit`.

    Only what a conversation begins with stands alone. The expected answer is the correction, else
    the answer that was liked, with the documents that it cites; tags say which. A question
    goes with its conversation when that is forgotten.
    """
    rows = connection.execute(query("golden_candidates"), {"set": name, "limit": limit}).fetchall()
    found = []
    for conversation_id, asked, answer, corrected, paths in rows:
        question, expected = redact([asked.strip(), answer.strip()])
        found.append(
            Question(
                question,
                dict.fromkeys(paths, 1),
                expected_answer=expected,
                tags=("corrected" if corrected else "liked",),
                conversation_id=conversation_id,
            )
        )
    return found
