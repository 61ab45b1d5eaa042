"""A training that was paid is carried on or cancelled, never lost or bought again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from flows import retrain as retrain_flow
from tasks.database import connect
from tasks.errors import Retryable
from tasks.settings import Settings
from tasks.training.cycles import Cycle, cycle_of
from tasks.training.hosted.backend import HostedBackend
from tasks.training.local.backend import LocalBackend
from tests.endpoint import status
from tests.training.conftest import Workshop
from tests.training.provider import Fault
from tests.training.test_cycle import Pupil, pupil

__all__ = ["pupil"]

LOST = Fault(status(502, "gateway"), "POST /fine_tuning/jobs", "after")


def lose(pupil: Pupil) -> Cycle:
    """A cycle whose training was launched, and whose provider's answer to that was lost."""
    cycle = pupil.go(pupil.begin(), until="train")
    pupil.school.provider.then(LOST)
    with pytest.raises(Retryable, match="gave no answer"):
        pupil.go(cycle)
    return cycle_of(pupil.connection, cycle.id)


def abandon(pupil: Pupil) -> Cycle | None:
    with closing(connect(pupil.settings, autocommit=True)) as own:
        return retrain_flow.abandon(own)


def statuses(pupil: Pupil) -> list[str]:
    return [job["status"] for job in pupil.school.provider.jobs]


def test_a_training_whose_launch_was_lost_is_cancelled_when_its_cycle_is_given_up(
    pupil: Pupil,
) -> None:
    lose(pupil)
    pupil.school.provider.then(Fault(status(400, "odd"), "GET /fine_tuning/jobs"))
    with pytest.raises(Retryable, match="turned down"):
        abandon(pupil)
    assert abandon(pupil) is not None
    assert statuses(pupil) == ["cancelled"]
    states = pupil.connection.execute("select state from training_runs").fetchall()
    assert states == [("cancelled",)]
    assert pupil.go(pupil.begin()).outcome == "promoted"
    assert statuses(pupil) == ["cancelled", "succeeded"]


def test_a_cycle_is_not_given_up_while_its_training_may_still_arrive(
    pupil: Pupil, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(pupil)
    monkeypatch.setattr(HostedBackend.__init__, "__defaults__", (None, 3600.0))
    monkeypatch.setattr(pupil.school.provider, "_jobs_like", lambda *_: [])
    with pytest.raises(Retryable, match="may still arrive"):
        abandon(pupil)


def test_a_training_that_cannot_be_cancelled_is_carried_on_by_the_next_cycle(pupil: Pupil) -> None:
    lose(pupil)
    pupil.school.provider.then(Fault(status(401, "who are you?"), "GET /fine_tuning/jobs"))
    given_up = abandon(pupil)
    assert given_up is not None
    assert "could not be cancelled" in pupil.says(given_up)
    cycle = pupil.go(pupil.begin())
    assert cycle.outcome == "promoted"
    assert "which an earlier cycle began, is carried on" in pupil.says(cycle)
    assert len(pupil.school.provider.jobs) == 1


@pytest.mark.parametrize("loss", ["forgotten", "deleted"])
def test_a_training_whose_launch_was_lost_ends_with_what_it_was_trained_on(
    pupil: Pupil, loss: str
) -> None:
    cycle = lose(pupil)
    if loss == "forgotten":
        pupil.forget()
    else:
        pupil.connection.execute("delete from dataset_versions")
    cycle = pupil.go(cycle)
    assert cycle.outcome == "refused"
    assert f"{loss} meanwhile" in pupil.says(cycle)
    assert statuses(pupil) == ["cancelled"]


@pytest.mark.parametrize(("looks", "step"), [(2, "train"), (9, "register")])
def test_a_question_that_is_turned_down_is_no_verdict_on_a_training(
    pupil: Pupil, looks: int, step: str
) -> None:
    cycle = pupil.go(pupil.begin(), until="register", looks=looks)
    assert (cycle.step, len(pupil.school.provider.jobs)) == (step, 1)
    pupil.school.provider.then(Fault(status(400, "odd header"), "GET /fine_tuning/jobs/"))
    with pytest.raises(Retryable, match="turned down"):
        pupil.go(cycle)
    cycle = pupil.go(cycle_of(pupil.connection, cycle.id))
    assert cycle.outcome == "promoted"
    assert statuses(pupil) == ["succeeded"]


def test_a_training_that_is_too_dear_by_now_but_may_have_been_launched_is_carried_on(
    pupil: Pupil,
) -> None:
    pupil.school.rewrite(settings="{seed: 3, usd_per_million_tokens: 1}")
    lose(pupil)
    pupil.school.provider.then(Fault(status(401, "who are you?"), "GET /fine_tuning/jobs"))
    abandon(pupil)
    pupil.school.rewrite(
        settings="{seed: 3, usd_per_million_tokens: 1000}", policy="{max_usd: 0.01}"
    )
    assert pupil.go(pupil.begin()).outcome == "promoted"
    assert len(pupil.school.provider.jobs) == 1


def test_a_job_whose_launch_was_lost_is_found_also_without_its_metadata(
    workshop: Workshop, tmp_path: Path
) -> None:
    backend = workshop.backend()
    assert backend.find("run-1", tmp_path) is None
    workshop.provider.keeps_metadata = workshop.provider.filters = False
    workshop.provider.then(Fault(status(502), "POST /fine_tuning/jobs", "after"))
    with pytest.raises(Retryable):
        workshop.submit()
    assert backend.find("run-1", tmp_path) == backend.find("run-1", tmp_path) == "ftjob-1"


def test_a_training_whose_folder_is_gone_has_failed_and_has_nothing_to_cancel(
    tmp_path: Path,
) -> None:
    backend, job_id = LocalBackend(Settings(home=tmp_path)), str(tmp_path / "gone")
    assert backend.find("run-1", Path(job_id)) is None
    assert backend.poll(job_id).state == "failed"
    assert backend.cancel(job_id)
