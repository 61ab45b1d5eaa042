"""Plain inserts: what SQL people leave out is filled in."""

from __future__ import annotations

import psycopg
import pytest

MESSAGE = (
    "insert into messages (conversation_id, ordinal, role, content, model)"
    " values (%s, 1, 'assistant', 'x', 'm')"
)
HELLO = "insert into conversations (external_id) values ('a') returning id, changed_at"


def test_messages_take_their_places_in_order(connection: psycopg.Connection) -> None:
    number, before = connection.execute(HELLO).fetchone() or ()
    statement = "insert into messages (conversation_id, role, content) values (%s, %s, %s)"
    for role, content in (("user", "Hello"), ("assistant", "Hi"), ("user", "Bye")):
        connection.execute(statement, [number, role, content])
    rows = connection.execute("select ordinal, content from messages order by ordinal").fetchall()
    assert rows == [(1, "Hello"), (2, "Hi"), (3, "Bye")]
    (after,) = connection.execute("select changed_at from conversations").fetchone() or ()
    assert after > before


def test_messages_of_one_statement_take_their_places_behind_the_others(
    connection: psycopg.Connection,
) -> None:
    for name in ("a", "b"):
        connection.execute("insert into conversations (external_id) values (%s)", [name])
    connection.execute(
        "insert into messages (conversation_id, ordinal, role, content) values (1, 3, 'user', 'c')"
    )
    connection.execute(
        "insert into messages (conversation_id, role, content) values"
        " (2, 'user', 'x'), (1, 'assistant', 'd'), (2, 'assistant', 'y'), (1, 'user', 'e')"
    )
    assert connection.execute(
        "select conversation_id, ordinal, content from messages order by 1, 2"
    ).fetchall() == [(1, 3, "c"), (1, 4, "d"), (1, 5, "e"), (2, 1, "x"), (2, 2, "y")]


@pytest.mark.parametrize("change", ["update messages set content = 'Hey'", "delete from messages"])
def test_a_change_by_hand_is_seen_on_the_conversation(
    connection: psycopg.Connection, change: str
) -> None:
    number, _ = connection.execute(HELLO).fetchone() or ()
    connection.execute(MESSAGE, [number])
    (before,) = connection.execute("select changed_at from conversations").fetchone() or ()
    connection.execute(change.encode())
    (after,) = connection.execute("select changed_at from conversations").fetchone() or ()
    assert after > before


def test_messages_go_with_their_conversation(connection: psycopg.Connection) -> None:
    number, _ = connection.execute(HELLO).fetchone() or ()
    connection.execute(MESSAGE, [number])
    connection.execute("delete from conversations")
    assert connection.execute("select * from messages").fetchall() == []


def test_a_message_needs_a_conversation(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="no conversation 7"):
        connection.execute("insert into messages (conversation_id, role) values (7, 'user')")


@pytest.mark.parametrize(
    "values",
    ["'thumb', 3", "'score', null", "'correction', 1", "'applause', 1"],
)
def test_feedback_that_says_nothing_is_refused(connection: psycopg.Connection, values: str) -> None:
    number, _ = connection.execute(HELLO).fetchone() or ()
    with pytest.raises(psycopg.errors.CheckViolation):
        statement = (
            f"insert into feedback (conversation_id, kind, value) values ({number}, {values})"
        )
        connection.execute(statement.encode())


def test_analysts_see_conversations_and_feedback_by_day(connection: psycopg.Connection) -> None:
    number, _ = connection.execute(HELLO).fetchone() or ()
    connection.execute(MESSAGE, [number])
    connection.execute(
        "insert into feedback (conversation_id, ordinal, kind, value) values"
        " (%(id)s, 1, 'thumb', -1), (%(id)s, 1, 'thumb', 1), (%(id)s, null, 'score', 4)",
        {"id": number},
    )
    assert connection.execute(
        "select messages, thumbs_up, thumbs_down from analytics.conversations"
    ).fetchall() == [(1, 1, 1)]
    assert connection.execute(
        "select model, kind, judgements, positive, negative from analytics.feedback_daily"
        " order by kind"
    ).fetchall() == [(None, "score", 1, 1, 0), ("m", "thumb", 2, 1, 1)]
