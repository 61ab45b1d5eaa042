"""Real logins of each role, on the test's own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import connect
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf, shelf  # noqa: F401

Enter = Callable[..., Connection]


def settings_of(connection: Connection, database: Settings) -> Settings:
    """The settings with which a program connects as the connection's login."""
    assert database.database_url is not None
    address = make_conninfo(database.database_url, user=connection.info.user)
    return replace(database, database_url=address)


@pytest.fixture
def enter(database: Settings, administration: psycopg.Connection) -> Iterator[Enter]:
    """Opens a session of a new login, a member of the role, that stands for the principals."""
    assert database.database_url is not None
    prefix = conninfo_to_dict(database.database_url)["dbname"]
    numbers = count()
    with ExitStack() as after, closing(connect(database, autocommit=True)) as owner:

        def enter(role: str, *principals: str, collections: Sequence[str] = ()) -> Connection:
            name = f"{prefix}_{next(numbers)}"
            administration.execute(
                SQL("create role {} login in role {}").format(Identifier(name), Identifier(role))
            )
            after.callback(administration.execute, SQL("drop role {}").format(Identifier(name)))
            owner.execute(
                "select openbook.set_principals(%s, %s, %s)",
                [name, list(principals), list(collections)],
            )
            address = make_conninfo(str(database.database_url), user=name)
            own = replace(database, database_url=address)
            return after.enter_context(closing(connect(own, autocommit=True)))

        yield enter
