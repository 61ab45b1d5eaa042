"""Whatever flow is run again by itself: a database that dies under it is told as what may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
import yaml
from prefect.exceptions import CancelledRun

from flows.conversations import ingest_conversations
from flows.curate import curate
from flows.deployments import FILE
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.maintain import maintain, verify_book
from flows.reembed import reembed
from flows.retire import retire_watch
from flows.retrain import retrain
from tasks.database import hold
from tasks.errors import Retryable
from tests.book import Book

Run = Callable[[Book], Any]
RUNS: dict[str, tuple[str, Run]] = {
    "flows.ingest:ingest": ("runs", lambda book: ingest(str(book.drop))),
    "flows.conversations:ingest_conversations": (
        "load_files",
        lambda book: ingest_conversations(str(book.drop)),
    ),
    "flows.maintain:maintain": ("versions", lambda _: maintain()),
    "flows.maintain:verify_book": ("versions", lambda _: verify_book()),
    "flows.retire:retire_watch": ("chat_models", lambda _: retire_watch()),
    "flows.curate:curate": ("dataset_exports", lambda book: curate(str(book.drop / "spec.yaml"))),
    "flows.evaluate:evaluate": ("golden_sets", lambda _: evaluate(golden="support")),
    "flows.reembed:reembed": ("models", lambda _: reembed()),
    "flows.retrain:retrain": ("retrain_cycles", lambda _: retrain("spec.yaml")),
}
"""By entrypoint: a table that the flow asks for, and a run of it."""
LOCKS = {
    "flows.maintain:maintain": ("maintain",),
    "flows.retrain:retrain": ("retrain", "answer"),
}


@pytest.fixture
def spec(book: Book) -> Book:
    """A book whose drop folder holds the spec of a dataset."""
    book.write("spec.yaml", "name: support\nkind: sft\n")
    return book


@contextmanager
def dying(book: Book, table: str) -> Iterator[None]:
    """The database ends the connection of whoever comes to wait for the table."""
    address, over, locked = str(book.settings.database_url), Event(), Event()

    def kill() -> None:
        with (
            psycopg.connect(address) as holder,
            psycopg.connect(address, autocommit=True) as watcher,
        ):
            holder.execute(f"lock table openbook.{table} in access exclusive mode".encode())
            locked.set()
            while not over.wait(0.02):
                watcher.execute(
                    "select pg_terminate_backend(l.pid) from pg_locks l"
                    " where not l.granted and l.relation = to_regclass(%s)",
                    [f"openbook.{table}"],
                )

    thread = Thread(target=kill)
    thread.start()
    assert locked.wait(30)
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_every_flow_that_is_run_again_is_tried_here() -> None:
    content = yaml.safe_load(FILE.read_text())
    given = [*content["deployments"], *(one for each in content["each"].values() for one in each)]
    assert {one["entrypoint"] for one in given if "rerun" in one["tags"]} == set(RUNS)


@pytest.mark.parametrize(
    "entrypoint",
    [
        one if one == "flows.maintain:maintain" else pytest.param(one, marks=pytest.mark.faults)
        for one in RUNS
    ],
)
def test_a_database_that_dies_under_a_run_is_what_may_pass(spec: Book, entrypoint: str) -> None:
    table, run = RUNS[entrypoint]
    with (
        dying(spec, table),
        pytest.raises(Retryable, match="The database failed while the run went on"),
    ):
        run(spec)


@pytest.mark.parametrize(
    "entrypoint",
    [
        one if one == "flows.retrain:retrain" else pytest.param(one, marks=pytest.mark.faults)
        for one in LOCKS
    ],
)
def test_who_finds_another_at_its_work_fails_by_hand_and_is_cancelled_where_deployed(
    book: Book, entrypoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = RUNS[entrypoint]
    with book.connect() as connection, hold(connection, *LOCKS[entrypoint]) as held:
        assert held
        with pytest.raises(Retryable, match="Another"):
            run(book)
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "deployed")
        with pytest.raises(CancelledRun, match="Another"):
            run(book)
