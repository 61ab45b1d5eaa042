"""What a session may leave on the server's disk."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tasks.database import migrate
from tasks.settings import Settings

LEFT_BEHIND: tuple[LiteralString, ...] = (
    "create temp table documents (id int)",
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'a')",
)


def test_who_only_reads_leaves_nothing_there(
    empty_database: Settings, administration: psycopg.Connection
) -> None:
    migrate(empty_database)
    login = "somebody_who_reads"
    administration.execute(f"create role {login} login in role openbook_analyst".encode())
    try:
        address = make_conninfo(str(empty_database.database_url), user=login)
        with psycopg.connect(address, autocommit=True) as session:
            for statement in LEFT_BEHIND:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
    finally:
        administration.execute(f"drop role {login}".encode())
