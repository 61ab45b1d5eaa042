"""For whom a login stands: the users and groups whose documents it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from tasks.database import query
from tasks.errors import Fatal


@dataclass(frozen=True, slots=True)
class Login:
    """A role that opens sessions: its Openbook roles, its principals, where it is confined to.

    Without `collections` it may use every one.
    """

    login: str
    roles: list[str]
    principals: list[str]
    collections: list[str]


def logins(connection: Connection) -> list[Login]:
    """Every login but superusers that has one of Openbook's roles or a principal, by name."""
    with connection.cursor(row_factory=class_row(Login)) as cursor:
        return cursor.execute(query("logins")).fetchall()


def set_principals(
    connection: Connection,
    login: str,
    principals: Sequence[str],
    collections: Sequence[str] = (),
) -> None:
    """Let the login stand for exactly these users and groups, in these collections or in all.

    Raises Fatal for a login or collection that does not exist, and without the owner's rights.
    """
    try:
        with connection.transaction():
            connection.execute(
                "select openbook.set_principals(%s, %s, %s)",
                [login, list(principals), list(collections)],
            )
    except psycopg.errors.UndefinedObject as error:
        raise Fatal(error.diag.message_primary or "", error.diag.message_hint or "") from None
    except psycopg.errors.InsufficientPrivilege:
        raise Fatal(
            f"the login {connection.info.user} may not say for whom others stand",
            "Connect as a member of openbook_owner.",
        ) from None
