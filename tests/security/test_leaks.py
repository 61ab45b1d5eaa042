"""The ways in which the usual set-up leaks, each tried by a login that wants to know more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter

READERS = ("openbook_search", "openbook_analyst", "openbook_trainer")
FORGED = "select set_config('openbook.acting_for', {stamp} || '{{ana}}', {local})"


@pytest.fixture
def house(shelf: Shelf) -> Shelf:
    """One document that everybody reads, and one that Ana does."""
    shelf.put("lobby.txt", "moss in the lobby", readers=["public"])
    shelf.put("diary.txt", "moss and a secret", readers=["ana"])
    shelf.embed()
    return shelf


def seen(session: Connection) -> set[str]:
    """What the session finds and reads, one way and the other."""
    read = session.execute("select path from openbook.documents").fetchall()
    return set(Shelf(session).paths("moss secret")) | {path for (path,) in read}


@contextmanager
def stopped_by_rights() -> Iterator[None]:
    with pytest.raises(InsufficientPrivilege):
        yield


# Session variables: what a session can set says nothing of who it is.


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize(
    "stamp", ["''", "'1='", "extract(epoch from now() - '1 s'::interval) || '='"]
)
def test_a_forged_setting_opens_nothing(house: Shelf, enter: Enter, role: str, stamp: str) -> None:
    session = enter(role)
    session.execute(FORGED.format(stamp=stamp, local="false"))
    assert seen(session) == {"lobby.txt"}
    with session.transaction():
        session.execute(FORGED.format(stamp=stamp, local="true"))
        assert seen(session) == {"lobby.txt"}


@pytest.mark.parametrize("role", ["openbook_analyst", "openbook_trainer"])
def test_a_setting_as_trusted_logins_have_it_opens_nothing_to_others(
    house: Shelf, enter: Enter, role: str
) -> None:
    session = enter(role)
    stamp = "extract(epoch from transaction_timestamp())::text || '='"
    with session.transaction():
        session.execute(FORGED.format(stamp=stamp, local="true"))
        assert seen(session) == {"lobby.txt"}
    inside = f"({FORGED.format(stamp=stamp, local='false')}) is not null"
    found = session.execute(f"select path from openbook.documents where {inside}").fetchall()
    assert found == [("lobby.txt",)]


def test_what_a_trusted_login_named_is_void_in_the_next_transaction(
    house: Shelf, enter: Enter
) -> None:
    session = enter("openbook_search")
    with session.transaction():
        session.execute("select openbook.act_for(array['ana'])")
        row = session.execute("select current_setting('openbook.acting_for')").fetchone()
        assert seen(session) == {"lobby.txt", "diary.txt"}
    assert row is not None
    session.execute("select set_config('openbook.acting_for', %s, false)", row)
    assert seen(session) == {"lobby.txt"}


def test_a_savepoint_takes_back_what_was_named_in_it(house: Shelf, enter: Enter) -> None:
    session = enter("openbook_search")
    with session.transaction():
        with session.transaction(force_rollback=True):
            session.execute("select openbook.act_for(array['ana'])")
        assert seen(session) == {"lobby.txt"}


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize(
    "attempt",
    [
        "set role openbook_owner",
        "set role openbook_engine",
        "set session authorization postgres",
        "set row_security = off; select * from openbook.documents",
        "alter table openbook.documents disable row level security",
        "create policy p on openbook.documents using (true)",
        "insert into openbook.principals values (session_user, 'ana')",
        "select openbook.set_principals(session_user, '{ana}')",
        "update openbook.documents set readers = '{public}'",
        "set default_transaction_read_only = off; delete from openbook.documents",
        "create function openbook.f() returns int language sql as 'select 1'",
        "copy openbook.documents to program 'true'",
    ],
)
def test_what_would_change_the_rules_is_refused(
    house: Shelf, enter: Enter, role: str, attempt: str
) -> None:
    session = enter(role)
    with stopped_by_rights():
        session.execute(attempt)
    assert seen(session) == {"lobby.txt"}


# Owners' views: a view reads with the rights of who asks.


def test_every_view_asks_with_the_rights_of_its_reader(connection: Connection) -> None:
    rows = connection.execute(
        "select oid::regclass::text from pg_class where relkind in ('v', 'm')"
        " and relnamespace in ('analytics'::regnamespace, 'openbook'::regnamespace)"
        " and not coalesce(reloptions @> '{security_invoker=true}', false)"
    ).fetchall()
    assert rows == []


@pytest.mark.parametrize("role", ["openbook_analyst", "openbook_trainer"])
def test_views_show_what_the_login_may_read(house: Shelf, enter: Enter, role: str) -> None:
    for view in ("documents", "chunks"):
        rows = enter(role).execute(f"select path from analytics.{view}").fetchall()
        assert rows == [("lobby.txt",)]


# The index: hidden rows take no place among the hits, and leave no trace in them.


def _crowd(shelf: Shelf, hidden: int, visible: int) -> None:
    """Passages that say the same, the hidden ones much nearer to `moss` than the visible ones."""
    shelf.put("seed.txt", "moss", readers=["ana"])
    shelf.connection.execute("select openbook.add_model('tiny', 4, 100)")
    shelf.connection.execute(
        """
        create temp table crowd as
        select n, n <= %(hidden)s as hidden, 'moss ' || n as body,
               sha256(convert_to('moss ' || n, 'UTF8')) as sha256
        from generate_series(1, %(hidden)s + %(visible)s) n
        """,
        {"hidden": hidden, "visible": visible},
    )
    shelf.connection.execute(
        """
        with stored as (
            insert into passages (collection_id, language, sha256, body, tokens, lexemes)
            select 1, 'english', sha256, body, 1, to_tsvector('simple', body) from crowd
            returning id, sha256
        ), content as (
            insert into contents (collection_id, language, sha256, format, recipe, text, chunks)
            select 1, 'english', sha256(convert_to(hidden::text, 'UTF8')), 'txt', hidden::text, '',
                   count(*)
            from crowd group by hidden
            returning id, recipe::boolean as hidden
        ), document as (
            insert into documents (source_id, path, readers)
            select s.id, hidden::text, case when hidden then array['ana'] else array['public'] end
            from content, sources s
            returning id, path::boolean as hidden
        ), cut as (
            insert into chunks (content_id, ordinal, passage_id, starts_at, ends_at)
            select content.id, n, stored.id, 0, 0
            from crowd join stored using (sha256) join content using (hidden)
        )
        insert into versions (document_id, content_id, run_id)
        select document.id, content.id, 1 from document join content using (hidden)
        """
    )
    shelf.connection.execute(
        """
        insert into embeddings (model_id, sha256, embedding)
        select 1, sha256,
               l2_normalize(('[1,' || case when hidden then random() / 100 else 1 + random() end
                             || ',' || random() / 100 || ',0]')::vector)::halfvec
        from crowd
        """
    )
    shelf.connection.execute(
        "update documents d set version_id = v.id, status = 'current'"
        " from versions v where v.document_id = d.id and d.version_id is null"
    )
    while shelf.seal(1000):
        pass
    shelf.connection.execute("select openbook.index_embeddings(1)")
    shelf.connection.execute("analyze")


def test_hidden_rows_take_no_place_among_the_hits(shelf: Shelf, enter: Enter) -> None:
    _crowd(shelf, hidden=20_000, visible=50)
    session = enter("openbook_analyst")
    for mode in ("dense", "keyword", "hybrid"):
        for k in (10, 50, 100):
            hits = Shelf(session).search("moss", k=k, mode=mode, embedding="[1,0,0,0]")
            assert len(hits) == min(k, 50)
            assert {hit["path"] for hit in hits} == {"false"}
            ranks = [hit["dense_rank" if mode == "dense" else "keyword_rank"] for hit in hits]
            if mode != "hybrid":
                assert ranks == list(range(1, len(hits) + 1))


def test_hidden_rows_leave_no_trace_in_the_hits(house: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")

    def hits() -> list[dict[str, Any]]:
        found = Shelf(session).search("moss", mode="dense")
        assert found[0].pop("version_id")
        return found

    Shelf(session).search("moss")
    vector = house.connection.execute("select embedding from embeddings limit 1").fetchone()
    assert vector is not None
    session.execute("select openbook.remember_query('hashing-256', 'moss', %s)", vector)
    before = hits()
    assert before[0]["dense_rank"] == 1
    house.put("more.txt", "moss moss moss", readers=["ana"])
    house.embed()
    assert hits() == before


# Definer functions: nobody else's names, nobody else's hands.


def test_functions_with_their_owners_rights_are_the_engines_and_read_no_foreign_names(
    connection: Connection,
) -> None:
    """Those that make, drop or forget what others own are their owner's, for who ingests alone."""
    makers = {"add_model", "index_embeddings", "drop_model", "expire", "forget_queries"}
    rows = connection.execute(
        "select proname, pg_get_userbyid(proowner), proconfig from pg_proc"
        " where prosecdef and pronamespace not in ('pg_catalog'::regnamespace)"
    ).fetchall()
    assert "search" in {name for name, _, _ in rows}
    for name, owner, settings in rows:
        path = next((one for one in settings or [] if one.startswith("search_path=")), "")
        assert (owner == "openbook_engine") != (name in makers), name
        assert re.fullmatch(r"search_path=(openbook, )?((public|pg_catalog), )*pg_temp", path), name


