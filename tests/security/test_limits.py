"""Analysts' limits hold whatever their sessions set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import Connection
from psycopg.errors import AdminShutdown, InsufficientPrivilege, OperationalError, QueryCanceled
from psycopg.sql import SQL, Identifier

from flows.cli import main
from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.upkeep.limits import end_overdue, limit_analysts
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter, settings_of

STUBBORN = """
do $$
begin
    loop
        begin
            perform pg_sleep(60);
        exception when query_canceled then
            null;
        end;
    end loop;
end
$$
"""


@pytest.fixture
def strict(shelf: Shelf) -> Connection:
    """The owner's connection; statements may last for a fifth of a second."""
    shelf.connection.execute(
        "update analyst_limits set statement_age = '0.2 s', idle_age = '0.2 s'"
    )
    return shelf.connection


@contextmanager
def watched(connection: Connection) -> Iterator[set[str]]:
    """Somebody watches while the block runs; what was done."""
    deeds: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            deeds.update(one.deed for one in end_overdue(connection))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield deeds
    finally:
        stop.set()
        watcher.join()


def test_a_statement_ends_whatever_timeout_its_session_has_set(
    strict: Connection, enter: Enter
) -> None:
    session = enter("openbook_analyst")
    session.execute("set statement_timeout = 0")
    with watched(strict) as deeds, pytest.raises(QueryCanceled):
        session.execute("select pg_sleep(60)")
    assert deeds == {"cancelled"}
    assert session.execute("select 1").fetchone() == (1,)


def test_a_statement_that_will_not_be_cancelled_loses_its_session(
    strict: Connection, enter: Enter
) -> None:
    session = enter("openbook_analyst")
    with watched(strict) as deeds, pytest.raises((AdminShutdown, OperationalError)):
        session.execute(STUBBORN)
    assert deeds == {"cancelled", "ended"}


def test_a_transaction_left_open_is_ended(strict: Connection, enter: Enter) -> None:
    session = enter("openbook_analyst")
    with watched(strict) as deeds:
        session.execute("begin")
        while "ended" not in deeds:
            time.sleep(0.02)
    with pytest.raises(OperationalError):
        session.execute("select 1")


def test_others_work_for_as_long_as_they_need(strict: Connection, enter: Enter) -> None:
    with watched(strict) as deeds:
        for role in ("openbook_ingest", "openbook_owner", "openbook_search"):
            enter(role).execute("select pg_sleep(0.3)")
    assert deeds == set()


def test_connections_and_temporary_files_are_bounded_for_good(
    shelf: Shelf, enter: Enter, database: Settings
) -> None:
    session = enter("openbook_analyst")
    shelf.connection.execute("update analyst_limits set temp_megabytes = 1, connections = 2")
    assert session.info.user in limit_analysts(shelf.connection)
    assert limit_analysts(shelf.connection) == []

    address = settings_of(session, database).database_url or ""
    with psycopg.connect(address, autocommit=True) as other:
        with pytest.raises(OperationalError, match="too many connections"):
            psycopg.connect(address)
        other.execute("set work_mem = '64kB'")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            other.execute("select count(*) from (select n from generate_series(1, 300000) n"
                          " order by random()) a")  # fmt: skip
        for attempt in (
            "set temp_file_limit = -1",
            f"alter role {session.info.user} connection limit 100",
            f"alter role {session.info.user} set temp_file_limit = -1",
            "update openbook.analyst_limits set connections = 100",
        ):
            with pytest.raises(InsufficientPrivilege):
                other.execute(attempt.encode())


def test_a_login_dropped_while_the_limits_are_set_does_not_end_the_watch(
    shelf: Shelf, database: Settings, administration: psycopg.Connection
) -> None:
    login = f"leaver_{administration.info.backend_pid}"
    administration.execute(
        SQL("create role {} login in role openbook_analyst").format(Identifier(login))
    )
    with psycopg.connect(str(database.database_url)) as other, ThreadPoolExecutor() as pool:
        other.execute(SQL("drop role {}").format(Identifier(login)))
        bounded = pool.submit(limit_analysts, shelf.connection)
        waits = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        process = [shelf.connection.info.backend_pid]
        while administration.execute(waits, process).fetchone() is None:
            time.sleep(0.01)
        other.commit()
        assert login not in bounded.result()


def test_the_watch_says_what_it_did(
    strict: Connection, enter: Enter, database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.cli.rights.current", lambda: database)
    session = enter("openbook_analyst")
    session.execute("begin")
    time.sleep(0.3)
    done = CliRunner().invoke(main, ["watch", "--once", "--json"], catch_exceptions=False)
    said = json.loads(done.output)
    assert session.info.user in said["bounded"]
    assert [(one["login"], one["deed"]) for one in said["ended"]] == [(session.info.user, "ended")]


def test_who_may_not_watch_is_told_what_to_grant(strict: Connection, enter: Enter) -> None:
    session = enter("openbook_owner")
    enter("openbook_analyst")
    with pytest.raises(Fatal, match=r"Grant it pg_signal_backend and pg_read_all_stats"):
        end_overdue(session)
    with pytest.raises(Fatal, match=r"grant it createrole"):
        limit_analysts(session)
