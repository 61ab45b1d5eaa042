"""The right to be forgotten, and the time after which conversations are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from psycopg import Connection
from psycopg.rows import class_row

from tasks.conversations.pseudonyms import Pseudonyms
from tasks.conversations.store import lock_writers
from tasks.database import query


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many rows of each kind went."""

    conversations: int
    messages: int
    feedback: int


def forget_user(connection: Connection, names: Pseudonyms, user: str) -> Erasure:
    """Remove all conversations of the user, given by id or pseudonym, in one transaction.

    They are not loaded again, from whatever file; a user without conversations leaves no trace.
    """
    parameters = {"pseudonyms": [names.user(user), user]}
    return _forget(connection, "conversations_of_user", parameters, "user", names.user(user))


def forget_conversation(connection: Connection, names: Pseudonyms, conversation: str) -> Erasure:
    """Remove the conversations of that external id, else the one of that number."""
    subject = names.hash(conversation.encode(errors="replace"), b"conversation").hex()
    parameters = {"conversation": conversation}
    return _forget(connection, "conversations_named", parameters, "conversation", subject)


def expire(connection: Connection, retention: timedelta) -> Erasure:
    """Remove the conversations whose last message was said longer ago than that."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Erasure)) as cursor:
        lock_writers(connection)
        erasure = cursor.execute(
            "select * from openbook.expire_conversations(%s)", [retention]
        ).fetchone()
    assert erasure is not None
    return erasure


def _forget(
    connection: Connection, found: str, parameters: Mapping[str, object], reason: str, subject: str
) -> Erasure:
    with connection.transaction(), connection.cursor(row_factory=class_row(Erasure)) as cursor:
        lock_writers(connection)
        ids = [id for (id,) in connection.execute(query(found), parameters).fetchall()]
        erasure = cursor.execute(
            "select * from openbook.forget_conversations(%s, %s, %s)", [ids, reason, subject]
        ).fetchone()
    assert erasure is not None
    return erasure