def test_what_everybody_may_call_or_read_is_nothing(connection: Connection) -> None:
    open_ = connection.execute(
        "select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(proacl,"
        " acldefault('f', proowner))) a where a.grantee = 0"
        " and pronamespace = 'openbook'::regnamespace"
        " union all select c.oid::regclass::text from pg_class c, aclexplode(relacl) a"
        " where a.grantee = 0 and relnamespace in"
        " ('openbook'::regnamespace, 'analytics'::regnamespace)"
    ).fetchall()
    assert open_ == []


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize(
    "table",
    ["embeddings", "embeddings_1", "bm25_postings", "bm25_slots", "query_embeddings",
     "principals", "confinements"],
)  # fmt: skip
def test_vectors_words_and_questions_of_others_are_not_to_be_read(
    house: Shelf, enter: Enter, role: str, table: str
) -> None:
    with stopped_by_rights():
        enter(role).execute(f"select * from openbook.{table}")


# What is said on the side.


def test_conditions_of_the_reader_are_not_tried_on_hidden_rows(house: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")
    probes = {
        "passages": "1 / (case when body like '%secret%' then 0 else 1 end) = 1",
        "documents": "case when path = 'diary.txt' then path::int else 1 end = 1",
        "contents": "1 / (1 - (select count(*) from openbook.chunks k where k.content_id"
        " = contents.id and k.content_id > 1)) = 1",
    }
    for table, probe in probes.items():
        rows = session.execute(f"select count(*) from openbook.{table} where {probe}").fetchone()
        assert rows == (1,)


def test_the_planners_statistics_of_hidden_texts_are_hidden(house: Shelf, enter: Enter) -> None:
    house.connection.execute("analyze")
    rows = enter("openbook_analyst").execute(
        "select tablename from pg_stats where schemaname = 'openbook'"
        " and tablename in ('documents', 'passages', 'contents')"
    )
    assert rows.fetchall() == []


def test_what_others_asked_is_not_known(house: Shelf, enter: Enter) -> None:
    ana, ben = enter("openbook_analyst", "ana"), enter("openbook_analyst")
    vector = house.connection.execute("select embedding from embeddings limit 1").fetchone()
    assert vector is not None
    ana.execute("select openbook.remember_query('hashing-256', 'my plans', %s)", vector)
    for session, known in ((ana, 1), (ben, 0)):
        row = session.execute("select count(openbook.known_embedding(1, 'my plans'))").fetchone()
        assert row == (known,)
        hits = Shelf(session).search("my plans")
        assert any(hit["dense_rank"] for hit in hits) == bool(known)


def test_a_refusal_says_nothing_of_what_is_hidden(house: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")
    for filter in ({"path": {"gt": 3}}, {"secret": {"like": "\\"}}, {"or": []}):
        with pytest.raises(psycopg.Error) as raised:
            Shelf(session).search("secret", filter=filter)
        said = repr(raised.value.diag.__reduce__()) + str(raised.value)
        assert "diary" not in said
        assert "moss" not in said


def test_why_tells_nothing_of_another_document_with_the_same_text(
    shelf: Shelf, enter: Enter
) -> None:
    shelf.put("open.txt", "the same moss", readers=["public"])
    shelf.put("merger.txt", "the same moss", readers=["ana"])
    shelf.put("closed.txt", "moss for one", readers=["ana"])
    shelf.embed()
    session = enter("openbook_analyst")
    (hit,) = Shelf(session).search("moss")
    why = "select demands from openbook.why('moss', %s, filter => %s)"
    for path, met in (("open.txt", True), ("merger.txt", False)):
        row = session.execute(why, [hit["chunk_id"], f'{{"path": "{path}"}}']).fetchone()
        assert row is not None
        assert [demand["met"] for demand in row[0]] == [met]
    hidden = shelf.search("moss", filter={"path": "closed.txt"})[0]["chunk_id"]
    for chunk in (hidden, 10**9):
        for call in ("why('moss', %s)", "more_like(%s)"):
            with pytest.raises(psycopg.Error, match=f"there is no chunk {chunk}"):
                session.execute(f"select * from openbook.{call}".encode(), [chunk])
        around = session.execute("select * from openbook.neighbours(%s)", [chunk])
        assert around.fetchall() == []


def test_what_is_like_a_chunk_is_what_the_login_may_read(house: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")
    house.put("yard.txt", "moss in the yard", readers=["public"])
    house.embed()
    (chunk,) = session.execute("select min(id) from openbook.chunks").fetchone() or (None,)
    rows = session.execute("select path from openbook.more_like(%s)", [chunk]).fetchall()
    assert rows == [("yard.txt",)]
    everything = house.connection.execute("select path from openbook.more_like(%s)", [chunk])
    assert {path for (path,) in everything} == {"yard.txt", "diary.txt"}
