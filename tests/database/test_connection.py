"""A connection is checked before anyone uses it, and says what to do when it cannot be had."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import quote

import psycopg
import pytest
from pgvector import HalfVector
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import cluster, connect, dsn, migrate, query
from tasks.errors import Fatal, OpenbookError, Retryable
from tasks.settings import Settings

PASSWORD = "cor-rect@horse:battery%41"


def execute(settings: Settings, *statements: str) -> None:
    with psycopg.connect(dsn(settings), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_the_embedded_server_is_started_and_migrated_on_first_use(embedded: Settings) -> None:
    with closing(connect(embedded)) as connection:
        assert connection.execute("select name from collections").fetchall() == [("default",)]


def test_vectors_go_in_and_come_out(connection: psycopg.Connection) -> None:
    vector = HalfVector([0.5, -1.0, 2.0])

    found = connection.execute("select %s::halfvec(3)", [vector]).fetchone()

    assert found == (vector,)


def test_a_transaction_is_open_unless_autocommit_is_asked_for(database: Settings) -> None:
    for autocommit in (False, True):
        with closing(connect(database, autocommit=autocommit)) as connection:
            connection.execute("select 1")
            idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert idle is autocommit


def test_a_connection_bears_its_application_s_name(database: Settings) -> None:
    with closing(connect(database, application_name="openbook ingest")) as connection:
        name = connection.execute("select current_setting('application_name')").fetchone()
    assert name == ("openbook ingest",)


def test_a_configured_database_without_the_schema_asks_for_migrate(
    empty_database: Settings,
) -> None:
    with pytest.raises(Fatal, match="Run `openbook migrate`"):
        connect(empty_database)

    migrate(empty_database)
    connect(empty_database).close()


def test_other_functions_than_the_code_s_are_put_right_or_refused(
    database: Settings, embedded: Settings
) -> None:
    with closing(connect(embedded, autocommit=True)) as connection:
        connection.execute("update schema_definitions set sha256 = 'other'")
    with closing(connect(embedded)) as connection:
        row = connection.execute("select sha256 <> 'other' from schema_definitions").fetchone()
    assert row == (True,)

    execute(database, "update openbook.schema_definitions set sha256 = 'other'")
    with pytest.raises(Fatal, match="Run `openbook migrate`"):
        connect(database)


def test_a_newer_database_is_refused(database: Settings) -> None:
    execute(
        database,
        "insert into openbook.schema_migrations (version, name, sha256) values (9999, 'x', '')",
    )

    with pytest.raises(Fatal, match=r"has x, which this Openbook lacks. Upgrade"):
        connect(database)


@pytest.mark.parametrize("installed", ["0.8.3", "0.7.10", "0.5.0"])
def test_an_old_pgvector_is_refused(database: Settings, installed: str) -> None:
    execute(
        database, f"update pg_extension set extversion = '{installed}' where extname = 'vector'"
    )

    with pytest.raises(Fatal, match=rf"pgvector {installed}.* Install pgvector 0\.8\.4 or newer"):
        connect(database)


@pytest.mark.parametrize("installed", ["0.8.4", "0.8.10", "0.10.0", "1.0"])
def test_versions_of_pgvector_are_compared_as_numbers(database: Settings, installed: str) -> None:
    execute(
        database, f"update pg_extension set extversion = '{installed}' where extname = 'vector'"
    )

    connect(database).close()


def test_pgvector_in_another_schema_is_refused(empty_database: Settings) -> None:
    execute(empty_database, "create schema extensions", "create extension vector schema extensions")

    with pytest.raises(Fatal, match="Run `alter extension vector set schema public`"):
        migrate(empty_database)


def test_a_database_in_another_encoding_is_refused(
    empty_database: Settings, administration: psycopg.Connection
) -> None:
    name = f"{conninfo_to_dict(str(empty_database.database_url))['dbname']}_ascii"
    administration.execute(
        SQL(
            "create database {} encoding 'SQL_ASCII' locale 'C' locale_provider libc "
            "template template0"
        ).format(Identifier(name))
    )
    other = replace(empty_database, database_url=make_conninfo(dsn(empty_database), dbname=name))

    with pytest.raises(Fatal, match="encoding is SQL_ASCII"):
        migrate(other)
    administration.execute(SQL("drop database {}").format(Identifier(name)))


@pytest.fixture
def login(database: Settings, administration: psycopg.Connection) -> Iterator[Settings]:
    """The database as a user without any rights sees it."""
    name = f"login_{conninfo_to_dict(str(database.database_url))['dbname']}"
    administration.execute(SQL("create role {} login").format(Identifier(name)))
    yield replace(database, database_url=make_conninfo(dsn(database), user=name))
    administration.execute(SQL("drop role {}").format(Identifier(name)))


def test_a_user_without_rights_is_told_which_role_to_ask_for(
    login: Settings, administration: psycopg.Connection
) -> None:
    user = str(conninfo_to_dict(dsn(login))["user"])
    with pytest.raises(Fatal, match=rf"user '{user}' may not use .* Grant it one of the roles"):
        connect(login)

    administration.execute(SQL("grant openbook_search to {}").format(Identifier(user)))
    with closing(connect(login)) as connection:
        assert connection.execute("select count(*) from documents").fetchone() == (0,)


def shown(error: OpenbookError) -> str:
    return "".join([*traceback.format_exception(error), str(error), error.remedy, repr(error)])


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"postgresql://reader:{quote(PASSWORD)}@127.0.0.1:1/book", Retryable),
        (f"postgresql://reader:{quote(PASSWORD)}@nowhere.invalid/book", OpenbookError),
        (f"postgresql://reader:{quote(PASSWORD)}@127.0.0.1:1/?connect_timeout=soon", Fatal),
        (f"postgresql://reader:{quote(PASSWORD)}@[::1/book", Fatal),
        (f"postgresql://reader:{PASSWORD}@127.0.0.1:1/book", Fatal),
        ("postgresql://reader:horse/battery@127.0.0.1:1/book", OpenbookError),
        (f"host=127.0.0.1 port=1 password='{PASSWORD}'", Retryable),
        (f"host=127.0.0.1 port=1 password='{PASSWORD}", Fatal),
    ],
)
def test_an_unreachable_address_is_explained_without_its_password(
    database: Settings, url: str, kind: type[OpenbookError]
) -> None:
    with pytest.raises(kind) as caught:
        connect(replace(database, database_url=url))

    assert "OPENBOOK_DATABASE_URL" in str(caught.value)
    assert caught.value.remedy
    for secret in ("cor-rect", "horse", "battery"):
        assert secret not in shown(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "nobody_there"}, 'role "nobody_there" does not exist.*Create that user'),
        ({"dbname": "nothing_there"}, 'database "nothing_there" does not exist.*Create that data'),
    ],
)
def test_what_the_server_lacks_is_named(
    database: Settings, change: dict[str, str], said: str
) -> None:
    with pytest.raises(Fatal, match=said):
        connect(replace(database, database_url=make_conninfo(dsn(database), **change)))


def test_a_wrong_password_is_said_and_not_shown(embedded: Settings) -> None:
    with closing(connect(embedded, autocommit=True)) as connection:
        connection.execute("create role reader login password 'right'")
        access = cluster.locate(embedded.home) / "pg_hba.conf"
        access.write_text("local all reader scram-sha-256\nlocal all all trust\n")
        connection.execute("select pg_reload_conf(), pg_sleep(0.2)")
    configured = replace(
        embedded, database_url=make_conninfo(dsn(embedded), user="reader", password=PASSWORD)
    )

    with pytest.raises(Fatal, match="Correct its user and password") as caught:
        connect(configured)
    assert PASSWORD not in shown(caught.value)


def test_a_server_with_no_connection_left_can_be_tried_later(
    database: Settings, login: Settings
) -> None:
    name = str(conninfo_to_dict(dsn(database))["dbname"])
    execute(database, f"alter database {name} connection limit 0")

    with pytest.raises(Retryable, match="too many connections"):
        connect(login)


def test_a_named_query_is_the_text_of_its_file() -> None:
    assert "openbook.schema_migrations" in query("applied_migrations").as_string()
    with pytest.raises(FileNotFoundError):
        query("nonesuch")
