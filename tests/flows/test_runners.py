"""Batches on threads, processes and clusters: the same rows, and no batch is lost with a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from distributed import Client, LocalCluster
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from flows.runners import task_runner
from tasks import settings as settings_module
from tasks.database import migrate
from tasks.errors import Fatal
from tasks.settings import Settings
from tests.book import Book

ROWS = """
    select d.path, d.status, encode(n.sha256, 'hex'), c.ordinal, encode(p.sha256, 'hex'), n.text,
           e.embedding::text
    from documents d
    left join versions v on v.id = d.version_id
    left join contents n on n.id = v.content_id
    left join chunks c on c.content_id = n.id
    left join passages p on p.id = c.passage_id
    left join embeddings e on e.sha256 = p.sha256
    order by d.path, c.ordinal
"""
FILES = 24


@pytest.fixture
def configure(book: Book, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Book]:
    """The book under other settings."""

    def apply(**settings: object) -> Book:
        for name, value in settings.items():
            monkeypatch.setenv(f"OPENBOOK_{name.upper()}", str(value))
        settings_module.current.cache_clear()
        book.settings = settings_module.current()
        return book

    for number in range(FILES):
        book.write(
            f"{number:02}.md", f"# Part {number}\n\nThe {number}th part weighs {number} kg.\n"
        )
    book.write("empty.txt", "")
    return apply


@pytest.fixture
def cluster_of_dask(book: Book) -> Iterator[LocalCluster]:
    """Two real workers, processes of their own, that see the test's settings."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def rows(book: Book) -> list[Any]:
    with book.connect() as connection:
        return connection.execute(ROWS.encode()).fetchall()


@pytest.fixture
def by_threads(
    configure: Callable[..., Book], administration: Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Any]]:
    """The rows that threads make of the same folder, in a database of their own."""
    book = configure()
    url, before = str(book.settings.database_url), str(book.settings.database_url)
    name = f"{conninfo_to_dict(url)['dbname']}_threads"
    administration.execute(SQL("create database {}").format(Identifier(name)))
    there = make_conninfo(url, dbname=name)
    migrate(Settings(database_url=there))
    configure(database_url=there, batch_files=5)
    book.ingest()
    made = rows(book)
    configure(database_url=before)
    yield made
    administration.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def test_two_dask_workers_make_the_rows_that_threads_make(
    configure: Callable[..., Book], by_threads: list[Any], cluster_of_dask: LocalCluster
) -> None:
    book = configure(
        task_runner="dask", cluster_address=cluster_of_dask.scheduler_address, batch_files=5
    )

    report = book.ingest()

    assert (report["new"], report["embedded"]) == (FILES, FILES)
    assert [one["path"] for one in report["rejected"]] == ["empty.txt"]
    assert rows(book) == by_threads
    with Client(cluster_of_dask) as client:
        assert all(client.run(lambda: "flows.ingest" in __import__("sys").modules).values())


def test_a_run_outlives_a_dask_worker_that_is_killed(
    configure: Callable[..., Book], by_threads: list[Any], cluster_of_dask: LocalCluster
) -> None:
    book = configure(
        task_runner="dask", cluster_address=cluster_of_dask.scheduler_address, batch_files=2
    )
    with Client(cluster_of_dask) as client:
        pids = list(client.run(os.getpid).values())
    killed: list[int] = []

    def kill_when_it_has_begun() -> None:
        with closing(book.connect()) as connection:
            connection.autocommit = True
            current = "select count(*) from documents where status = 'current'"
            while not (connection.execute(current).fetchone() or (0,))[0]:
                time.sleep(0.002)
        os.kill(pids[0], signal.SIGKILL)
        killed.append(pids[0])

    killer = Thread(target=kill_when_it_has_begun)
    killer.start()
    report = book.ingest()
    killer.join()

    assert killed
    assert (report["pending"], [one["path"] for one in report["rejected"]]) == (0, ["empty.txt"])
    assert rows(book) == by_threads


@pytest.mark.faults
@pytest.mark.parametrize("runner", ["process", "ray"])
def test_other_runners_make_the_same_rows(
    configure: Callable[..., Book], by_threads: list[Any], runner: str
) -> None:
    if runner == "ray":
        pytest.importorskip("prefect_ray", reason="the extra `ray` is not installed")
    book = configure(task_runner=runner, batch_files=13)

    book.ingest()

    assert rows(book) == by_threads


def test_workers_elsewhere_need_a_database_that_they_can_reach() -> None:
    settings = Settings(task_runner="dask", cluster_address="tcp://workers.example:8786")

    with pytest.raises(Fatal, match="cannot reach the embedded server"):
        task_runner(settings)
