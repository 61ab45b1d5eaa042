"""Functions and views after an upgrade: what the files say, and what users made beside them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from tasks.database import MigrationReport, migrate
from tasks.errors import Fatal
from tasks.settings import Settings
from tests.database.conftest import GREETING, ask

VIEW = "create or replace view analytics.fruits as select %s from openbook.fruits;"


def write(sql: Path, name: str, text: str) -> Path:
    file = sql / name
    file.write_text(text)
    return file


def defined(settings: Settings) -> set[str]:
    with psycopg.connect(settings.database_url or "") as connection:
        rows = connection.execute(
            "select p.oid::regprocedure::text from pg_proc p"
            " where p.pronamespace = 'openbook'::regnamespace union all"
            " select c.oid::regclass::text from pg_class c"
            " where c.relkind = 'v' and c.relnamespace in"
            " ('openbook'::regnamespace, 'analytics'::regnamespace)"
        ).fetchall()
    return {name for (name,) in rows}


def test_what_the_files_define_no_more_is_dropped(empty_database: Settings, sql: Path) -> None:
    function = write(
        sql, "functions/weigh.sql",
        "create or replace function openbook.weigh(kg real) returns real language sql return kg;"
        "create or replace function openbook.grow() returns trigger language plpgsql"
        " as 'begin return new; end';"
        "create or replace trigger grow before insert on openbook.fruits"
        " for each row execute function openbook.grow();",
    )  # fmt: skip
    view = write(sql, "views/fruits.sql", VIEW % "name, openbook.weigh(1)")
    migrate(empty_database, sql)
    assert defined(empty_database) == {
        "openbook.weigh(real)", "openbook.grow()", "openbook.greeting()", "analytics.fruits"
    }  # fmt: skip

    function.unlink()
    view.unlink()
    migrate(empty_database, sql)

    assert defined(empty_database) == {"openbook.greeting()"}
    assert ask(empty_database, "select count(*) from pg_trigger where tgname = 'grow'") == 0


def test_what_users_made_is_not_touched(empty_database: Settings, sql: Path) -> None:
    migrate(empty_database, sql)
    with psycopg.connect(empty_database.database_url or "", autocommit=True) as connection:
        connection.execute(
            "create function openbook.mine() returns int language sql return 1;"
            "create view analytics.mine as select openbook.greeting() as word;"
            "create trigger mine before insert on openbook.fruits for each row"
            " execute function suppress_redundant_updates_trigger();"
        )
    write(sql, "functions/greeting.sql", GREETING % "'good day'")

    migrate(empty_database, sql)

    assert ask(empty_database, "select openbook.mine()") == 1
    assert ask(empty_database, "select word from analytics.mine") == "good day"
    assert ask(empty_database, "select count(*) from pg_trigger where tgname = 'mine'") == 1


@pytest.mark.parametrize(
    "changed",
    [
        "create or replace function openbook.greeting() returns integer language sql return 42;",
        "create or replace function openbook.greeting(name text default '') returns text"
        " language sql return 42::text; comment on function openbook.greeting is 'Says hello.';",
        "create or replace function openbook.greeting(out answer integer) language sql return 42;",
    ],
    ids=["result", "parameters", "name of its result"],
)
def test_a_definition_may_change_in_what_replacing_cannot_change(
    empty_database: Settings, sql: Path, changed: str
) -> None:
    write(
        sql, "functions/later.sql",
        "create or replace function openbook.later() returns text language plpgsql"
        " as $$ begin return openbook.greeting(); end $$;",
    )  # fmt: skip
    migrate(empty_database, sql)
    write(sql, "functions/greeting.sql", changed)

    assert migrate(empty_database, sql) == MigrationReport((), definitions=True, version=1)

    assert ask(empty_database, "select openbook.later()") == "42"
    assert len(defined(empty_database)) == 2


def test_an_overload_that_is_gone_makes_no_call_ambiguous(
    empty_database: Settings, sql: Path
) -> None:
    write(
        sql, "functions/callers.sql",
        "create or replace function openbook.call() returns text language sql"
        " return openbook.later('a');",
    )  # fmt: skip
    callers = sql / "functions" / "callers.sql"
    late = write(
        sql, "functions/before.sql",
        "create or replace function openbook.later(a text) returns text language sql return a;",
    )  # fmt: skip
    migrate(empty_database, sql)

    late.write_text(
        "create or replace function openbook.later(a text, b int default 1) returns text"
        " language sql return a || b;"
    )
    callers.write_text(callers.read_text() + "-- and again")
    migrate(empty_database, sql)

    assert ask(empty_database, "select openbook.call()") == "a1"


def test_a_view_may_lose_columns_and_keep_the_views_over_it(
    empty_database: Settings, sql: Path
) -> None:
    write(sql, "views/fruits.sql", VIEW % "name, 1 as kg")
    write(
        sql, "views/names.sql",
        "create or replace view analytics.names as select name from analytics.fruits;",
    )  # fmt: skip
    migrate(empty_database, sql)
    write(sql, "views/fruits.sql", VIEW % "2.5 as kg, name")

    migrate(empty_database, sql)

    assert defined(empty_database) == {
        "openbook.greeting()", "analytics.fruits", "analytics.names"
    }  # fmt: skip


def test_a_view_of_a_users_over_one_that_changes_stops_the_upgrade_by_name(
    empty_database: Settings, sql: Path
) -> None:
    write(sql, "views/fruits.sql", VIEW % "name, 1 as kg")
    migrate(empty_database, sql)
    with psycopg.connect(empty_database.database_url or "", autocommit=True) as connection:
        connection.execute("create view public.mine as select kg from analytics.fruits")
    write(sql, "views/fruits.sql", VIEW % "name")

    with pytest.raises(Fatal, match=re.escape("view public.mine uses what this Openbook")):
        migrate(empty_database, sql)

    assert ask(empty_database, "select count(*) from public.mine") == 0
    with psycopg.connect(empty_database.database_url or "", autocommit=True) as connection:
        connection.execute("drop view public.mine")
    assert migrate(empty_database, sql).definitions


def test_readers_never_miss_what_is_made_anew(empty_database: Settings, sql: Path) -> None:
    write(sql, "views/fruits.sql", VIEW % "name, 1 as kg")
    migrate(empty_database, sql)
    done, failures, answers = Event(), [], 0

    def read() -> None:
        nonlocal answers
        with psycopg.connect(empty_database.database_url or "", autocommit=True) as connection:
            while not done.is_set():
                try:
                    connection.execute("select count(openbook.greeting()) from analytics.fruits")
                    answers += 1
                except psycopg.Error as error:
                    failures.append(error)

    reader = Thread(target=read)
    reader.start()
    for number in range(6):
        columns = "name" if number % 2 == 0 else "name, 1 as kg"
        write(sql, "views/fruits.sql", VIEW % columns)
        result, answer = ("text", "'a'") if number % 2 == 0 else ("integer", "1")
        greeting = GREETING.replace("text", result) % answer
        write(sql, "functions/greeting.sql", greeting)
        migrate(empty_database, sql)
        before = answers
        while answers == before and not failures:
            time.sleep(0.01)
    done.set()
    reader.join()

    assert failures == []


def test_the_books_own_definitions_are_all_on_record(database: Settings) -> None:
    unknown = (
        "select count(*) from (select p.oid, 'pg_proc'::regclass as class from pg_proc p"
        " where p.pronamespace = 'openbook'::regnamespace union all"
        " select c.oid, 'pg_class' from pg_class c where c.relkind = 'v'"
        " and c.relnamespace = 'analytics'::regnamespace union all"
        " select t.oid, 'pg_trigger' from pg_trigger t where not t.tgisinternal) made,"
        " pg_identify_object(made.class, made.oid, 0) o where not exists ("
        " select from openbook.definitions d where (d.type, d.identity) = (o.type, o.identity))"
    )

    assert ask(database, unknown) == 0
