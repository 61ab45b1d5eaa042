"""What a session may leave on the server's disk."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tasks.database import migrate
from tasks.settings import Settings


def test_who_only_reads_makes_no_temporary_tables(
    empty_database: Settings, administration: psycopg.Connection
) -> None:
    migrate(empty_database)
    login = "somebody_who_reads"
    administration.execute(f"create role {login} login in role openbook_analyst".encode())
    try:
        address = make_conninfo(str(empty_database.database_url), user=login)
        with (
            psycopg.connect(address) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="temporary"),
        ):
            session.execute("create temp table documents (id int)")
    finally:
        administration.execute(f"drop role {login}".encode())
