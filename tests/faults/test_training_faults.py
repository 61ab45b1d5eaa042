"""As many jobs and files as runs, whatever dies, is lost or is refused on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from itertools import count, product
from pathlib import Path
from threading import Event

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import Fatal, Rejected, Retryable
from tests.endpoint import Handler, cut_body, garbage, hang_up, status
from tests.training.conftest import Workshop, job_of, provider, workshop, write_export
from tests.training.process import Attempt
from tests.training.provider import Fault, training_provider

__all__ = ["provider", "workshop"]

_SHARES = 8
ORDERS = ("POST /files", "POST /fine_tuning/jobs")
LOSSES = (
    Fault(status(429, retry_after="0")),
    Fault(status(500)),
    Fault(status(500), when="after"),
    Fault(status(409), when="after"),
    Fault(hang_up),
    Fault(hang_up, when="after"),
    Fault(cut_body, when="after"),
    Fault(garbage, when="after"),
    Fault(status(400, "not now")),
    Fault(status(403, "not you")),
)


def test_a_run_that_is_killed_before_or_after_an_order_is_carried_on_and_buys_nothing_twice(
    workshop: Workshop, tmp_path: Path
) -> None:
    attempt = Attempt(workshop.settings, workshop.job(), tmp_path / "boundaries")
    assert attempt.run()
    names = attempt.crossed
    orders = [place for place, name in enumerate(names, start=1) if "endpoint: POST" in name]
    assert len(orders) == 6
    _kill_at_each(orders, workshop, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("share", range(_SHARES))
def test_a_run_that_is_killed_at_any_boundary_is_carried_on_and_buys_nothing_twice(
    share: int, workshop: Workshop, tmp_path: Path
) -> None:
    _kill_at_each(count(share + 1, _SHARES), workshop, tmp_path)


def _kill_at_each(boundaries: Iterable[int], workshop: Workshop, folder: Path) -> None:
    """Kill a run of its own at each of those boundaries, again half way there, and let it end."""
    workshop.provider.page = 100
    before = len(workshop.provider.jobs)
    for runs, kill_at in enumerate(boundaries, start=1):
        job = job_of(write_export(folder / f"export-{runs}"), f"killed-{runs}")
        attempt = Attempt(workshop.settings, job, folder / "boundaries", kill_at)
        if attempt.run():
            return
        name = attempt.crossed[-1]
        replace(attempt, kill_at=kill_at // 2 + 1).run()
        assert replace(attempt, kill_at=None).run()
        assert len(workshop.provider.jobs) == before + runs, f"killed {name}"
        assert len(workshop.provider.files) == 2 * (before + runs), f"killed {name}"


@pytest.mark.parametrize("order", ORDERS)
def test_a_process_that_is_killed_while_it_waits_for_the_answer_buys_nothing_twice(
    order: str, workshop: Workshop, tmp_path: Path
) -> None:
    arrived, released = Event(), Event()

    def hold(handler: Handler, _: object) -> None:
        arrived.set()
        assert released.wait(60)

    workshop.provider.then(Fault(hold, order, "before"))
    job = workshop.job()
    process = Attempt(workshop.settings, job, tmp_path / "boundaries").start()
    assert arrived.wait(60)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    patient = workshop.backend(settles=3600.0)
    with pytest.raises(Retryable, match="it may still arrive"):
        patient.submit(patient.prepare(job))
    released.set()
    while not workshop.provider.done(order):
        pass
    assert patient.submit(patient.prepare(job)) == "ftjob-1"
    assert (len(workshop.provider.files), len(workshop.provider.jobs)) == (2, 1)


def test_what_never_arrived_is_sent_again_when_the_time_for_it_has_passed(
    workshop: Workshop, connection: psycopg.Connection
) -> None:
    workshop.provider.then(Fault(hang_up, ORDERS[1]))
    backend = workshop.backend(settles=3600.0)
    prepared = backend.prepare(workshop.job())
    for message in ("was sent", "may still arrive"):
        with pytest.raises(Retryable, match=message):
            backend.submit(prepared)
    connection.execute("update training_runs set changed_at = changed_at - interval '2 hours'")
    connection.commit()
    assert backend.submit(prepared) == "ftjob-1"


def test_what_may_still_arrive_is_not_sent_again_whatever_was_refused_meanwhile(
    workshop: Workshop, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = workshop.backend(settles=3600.0)
    prepared = backend.prepare(workshop.job())
    workshop.provider.then(Fault(hang_up, ORDERS[1], "after"))
    with pytest.raises(Retryable, match="was sent"):
        backend.submit(prepared)
    with monkeypatch.context() as lagging:
        lagging.setattr(workshop.provider, "_jobs_like", lambda *_: [])
        for path in ("GET /fine_tuning/jobs", "GET /files/"):
            workshop.provider.then(Fault(status(401, "who are you?"), path))
            with pytest.raises(Fatal):
                backend.submit(prepared)
            with pytest.raises(Retryable, match="may still arrive"):
                backend.submit(prepared)
    assert backend.submit(prepared) == "ftjob-1"
    assert len(workshop.provider.jobs) == 1


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize("knows_cursors", [True, False])
def test_a_lost_job_is_found_among_many_by_a_provider_that_looks_at_no_metadata(
    keeps_metadata: bool, knows_cursors: bool, workshop: Workshop
) -> None:
    provider = workshop.provider
    provider.filters, provider.keeps_metadata = False, keeps_metadata
    provider.knows_cursors = knows_cursors
    for n in range(3):
        workshop.submit(f"other-{n}")
    provider.then(Fault(hang_up, ORDERS[1], "after"))
    with pytest.raises(Retryable):
        workshop.submit()
    if knows_cursors:
        workshop.provider.page = 1
    assert workshop.submit() == "ftjob-4"
    assert [workshop.submit(f"other-{n}") for n in range(3)] == ["ftjob-1", "ftjob-2", "ftjob-3"]
    assert len(provider.jobs) == 4


def test_a_provider_that_was_away_is_found_as_it_was_left(
    workshop: Workshop, tmp_path: Path
) -> None:
    state = tmp_path / "other.json"
    with training_provider(state) as provider:
        there = replace(workshop, provider=provider)
        there.settings = replace(workshop.settings, train_url=provider.url)
        provider.then(Fault(hang_up, ORDERS[1], "after"))
        with pytest.raises(Retryable):
            there.submit()
    with pytest.raises(Retryable):
        there.submit()
    with training_provider(state, int(provider.url.split(":")[2].removesuffix("/v1"))) as provider:
        there.provider = provider
        assert there.submit() == "ftjob-1"
        assert (len(provider.files), len(provider.jobs)) == (2, 1)


@pytest.mark.parametrize(
    ("order", "run_key", "message"),
    [
        (ORDERS[0], "run-2", "another run is uploading train.jsonl"),
        (ORDERS[1], "run-1", "run-1 is being submitted"),
    ],
)
def test_of_two_processes_that_buy_the_same_one_waits_for_the_other(
    order: str, run_key: str, message: str, workshop: Workshop, tmp_path: Path
) -> None:
    arrived, released = Event(), Event()

    def hold(handler: Handler, _: object) -> None:
        arrived.set()
        assert released.wait(60)

    workshop.provider.then(Fault(hold, order, "before"))
    process = Attempt(workshop.settings, workshop.job(), tmp_path / "boundaries").start()
    assert arrived.wait(60)
    with pytest.raises(Retryable, match=message):
        workshop.submit(run_key)
    released.set()
    process.join(60)
    assert process.exitcode == 0
    workshop.submit(run_key)
    assert len(workshop.provider.jobs) == len({"run-1", run_key})
    assert len(workshop.provider.files) == 2


@pytest.mark.faults
def test_every_pair_of_losses_leaves_one_job(workshop: Workshop) -> None:
    for number, pair in enumerate(product(LOSSES, repeat=2)):
        workshop.provider.then(*(replace(fault, on=ORDERS[1]) for fault in pair))
        _submit_until_done(workshop, f"pair-{number}")
        assert len(workshop.provider.jobs) == number + 1, f"{pair}"
        workshop.provider.faults.clear()
    assert len(workshop.provider.files) == 2


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    faults=st.lists(
        st.builds(
            lambda fault, on: replace(fault, on=on),
            st.sampled_from(LOSSES),
            st.sampled_from(ORDERS),
        ),
        max_size=6,
    )
)
def test_any_row_of_losses_leaves_one_job_and_two_files_a_run(
    faults: list[Fault], workshop: Workshop, tmp_path: Path
) -> None:
    before = len(workshop.provider.jobs)
    workshop.export = write_export(tmp_path / f"export-{before}")
    workshop.provider.then(*faults)
    _submit_until_done(workshop, f"row-{before}")
    workshop.provider.faults.clear()
    assert len(workshop.provider.jobs) == before + 1
    assert len(workshop.provider.files) == 2 * before + 2


def _submit_until_done(workshop: Workshop, run_key: str) -> str:
    backend = workshop.backend()
    prepared = backend.prepare(workshop.job(run_key))
    for _ in range(12):
        try:
            return backend.submit(prepared)
        except (Retryable, Rejected, Fatal):
            continue
    raise AssertionError("it was never done")
