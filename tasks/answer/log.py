"""Answers as conversations: what was said before, and what was answered now."""

from __future__ import annotations

from contextlib import suppress

from psycopg import Connection, DataError, errors

from tasks.answer.prompt import Message
from tasks.database import query
from tasks.errors import Rejected
from tasks.records import Answer


def log_answer(
    connection: Connection,
    answer: Answer,
    collection: str,
    conversation: str | None = None,
    asker: str | None = None,
) -> str | None:
    """Write the answer into a conversation, or into a new one; the conversation's name.

    `asker` is a pseudonym: a conversation is gone on with by who began it. None where the login may
    not write, or the server cannot. Raises Rejected for a conversation that is not there.
    """
    values = {
        "conversation": conversation,
        "asker": asker,
        "collection": collection,
        "strategy": answer.strategy,
        "chat_model": answer.model and answer.model.id,
        "model": answer.model and answer.model.name,
        "question": _storable(answer.question),
        "answer": _storable(answer.text),
        "response": answer.response_id,
        "outcome": answer.outcome,
        "reason": answer.reason and _storable(answer.reason),
        "chunk_ids": [hit.chunk_id for hit in answer.passages],
        "cited_ids": list(answer.cited),
        "removed_citations": answer.removed_citations,
        "context_tokens": answer.context_tokens,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "retrieval_ms": answer.retrieval_ms,
        "generation_ms": answer.generation_ms,
    }
    try:
        with suppress(errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
            row = connection.execute(query("answer_log"), values).fetchone()
            assert row is not None
            return str(row[0])
    except DataError as error:
        raise _rejected(error) from None
    return None


def said_before(connection: Connection, conversation: str, asker: str | None) -> list[Message]:
    """A conversation's last turns, oldest first; raises Rejected where the asker has none such."""
    asked = {"conversation": conversation, "asker": asker}
    try:
        rows = connection.execute(query("answer_history"), asked).fetchall()
    except DataError as error:
        raise _rejected(error) from None
    return [{"role": role, "content": content} for role, content in reversed(rows)]


def _rejected(error: DataError) -> Rejected:
    return Rejected(error.diag.message_primary or str(error), error.diag.message_hint or "")


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
