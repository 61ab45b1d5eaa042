"""Migrations: once, in order, one at a time, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tasks.database import MigrationReport, check, connect, dsn, migrate
from tasks.errors import Fatal
from tasks.settings import Settings
from tests.database.conftest import GREETING, ROOT, ask


def test_migrations_run_in_order_and_once(empty_database: Settings, sql: Path) -> None:
    (sql / "migrations" / "0002_apples.sql").write_text("insert into fruits values ('apple');")

    first = migrate(empty_database, sql)
    second = migrate(empty_database, sql)

    names = ("migrations/0001_fruits.sql", "migrations/0002_apples.sql")
    assert first == MigrationReport(applied=names, definitions=True, version=2)
    assert second == MigrationReport(applied=(), definitions=False, version=2)
    assert ask(empty_database, "select count(*) from openbook.fruits") == 1


def test_twenty_at_once_apply_each_migration_once(empty_database: Settings, sql: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        reports = list(pool.map(lambda _: migrate(empty_database, sql), range(20)))

    assert sum(len(report.applied) for report in reports) == 1
    assert sum(report.definitions for report in reports) == 1


def test_databases_of_one_new_server_migrate_at_once(embedded: Settings) -> None:
    names = [f"other_{number}" for number in range(4)]
    with closing(connect(embedded, autocommit=True)) as connection:
        for name in names:
            connection.execute(f"create database {name}".encode())
    others = [
        Settings(home=embedded.home, database_url=make_conninfo(dsn(embedded), dbname=name))
        for name in names
    ]

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(migrate, others * 2))

    assert len({report.version for report in reports}) == 1
    assert all(check(other) == [] for other in others)


def test_check_names_what_is_missing_and_changes_nothing(
    empty_database: Settings, sql: Path
) -> None:
    missing = ["migrations/0001_fruits.sql", "functions/greeting.sql"]

    assert check(empty_database, sql) == missing
    assert check(empty_database, sql) == missing
    migrate(empty_database, sql)
    assert check(empty_database, sql) == []


def test_a_changed_function_is_applied_again(empty_database: Settings, sql: Path) -> None:
    migrate(empty_database, sql)
    (sql / "functions" / "greeting.sql").write_text(GREETING % "'good day'")

    assert check(empty_database, sql) == ["functions/greeting.sql"]
    assert migrate(empty_database, sql) == MigrationReport((), definitions=True, version=1)
    assert ask(empty_database, "select openbook.greeting()") == "good day"


def test_a_function_may_use_one_that_is_defined_after_it(
    empty_database: Settings, sql: Path
) -> None:
    (sql / "functions" / "before.sql").write_text(
        "create function openbook.before() returns text language sql "
        "as 'select openbook.greeting()';"
    )

    migrate(empty_database, sql)

    assert ask(empty_database, "select openbook.before()") == "hello"


def test_an_edited_migration_is_refused_by_name(empty_database: Settings, sql: Path) -> None:
    migrate(empty_database, sql)
    (sql / "migrations" / "0001_fruits.sql").write_text("create table fruits (name text, kg real);")

    for action in (migrate, check):
        with pytest.raises(
            Fatal, match=re.escape("sql/migrations/0001_fruits.sql is not what was")
        ):
            action(empty_database, sql)


def test_a_newer_database_is_refused(empty_database: Settings, sql: Path) -> None:
    newer = sql / "migrations" / "0002_apples.sql"
    newer.write_text("insert into fruits values ('apple');")
    migrate(empty_database, sql)
    newer.unlink()

    with pytest.raises(Fatal, match=r"has migrations/0002_apples.sql, which .* lacks. Upgrade"):
        migrate(empty_database, sql)


def test_a_migration_that_arrives_after_a_later_number_is_applied_too(
    empty_database: Settings, sql: Path
) -> None:
    (sql / "migrations" / "0003_apples.sql").write_text("insert into fruits values ('apple');")
    assert migrate(empty_database, sql).version == 3
    (sql / "migrations" / "0002_pears.sql").write_text("insert into fruits values ('pear');")

    assert migrate(empty_database, sql).applied == ("migrations/0002_pears.sql",)
    assert migrate(empty_database, sql).applied == ()
    assert ask(empty_database, "select count(*) from openbook.fruits") == 2


@pytest.mark.parametrize(
    "name", ["0000_nothing.sql", "0001_twice.sql", "2_short.sql", "0002_Loud.sql"]
)
def test_a_migration_misnamed_or_of_a_number_that_is_taken_is_refused(
    empty_database: Settings, sql: Path, name: str
) -> None:
    (sql / "migrations" / name).write_text("select 1;")

    with pytest.raises(Fatal, match=r"Name (it|one of them) NNNN_<what_it_does>.sql"):
        migrate(empty_database, sql)


def test_a_failing_migration_leaves_the_one_before_it(empty_database: Settings, sql: Path) -> None:
    file = sql / "migrations" / "0002_berries.sql"
    file.write_text("create table berries (name text);\n\nselect nonsense;\n")

    with pytest.raises(
        Fatal, match=r'sql/migrations/0002_berries.sql, line 3 failed: .*"nonsense"'
    ):
        migrate(empty_database, sql)

    assert ask(empty_database, "select to_regclass('openbook.berries')::text") is None
    file.write_text("create table berries (name text);")
    assert migrate(empty_database, sql).applied == ("migrations/0002_berries.sql",)


def test_failing_definitions_leave_all_the_old_ones(empty_database: Settings, sql: Path) -> None:
    migrate(empty_database, sql)
    (sql / "functions" / "greeting.sql").write_text(GREETING % "'good day'")
    (sql / "views" / "broken.sql").write_text("create view openbook.broken as select nonsense;")

    with pytest.raises(Fatal, match=re.escape("sql/views/broken.sql, line 1 failed")):
        migrate(empty_database, sql)

    assert ask(empty_database, "select openbook.greeting()") == "hello"
    assert check(empty_database, sql) == ["functions/greeting.sql", "views/broken.sql"]


def test_a_migration_whose_process_is_killed_is_as_if_never_begun(
    empty_database: Settings, sql: Path
) -> None:
    file = sql / "migrations" / "0002_berries.sql"
    file.write_text("create table berries (name text); select pg_sleep(300);")
    code = (
        "import sys; from pathlib import Path; from tasks.database import migrate;"
        "from tasks.settings import Settings;"
        "migrate(Settings(database_url=sys.argv[1]), Path(sys.argv[2]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(empty_database.database_url), str(sql)], cwd=ROOT
    )
    sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
    while not ask(empty_database, sleeping):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    file.write_text("create table berries (name text);")
    assert migrate(empty_database, sql).applied == ("migrations/0002_berries.sql",)


def test_roles_are_left_out_where_the_migrating_user_may_not_create_them(
    embedded: Settings, sql: Path
) -> None:
    shutil.copy(ROOT / "sql" / "roles.sql", sql)
    (sql / "migrations" / "0002_cache.sql").write_text("create table query_embeddings (id int);")
    with closing(connect(embedded, autocommit=True)) as connection:
        connection.execute("create role plain login")
        connection.execute("create database plain owner plain")
        connection.execute("alter role openbook_trainer rename to somebody_else")
    plain = Settings(
        database_url=make_conninfo(dsn(embedded), dbname="plain", user="plain"),
    )

    assert migrate(plain, sql).version == 2
    assert ask(plain, "select has_schema_privilege('openbook_search', 'openbook', 'usage')")
    assert ask(plain, "select to_regrole('openbook_trainer')::text") is None


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("openbook_ingest", "insert into collections (name) values ('a')", "create table t ()"),
        ("openbook_ingest", "select from passages", "delete from schema_migrations"),
        ("openbook_search", "select from passages", "insert into collections (name) values ('a')"),
        ("openbook_analyst", "select from runs", "delete from runs"),
        ("openbook_trainer", "select from documents", "update documents set path = ''"),
        ("openbook_owner", "create table t ()", "create role r"),
    ],
)
def test_each_role_may_do_its_own_work_and_no_other(
    connection: psycopg.Connection, role: str, may: str, may_not: str
) -> None:
    connection.execute(f"set local role {role}".encode())

    connection.execute(may.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(may_not.encode())
