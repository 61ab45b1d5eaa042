"""Connections to the database, checked before anyone uses them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import psycopg
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import schema, server
from tasks.database.pooler import suit_pooler
from tasks.errors import Fatal, OpenbookError, Retryable
from tasks.settings import Settings


def dsn(settings: Settings) -> str:
    """The database's address, as psql takes it; the configured one holds its password."""
    return settings.database_url or server.url(settings)


def for_programs(settings: Settings) -> tuple[str, dict[str, str]]:
    """The database's address as an argument, which anybody may read, and the environment's rest:
    its password."""
    address = conninfo_to_dict(dsn(settings))
    password = str(address.pop("password", None) or "")
    return make_conninfo("", **address), {"PGPASSWORD": password} if password else {}


def asyncpg_url(settings: Settings, name: str) -> str | None:
    """The address of a database of that name beside ours, made where it is missing.

    None where the database is configured: nothing is added to somebody else's server.
    """
    if settings.database_url is not None:
        return None
    with reach(settings, "openbook") as connection:
        known = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
        if known is None:
            with suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(SQL("create database {}").format(Identifier(name)))
    return server.asyncpg_url(settings, name)


def connect(
    settings: Settings, *, autocommit: bool = False, application_name: str = "openbook"
) -> Connection:
    """Open a connection to a database that this code can work with.

    The embedded server is started and its schema brought up to date where need be. A configured
    database is only checked: server, encoding, pgvector, rights, schema version. pgvector's types
    are registered, and the search path is `openbook, public`.

    Raises Fatal, saying what to do, when the database cannot be used, and Retryable when it cannot
    be used now; neither ever shows the password.
    """
    connection = reach(settings, application_name)
    try:
        suit_pooler(connection)
        schema.require_supported(connection)
        _require_current(settings, connection)
        register_vector(connection)
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def _require_current(settings: Settings, connection: Connection) -> None:
    if not schema.pending(connection):
        return
    if settings.database_url is not None:
        raise Fatal(
            f"the database of {settings.database_variable} lacks a part of this Openbook's schema",
            "Run `openbook migrate`, as the user that owns it.",
        )
    from tasks.database.migrate import migrate

    migrate(settings)


def reach(settings: Settings, application_name: str) -> Connection:
    """Open a connection, in autocommit mode, to a database in whatever state it is."""
    if settings.database_url is not None:
        return _reach_configured(settings, settings.database_url, application_name)
    if server.may_run(settings):
        try:
            return _reach(server.url(settings), application_name)
        except psycopg.OperationalError:
            pass  # killed, starting or stopping: `start` finds out
    server.start(settings)
    try:
        return _reach(server.url(settings), application_name)
    except psycopg.OperationalError as error:
        raise Retryable(f"the embedded PostgreSQL refuses: {error}", "Try again.") from None


def _reach(address: str, application_name: str) -> Connection:
    return Connection.connect(
        address,
        autocommit=True,
        application_name=application_name,
        client_encoding="UTF8",
    )


def _reach_configured(settings: Settings, url: str, application_name: str) -> Connection:
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = None
    if given is None or url.partition("?")[0].count("@") > 1:
        # libpq would quote an address that it cannot read, with the password in it.
        raise Fatal(
            f"{settings.database_variable} is not a PostgreSQL address",
            "Write postgresql://user:password@host:5432/database; in the password, write special "
            "characters as % and their two hexadecimal digits.",
        )
    patience = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000}
    address = make_conninfo(url, **{k: v for k, v in patience.items() if k not in given})
    try:
        return _reach(address, application_name)
    except psycopg.Error as error:
        raise _explain(error, settings.database_variable, url, given) from None


_WRONG = (
    ("password authentication failed|no password", "Correct its user and password there."),
    ("no pg_hba.conf entry|authentication failed", "Let the server's pg_hba.conf accept this."),
    ('database ".*" does not exist', "Create that database, or correct its name there."),
    ('role ".*" does not exist', "Create that user, or correct its name there."),
    ("permission denied for database", "Grant this user `connect` on it."),
    ("name or service not known|no address associated", "Correct its host there."),
    ("bad value for|invalid", "Correct that there."),
    ("does not support ssl|certificate", "Correct `sslmode` there, or the server's certificate."),
)
"""What the server or libpq says about an address that will not work until somebody acts."""


def _explain(error: Exception, variable: str, url: str, given: dict[str, Any]) -> OpenbookError:
    lines = [line.strip() for line in str(error).splitlines()]
    said = " ".join(line for line in lines if not line.startswith("Is the server running"))
    message = f"the database of {variable} cannot be used"
    if not any(secret in said for secret in _secrets(url, given)):
        message += f": {said}"
    for pattern, remedy in _WRONG:
        if re.search(pattern, said, re.IGNORECASE):
            return Fatal(message, remedy)
    return Retryable(message, "See that it runs and can be reached from here, then try again.")


def _secrets(url: str, given: dict[str, Any]) -> set[str]:
    """What may be a password in the address, also where a special character broke it up."""
    login = url.partition("://")[2].rpartition("@")[0]
    parts = [str(given.get("password") or ""), *re.split("[:/?#&]", login)[1:]]
    return {form for part in parts if part for form in (part, unquote(part))}
