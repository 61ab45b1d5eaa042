"""A batch of conversations into the tables: each once, the later state of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from tasks.conversations.encode import (
    CONVERSATION_COLUMNS,
    MESSAGE_COLUMNS,
    SPOKEN_COLUMNS,
    Encoded,
)
from tasks.database import query

_LOCK = 0x636F6E7665727361  # "conversa"


@dataclass(slots=True)
class Stored:
    """What storing came to; conversations: read = added + grown + unchanged."""

    read: int = 0
    added: int = 0
    grown: int = 0
    unchanged: int = 0
    messages: int = 0
    feedback: int = 0

    def add(self, other: Stored) -> None:
        """Count the other's in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def store(
    connection: Connection, batch: Sequence[Encoded], format: str, load_file_id: int | None = None
) -> Stored:
    """Store the conversations in one transaction; no two of them may have one identity.

    Writers of other batches wait for its end, so that a conversation that both hold is stored once.
    New conversations and their messages are copied straight into their tables.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("set local openbook.loading = 'on'")
        if load_file_id is not None:  # what a crash takes is loaded again; the file's end waits
            cursor.execute("set local synchronous_commit = off")
        lock_writers(connection)
        cursor.execute(
            "select conversation_id, standing from openbook.claim_conversations(%b, %b, %b, %b)",
            [
                [one.identity for one in batch],
                [one.content for one in batch],
                [one.has_user for one in batch],
                [one.has_tenant for one in batch],
            ],
        )
        claimed = list(zip(cursor.fetchall(), batch, strict=True))
        fresh = [(int(id), one) for (id, standing), one in claimed if standing == "new"]
        changed = [(int(id), one) for (id, standing), one in claimed if standing == "changed"]
        head = f"{format}\t{_null(load_file_id)}"
        _copy(connection, "openbook", ("conversations", "messages"), fresh, head)
        done = Stored(
            read=len(batch),
            added=len(fresh),
            messages=sum(len(one.spoken) + len(one.full) for _, one in fresh),
        )
        if changed:
            cursor.execute(query("conversations_incoming"))
            cursor.execute(query("conversations_incoming_messages"))
            tables = ("incoming_conversations", "incoming_messages")
            _copy(connection, "pg_temp", tables, changed, head)
            grown = cursor.execute("select * from openbook.merge_conversations()").fetchone()
            assert grown is not None
            done.grown = grown[0]
            done.messages += grown[1]
            cursor.execute("drop table incoming_conversations, incoming_messages")
        done.unchanged = done.read - done.added - done.grown
        feedback = [
            {"conversation_id": id, **judgement}
            for (id, standing), one in claimed
            if standing != "forgotten"
            for judgement in one.feedback
        ]
        if feedback:
            cursor.execute(
                query("conversations_feedback"), {"feedback": orjson.dumps(feedback).decode()}
            )
            done.feedback = cursor.rowcount
    return done


def lock_writers(connection: Connection) -> None:
    """Wait for others that write conversations; they wait until this transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


def _copy(
    connection: Connection,
    schema: str,
    tables: tuple[str, str],
    conversations: Sequence[tuple[int, Encoded]],
    head: str,
) -> None:
    """Copy conversations, then their messages, into two tables of that schema."""
    named, said = tables
    heads = ("id", "format", "load_file_id", "line", *CONVERSATION_COLUMNS)
    rows = [f"{id}\t{head}\t{_null(one.line)}\t{one.row}" for id, one in conversations]
    _copy_rows(connection, Identifier(schema, named), heads, rows)
    spoken = ("conversation_id", *SPOKEN_COLUMNS)
    rows = [f"{id}\t" + f"\n{id}\t".join(one.spoken) for id, one in conversations if one.spoken]
    _copy_rows(connection, Identifier(schema, said), spoken, rows)
    full = ("conversation_id", *MESSAGE_COLUMNS)
    rows = [f"{id}\t" + f"\n{id}\t".join(one.full) for id, one in conversations if one.full]
    _copy_rows(connection, Identifier(schema, said), full, rows)


def _copy_rows(
    connection: Connection, table: Identifier, columns: Sequence[str], rows: Sequence[str]
) -> None:
    if not rows:
        return
    names = SQL(", ").join(map(Identifier, columns))
    statement = SQL("copy {} ({}) from stdin").format(table, names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(("\n".join(rows) + "\n").encode())


def _null(value: int | None) -> str:
    return "\\N" if value is None else str(value)
