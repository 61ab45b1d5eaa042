"""The schema `analytics`: what analysts read, and that it says what they read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection

from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter, settings_of

PAGE = Path(__file__).parents[2] / "sql" / "README.md"
QUESTIONS = dict(
    re.findall(
        r"^\*\*([^\n]+?)\*\*\n+```sql\n(.*?)^```$",
        PAGE.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


@pytest.fixture
def office(shelf: Shelf) -> Shelf:
    """A shelf with a public and a private document, and what its runs were."""
    shelf.put("a.md", "the warranty is two years", "moss", readers=["public"], format="md",
              metadata={"author": "Mara Lindqvist"})  # fmt: skip
    shelf.put("b.md", "the warranty is secret", "moss", readers=["ana"], format="md")
    shelf.connection.execute(
        """
        update runs set outcome = 'done', started_at = '2026-03-01 23:30 utc',
            finished_at = now() - interval '2 hours', chunks = 5, embedded = 3, tokens = 70,
            usd = 0.5;
        insert into runs (source_id, started_at, outcome, chunks, embedded, tokens, usd)
        select min(id), '2026-03-01 08:00 utc', 'failed', 2, 2, 30, 0.25 from sources;
        insert into documents (source_id, path, status, readers, reason, remedy, version_id)
        select min(id), 'c.pdf', 'rejected', '{public}', 'is locked', 'Unlock it.', null
        from sources;
        """
    )
    shelf.embed()
    return shelf


def test_every_view_and_column_says_what_it_is(connection: Connection) -> None:
    mute = connection.execute(
        """
        select c.oid::regclass::text, a.attname
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'analytics'::regnamespace
          and (obj_description(c.oid) not like 'One row %' or obj_description(c.oid) is null
               or col_description(c.oid, a.attnum) is null)
        """
    ).fetchall()
    assert mute == []


def test_freshness_is_the_time_since_the_last_run_that_succeeded(
    office: Shelf,
    enter: Enter,
) -> None:
    session = enter("openbook_analyst")
    rows = session.execute(
        "select source, extract(hours from behind), last_outcome, current, rejected, outdated"
        " from analytics.freshness"
    ).fetchall()
    assert rows == [("shelf", 2, "failed", 1, 1, 0)]


def test_a_source_that_never_succeeded_is_behind_since_it_was_registered(
    office: Shelf, enter: Enter
) -> None:
    office.connection.execute(
        "insert into sources (collection_id, root, name, created_at)"
        " values (1, '/never', 'never', now() - interval '90 minutes')"
    )
    office.connection.commit()
    session = enter("openbook_analyst")
    asked = "select extract(minutes from max(behind)), max(value) from analytics.freshness, "
    asked += "analytics.vitals where source = 'never' and name = 'source_behind_seconds' "
    asked += "and labels ->> 'source' = source"
    (minutes, seconds) = session.execute(asked.encode()).fetchall()[0]
    assert (minutes, int(seconds) // 60) == (30, 90)


def test_costs_are_added_up_by_day(office: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")
    session.execute("set timezone = 'Asia/Tokyo'")
    rows = session.execute(
        "select day, source, runs, embedded, reused, tokens, usd from analytics.cost_by_day"
    ).fetchall()
    assert [(*row[:-1], float(row[-1])) for row in rows] == [
        (date(2026, 3, 1), "shelf", 2, 5, 2, 100, 0.75)
    ]


def test_a_search_is_logged_for_whom_it_was_asked(
    office: Shelf,
    enter: Enter,
    database: Settings,
) -> None:
    server = enter("openbook_search")
    own = settings_of(server, database)
    hits = search("warranty", k=3, principals=["ana"], settings=own, connection=server)
    search("moss", mode="keyword", settings=own, connection=server)
    rows = office.connection.execute(
        "select login, principals, query, mode, k, hits, chunk_ids, milliseconds > 0"
        " from analytics.search_log order by search_id"
    ).fetchall()
    login = server.info.user
    assert rows == [
        (login, ["public", "ana"], "warranty", "hybrid", 3, 3, [h.chunk_id for h in hits], True),
        (login, ["public"], "moss", "keyword", 10, 1, rows[1][6], True),
    ]


def test_a_logged_search_can_be_asked_again(office: Shelf, database: Settings) -> None:
    then = datetime.now(UTC) - timedelta(seconds=1)
    asked = {"filter": {"format": "txt"}, "predicate": "path like 'a%'", "as_of": then}
    search("moss", k=2, skip=3, per_document=True, settings=database, **asked)  # type: ignore[arg-type]
    row = office.connection.execute(
        "select filter, predicate, as_of, per_document, k, skip from analytics.search_log"
    ).fetchone()
    assert row == (*asked.values(), True, 2, 3)


def test_what_an_analyst_leaves_behind_is_bounded(office: Shelf, enter: Enter) -> None:
    ana = enter("openbook_analyst", "ana")
    login = ana.info.user
    office.connection.execute(
        "insert into search_log"
        " (login, collection, query, mode, filter, k, chunk_ids, milliseconds)"
        " select %s, '', '', '', '{}', 1, '{}', 1 from generate_series(1, 9999)",
        [login],
    )
    office.connection.execute(
        "insert into query_embeddings (login, model_id, sha256, query, embedding)"
        " select %s, m.id, sha256(n::text::bytea), n::text,"
        " array_fill(0, array[m.dimensions])::vector"
        " from models m, generate_series(1, 9999) n where m.serving",
        [login],
    )
    for n in range(3):
        ana.execute(
            "select openbook.log_search("
            "repeat('x', 20000), '', 'dense', to_jsonb(repeat('y', 200000)),"
            " null, null, false, 1, 0, array_fill(1::bigint, array[2000]), 1)"
        )
        ana.execute(
            "select openbook.remember_query(m.name, %s, array_fill(0, array[m.dimensions])::vector)"
            " from openbook.models m where m.serving",
            [f"moss {n}"],
        )
    counts = office.connection.execute(
        "select count(*), max(length(query)), max(length(filter::text)),"
        " max(cardinality(chunk_ids)), (select count(*) from query_embeddings) from search_log"
    ).fetchone()
    assert counts == (10_000, 10_000, 10_002 + 1, 1000, 10_000)


def test_a_login_sees_its_own_searches_as_far_as_it_still_stands_for_them(
    office: Shelf,
    enter: Enter,
    database: Settings,
) -> None:
    ana, ben = enter("openbook_analyst", "ana"), enter("openbook_analyst", "ben")
    for session in (ana, ben):
        search("warranty", settings=settings_of(session, database), connection=session)
    office.connection.execute(
        "insert into search_log (collection, query, mode, filter, k, chunk_ids, milliseconds)"
        " values ('', '', '', '{}', 1, '{}', 1)"
    )

    def seen(session: Connection) -> list[str]:
        return [login for (login,) in session.execute("select login from analytics.search_log")]

    assert (seen(ana), seen(ben)) == ([ana.info.user], [ben.info.user])
    server = enter("openbook_search")
    for principal in ("ana", "ben"):
        search("moss", principals=[principal], settings=settings_of(server, database))
    with server.transaction():
        server.execute("select openbook.act_for(array['ana'])")
        rows = server.execute("select principals from openbook.search_log").fetchall()
    assert rows == [(["public", "ana"],)]


def test_a_search_that_must_not_write_or_be_logged_is_not(
    office: Shelf,
    database: Settings,
) -> None:
    search("moss", log=False, settings=database)
    with office.connection.transaction():
        office.connection.execute("set transaction read only")
        assert search("moss", settings=database, connection=office.connection)
    assert office.connection.execute("select count(*) from search_log").fetchone() == (0,)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_analyst_gets_an_answer_to_each_worked_question(
    office: Shelf,
    enter: Enter,
    question: str,
) -> None:
    session = enter("openbook_analyst")
    cursor = session.execute(QUESTIONS[question].encode())
    assert cursor.description
    assert "secret" not in str(cursor.fetchall())


def test_the_worked_questions_are_there() -> None:
    assert len(QUESTIONS) >= 12


def test_when_a_model_retires_does_not_depend_on_who_asks_from_where(
    office: Shelf, enter: Enter
) -> None:
    office.connection.execute(
        "insert into chat_models (name, version, base, stage, retires_on)"
        " values ('support', 3, 'small', 'serving', '2099-01-02')"
    )
    session = enter("openbook_analyst")
    seconds = []
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        session.execute(f"set timezone = '{zone}'")
        row = session.execute(
            "select value + extract(epoch from now()) from analytics.vitals"
            " where name = 'serving_model_retires_in_seconds'"
        ).fetchone()
        assert row is not None
        seconds.append(row[0])
    midnight = datetime(2099, 1, 2, tzinfo=UTC).timestamp()
    assert seconds == pytest.approx([midnight, midnight])
