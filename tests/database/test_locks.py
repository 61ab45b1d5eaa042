"""One at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tasks.database import connect, hold, is_held
from tasks.settings import Settings


@pytest.fixture
def other(database: Settings) -> Iterator[psycopg.Connection]:
    with closing(connect(database)) as connection:
        yield connection


def held_elsewhere(connection: psycopg.Connection, *key: str | int) -> bool:
    with hold(connection, *key) as held:
        return not held


def test_a_held_lock_is_refused_to_others_until_its_block_ends(
    connection: psycopg.Connection, other: psycopg.Connection
) -> None:
    with hold(connection, "source", 7) as held:
        assert held
        assert held_elsewhere(other, "source", 7)
        assert not held_elsewhere(other, "source", 8)

    assert not held_elsewhere(other, "source", 7)


def test_whether_it_is_held_is_told_without_taking_it(
    connection: psycopg.Connection, other: psycopg.Connection
) -> None:
    for number in range(8):  # half of the keys are negative
        assert not is_held(other, "source", number)
        with hold(connection, "source", number):
            assert is_held(other, "source", number)
            assert not is_held(other, "target", number)


def test_it_outlasts_the_holder_s_transactions(
    connection: psycopg.Connection, other: psycopg.Connection
) -> None:
    with hold(connection, "source", 7):
        connection.execute("select 1")
        connection.rollback()
        connection.commit()
        assert held_elsewhere(other, "source", 7)


def test_it_dies_with_its_holder(connection: psycopg.Connection, other: psycopg.Connection) -> None:
    with pytest.raises(psycopg.OperationalError), hold(connection, "source", 7):
        other.execute("select pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
        connection.execute("select 1")

    assert not held_elsewhere(other, "source", 7)


def test_it_is_given_back_when_the_block_fails_within_a_transaction(
    connection: psycopg.Connection, other: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), hold(connection, "source", 7):
        connection.execute("select 1 / 0")

    assert not held_elsewhere(other, "source", 7)
