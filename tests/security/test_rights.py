"""Who finds and reads what: bound to the login, inside the search."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from tasks.errors import Fatal
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter, settings_of

MODES = ("hybrid", "dense", "keyword")
EVERYBODY = [
    "openbook_owner",
    "openbook_ingest",
    "openbook_search",
    "openbook_analyst",
    "openbook_trainer",
]


@pytest.fixture
def house(shelf: Shelf) -> Shelf:
    """Four documents about moss: everybody's, the group's, Ana's, and one of unknown readers."""
    shelf.put("lobby.txt", "moss in the lobby", readers=["public"])
    shelf.put("ledger.txt", "moss in the ledger", readers=["group:finance", "ben"])
    shelf.put("diary.txt", "moss in the diary", readers=["ana"])
    shelf.put("attic.txt", "moss in the attic")
    shelf.embed()
    return shelf


def found(connection: Connection, query: str = "moss", **options: Any) -> set[str]:
    """The paths of the documents that a search finds."""
    return set(Shelf(connection).paths(query, **options))


def read(connection: Connection) -> set[str]:
    """The paths of the documents that the session reads in the table."""
    return {path for (path,) in connection.execute("select path from openbook.documents")}


@pytest.mark.parametrize("role", ["openbook_analyst", "openbook_trainer"])
@pytest.mark.parametrize(
    ("principals", "paths"),
    [
        ([], {"lobby.txt"}),
        (["ana"], {"lobby.txt", "diary.txt"}),
        (["ben", "group:sales"], {"lobby.txt", "ledger.txt"}),
        (["ana", "group:finance"], {"lobby.txt", "diary.txt", "ledger.txt"}),
    ],
)
def test_a_login_reads_and_finds_what_its_principals_may(
    house: Shelf, enter: Enter, role: str, principals: list[str], paths: set[str]
) -> None:
    session = enter(role, *principals)
    assert read(session) == paths
    for mode in MODES:
        assert found(session, mode=mode) == paths


@pytest.mark.parametrize("role", ["openbook_owner", "openbook_ingest"])
def test_who_keeps_the_book_sees_all_of_it(house: Shelf, enter: Enter, role: str) -> None:
    session = enter(role)
    assert read(session) == found(session) == set(house.current())


def test_a_trusted_login_stands_for_whom_it_names_until_the_transaction_ends(
    house: Shelf, enter: Enter
) -> None:
    session = enter("openbook_search")
    with session.transaction():
        session.execute("select openbook.act_for(array['ana'])")
        assert found(session) == read(session) == {"lobby.txt", "diary.txt"}
    assert found(session) == read(session) == {"lobby.txt"}


def test_principals_granted_to_a_trusted_login_are_not_its_requests(
    house: Shelf, enter: Enter
) -> None:
    session = enter("openbook_search", "ana")
    assert found(session) == {"lobby.txt"}


@pytest.mark.parametrize("role", ["openbook_analyst", "openbook_trainer", "openbook_ingest"])
def test_nobody_else_names_principals(house: Shelf, enter: Enter, role: str) -> None:
    session = enter(role)
    with pytest.raises(InsufficientPrivilege):
        session.execute("select openbook.act_for(array['ana'])")


def test_the_owner_may_look_through_the_eyes_of_others(house: Shelf, database: Settings) -> None:
    paths = {hit.path for hit in search("moss", principals=["ben"], settings=database)}
    assert paths == {"lobby.txt", "ledger.txt"}
    assert len(search("moss", settings=database)) == 4


def test_who_acts_for_others_reads_no_more_than_they_in_tables(
    house: Shelf, connection: Connection
) -> None:
    connection.execute("select openbook.act_for(array['ben'])")
    assert read(connection) == found(connection) == {"lobby.txt", "ledger.txt"}
    with pytest.raises(InsufficientPrivilege):
        connection.execute("select from openbook.embeddings")
    connection.rollback()
    assert len(read(connection)) == 4


def test_python_names_principals_for_one_search(
    house: Shelf, enter: Enter, database: Settings
) -> None:
    session = enter("openbook_search")
    own = settings_of(session, database)
    for _ in range(2):
        hits = search("kelp or moss", principals=["ana"], settings=own, connection=session)
        assert {hit.path for hit in hits} == {"lobby.txt", "diary.txt"}
    assert {hit.path for hit in search("moss", settings=own, connection=session)} == {"lobby.txt"}

    analyst = enter("openbook_analyst")
    with pytest.raises(
        Fatal, match=r"may not name principals\. Connect as a member of openbook_se"
    ):
        search("moss", principals=["ana"], settings=own, connection=analyst)


def test_a_document_is_its_readers_from_one_transaction_to_the_next(
    house: Shelf, enter: Enter
) -> None:
    session = enter("openbook_analyst", "ana")
    house.connection.execute("update documents set readers = '{ben}' where path = 'diary.txt'")
    assert found(session) == {"lobby.txt"}
    house.connection.execute("select openbook.set_principals(%s, '{ben}')", [session.info.user])
    assert found(session) == {"lobby.txt", "ledger.txt", "diary.txt"}


def test_equal_documents_are_found_where_they_may_be_read(shelf: Shelf, enter: Enter) -> None:
    shelf.put("open.txt", "the same moss", readers=["public"])
    shelf.put("closed.txt", "the same moss", readers=["ana"])
    shelf.embed()
    assert found(enter("openbook_analyst")) == {"open.txt"}


def test_the_past_is_shown_to_those_who_might_read_it_then_and_may_now(
    shelf: Shelf, enter: Enter
) -> None:
    shelf.put("a.txt", "a secret moss", readers=["ana"])
    (moment,) = shelf.connection.execute("select clock_timestamp()").fetchone() or (None,)
    shelf.put("a.txt", "a redacted moss", readers=["ana", "public"])
    shelf.connection.execute("update versions set readers = '{ana}' where valid_to is not null")
    shelf.embed()
    assert found(enter("openbook_analyst"), as_of=moment) == set()
    assert found(enter("openbook_analyst", "ana"), as_of=moment) == {"a.txt"}
    bodies = enter("openbook_analyst").execute("select body from openbook.passages").fetchall()
    assert bodies == [("a redacted moss",)]


def test_a_confined_login_uses_its_collections_alone(shelf: Shelf, enter: Enter) -> None:
    for collection in ("north", "south"):
        shelf.put(
            f"{collection}.txt",
            "moss",
            source=collection,
            collection=collection,
            readers=["public"],
        )
    shelf.embed()
    session = enter("openbook_analyst", collections=["north"])
    assert found(session, collection="north") == read(session) == {"north.txt"}
    names = session.execute("select name from collections").fetchall()
    assert names == [("north",)]
    for hidden in ("south", "nowhere"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"no collection '{hidden}'"):
            found(session, collection=hidden)


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_role_is_a_superuser_or_goes_past_row_security(
    connection: Connection, role: str
) -> None:
    flags = connection.execute(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication"
        " from pg_roles where rolname = any (array[%s, 'openbook_engine'])",
        [role],
    ).fetchall()
    assert flags == [(False,) * 6] * 2


@pytest.mark.parametrize("role", ["openbook_analyst", "openbook_trainer", "openbook_owner"])
def test_every_view_can_be_read_by_its_readers(shelf: Shelf, enter: Enter, role: str) -> None:
    session = enter(role)
    views = session.execute(
        "select oid::regclass::text from pg_class"
        " where relnamespace = 'analytics'::regnamespace and relkind = 'v'"
    ).fetchall()
    assert views
    for (view,) in views:
        session.execute(f"select * from {view}")
