"""What depends on one conversation alone is there before a dataset is curated again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import closing

import pytest

from tasks.database import connect, hold
from tasks.datasets import store
from tasks.datasets.prepare import prepare
from tasks.errors import Retryable
from tests.datasets.conftest import Log


def prepared(log: Log) -> dict[str, int]:
    log.connection.commit()
    with closing(connect(log.settings, autocommit=True)) as connection:
        return prepare(connection, log.settings)


def kept(log: Log) -> list[tuple[object, ...]]:
    """The examples there are, and when each was made."""
    return log.connection.execute(
        "select conversation_id, sha256, made_at from examples order by 1, 2"
    ).fetchall()


def test_without_a_dataset_nothing_is_prepared(log: Log) -> None:
    log.grow(3)
    assert prepared(log) == {}
    assert kept(log) == []


def test_what_is_prepared_is_what_the_next_curation_takes(log: Log) -> None:
    log.grow(4)
    log.curate()
    log.grow(3)
    assert prepared(log) == {"support": 3}
    before = kept(log)
    assert len(before) == 7
    assert log.curate().decision.examples == 7
    assert kept(log) == before
    assert prepared(log) == {"support": 0}


def test_only_what_the_newest_spec_looks_at_is_prepared(log: Log) -> None:
    log.grow(2)
    log.curate()
    log.curate("source: {filter: {tags: billing}}\n")
    log.grow(3)
    log.grow(2, tags=["billing"])
    assert prepared(log) == {"support": 2}


def test_a_correction_is_prepared_anew(log: Log) -> None:
    (said,) = log.grow(1)
    log.curate()
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    assert prepared(log) == {"support": 1}


def test_a_dataset_that_is_prepared_elsewhere_is_left_to_that(log: Log) -> None:
    log.grow(2)
    log.curate()
    log.grow(1)
    with closing(connect(log.settings)) as other, hold(other, "prepare", "support"):
        assert prepared(log) == {}
    assert prepared(log) == {"support": 1}


def test_a_killed_child_is_worth_another_try(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WORTH_A_POOL", 0)
    monkeypatch.setattr(store, "_AT_ONCE", 1)
    log.grow(30)

    def kill_the_first() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.001)
        assert children[0].pid is not None
        os.kill(children[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    with pytest.raises(Retryable, match="was killed"):
        log.curate()
    killer.join()
    log.connection.rollback()
    monkeypatch.undo()
    assert log.curate().decision.examples == 30
