"""Runs of one source at the same time: one works, the others say who does."""

from __future__ import annotations

import threading
import time

from tasks.errors import Retryable
from tests.faults import folder
from tests.faults.conftest import Lab, meanwhile

_RUNS = 6
_LONGEST_HOLD = 110
"""Seconds: longer than Prefect's server keeps a run from starting when many start at once."""


def test_of_six_runs_of_one_source_one_works_and_five_leave(lab: Lab) -> None:
    expected = lab.fall_behind()
    lab.endpoint.requests.clear()
    over = threading.Event()
    lab.endpoint.then(*[meanwhile(lambda: over.wait(_LONGEST_HOLD))] * 2)
    running = [lab.start() for _ in range(_RUNS)]
    while sum(one.process.is_alive() for one in running) > 1:
        for one in running:
            one.process.join(0.05)
    over.set()
    outcomes = [one.wait() for one in running]
    (done,) = [outcome for outcome in outcomes if outcome.error is None]
    run_id = done.reports[0]["run_id"]
    for outcome in outcomes:
        if outcome is not done:
            assert isinstance(outcome.error, Retryable)
            assert f"is held by run {run_id}, started at" in str(outcome.error)
    bought = lab.endpoint.texts_answered
    assert len(bought) == len(set(bought)), "a text was bought twice"
    lab.assert_equals(expected)


def test_the_lock_dies_with_its_holder(lab: Lab) -> None:
    expected = folder.begin(lab.drop)
    reached, over = threading.Event(), threading.Event()

    def linger() -> None:
        reached.set()
        over.wait(60)

    lab.endpoint.then(meanwhile(linger))
    holder = lab.start()
    assert reached.wait(60), lab.output()
    assert isinstance(lab.ingest().error, Retryable)
    holder.process.kill()
    assert holder.wait().killed
    over.set()
    lab.settle()
    lab.assert_recovers(expected)
    with lab.connect() as connection:
        outcomes = connection.execute("select outcome from runs order by id").fetchall()
    assert outcomes[:2] == [("abandoned",), ("done",)]


def test_runs_of_different_sources_buy_a_text_that_they_share_once(lab: Lab) -> None:
    other = lab.beside("other")
    for one in (lab, other):
        for n in range(3):
            folder.write(one.drop, f"{n}.md", folder.page(f"Page {n}", [f"mark{n}"]))

    def wait_for_the_other() -> None:
        deadline = time.monotonic() + 60
        with lab.connect() as connection:
            connection.autocommit = True
            while time.monotonic() < deadline:
                waiting = "select from pg_locks where locktype = 'advisory' and not granted"
                if connection.execute(waiting).rowcount:
                    return
                time.sleep(0.02)

    lab.endpoint.then(meanwhile(wait_for_the_other))
    running = [lab.start(), other.start()]
    outcomes = [one.wait() for one in running]
    assert [outcome.error for outcome in outcomes] == [None, None], lab.output()
    assert sorted(outcome.reports[0]["embedded"] for outcome in outcomes) == [0, 3]
    assert len(lab.endpoint.texts_answered) == 3
    lab.assert_sound("at rest")
