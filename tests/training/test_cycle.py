"""A cycle of retraining, step by step: what it does, and what it refuses to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import Connection

from flows import retrain as retrain_flow
from flows.examine import examine_once
from tasks import settings as settings_module
from tasks.conversations.forget import forget_conversation
from tasks.conversations.pseudonyms import pseudonyms
from tasks.database import connect, hold
from tasks.errors import Fatal, Retryable
from tasks.evaluate.golden.store import store_golden
from tasks.settings import Settings
from tasks.training.cycles import Cycle, begin_cycle, cycle_of, finish
from tasks.training.decisions import approve, decision
from tasks.training.hosted.backend import HostedBackend
from tasks.training.hosted.retirements import retirements
from tasks.training.policy import worth_training
from tasks.training.registry import (
    ANSWER,
    Candidate,
    chat_models,
    find_model,
    note_retirements,
    place,
    promote,
    register,
    serving,
)
from tasks.training.retraining import read_retraining
from tests.endpoint import status
from tests.evaluate.asked import question
from tests.training.school import QUESTIONS, School, environment, furnish, school

ASKED = QUESTIONS + 4
"""Questions of all golden sets."""
TRIGGER = (False, ("not due",))


@dataclass
class Pupil:
    """A database with conversations and golden sets, and the school that trains on it."""

    school: School
    settings: Settings
    connection: Connection

    def begin(self) -> Cycle:
        """Begin a cycle of the school's spec."""
        wanted = read_retraining(self.school.spec)
        cycle = begin_cycle(self.connection, wanted, "support", str(self.school.spec), ANSWER)
        self.connection.commit()
        return cycle

    def go(self, cycle: Cycle, until: str = "done", looks: int = 20) -> Cycle:
        """Take the cycle's steps until it is at one, or waits for more than the training."""
        self.connection.commit()
        while cycle.step != until and looks:
            waits = retrain_flow.step.fn(cycle.step, cycle.id)
            self.connection.commit()
            cycle, looks = cycle_of(self.connection, cycle.id), looks - 1
            if waits and cycle.step != "train":
                break
        return cycle

    def forget(self) -> None:
        """Forget a conversation that it was trained on."""
        row = self.connection.execute(
            "select conversation_id from analytics.dataset_lineage where split = 'train' limit 1"
        ).fetchone()
        assert row is not None
        self.connection.commit()
        forget_conversation(self.connection, pseudonyms(self.settings), str(row[0]))

    def says(self, cycle: Cycle) -> str:
        return " · ".join(cycle.reasons)


@pytest.fixture
def pupil(
    connection: Connection, database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pupil]:
    with school(tmp_path) as made:
        assert database.database_url is not None
        for name in [name for name in os.environ if name.startswith("OPENBOOK_")]:
            if name != "OPENBOOK_TEST_HOME":
                monkeypatch.delenv(name)
        for name, value in {
            "OPENBOOK_HOME": str(database.home),
            "OPENBOOK_DATABASE_URL": database.database_url,
            "OPENBOOK_EMBEDDER": "hashing",
            **environment(made),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(HostedBackend.__init__, "__defaults__", (None, 0.0))
        settings_module.current.cache_clear()
        furnish(connection, database)
        yield Pupil(made, settings_module.current(), connection)
        settings_module.current.cache_clear()


def test_a_candidate_that_is_no_better_is_kept_out_and_told_why(pupil: Pupil) -> None:
    pupil.school.right["ft"] = 3
    cycle = pupil.go(pupil.begin())
    assert cycle.outcome == "kept"
    assert "not worse: 0.250 against 0.250 of small-model over 12 items" in pupil.says(cycle)
    assert cycle.decision_id is not None
    assert decision(pupil.connection, cycle.decision_id)["failed"] == ["better"]
    with pytest.raises(Fatal, match="does not let helm@1 pass: better"):
        approve(pupil.connection, cycle.decision_id, "mara")
    assert [model.stage for model in chat_models(pupil.connection)] == ["retired"]


def test_what_is_forgotten_while_it_trains_ends_the_training(pupil: Pupil) -> None:
    cycle = pupil.go(pupil.begin(), until="train")
    cycle = pupil.go(cycle, looks=1)
    pupil.forget()
    cycle = pupil.go(cycle)
    assert cycle.outcome == "refused"
    assert "forgotten meanwhile" in pupil.says(cycle)
    assert [job["status"] for job in pupil.school.provider.jobs] == ["cancelled"]


@pytest.mark.parametrize("step", ["register", "promote"])
def test_what_is_forgotten_after_the_training_keeps_the_model_out(pupil: Pupil, step: str) -> None:
    cycle = pupil.go(pupil.begin(), until=step)
    assert cycle.step == step
    pupil.forget()
    cycle = pupil.go(cycle)
    assert cycle.outcome == "kept"
    assert "forgotten" in pupil.says(cycle)
    assert [model.stage for model in chat_models(pupil.connection)] == ["tainted"]
    assert serving(pupil.connection) is None


def test_a_model_that_was_trained_from_one_that_must_not_serve_is_kept_out(pupil: Pupil) -> None:
    assert pupil.go(pupil.begin()).outcome == "promoted"
    base = find_model(pupil.connection, "helm").endpoint_model
    assert base is not None
    pupil.school.provider.models[base] = None
    pupil.school.rewrite(base=base, name="keel")
    cycle = pupil.go(pupil.begin(), until="register")
    assert cycle.step == "register"
    pupil.connection.execute(
        "update dataset_versions v set tainted_at = now()"
        " from chat_models m where m.dataset_version_id = v.id and m.name = 'helm'"
    )
    pupil.connection.execute("update dataset_versions set tainted_at = null")
    cycle = pupil.go(cycle)
    assert find_model(pupil.connection, "keel").stage == "tainted"
    assert cycle.outcome == "kept"
    assert "forgotten" in pupil.says(cycle)


def test_when_another_model_came_to_serve_the_candidate_is_judged_against_that(
    pupil: Pupil,
) -> None:
    cycle = pupil.go(pupil.begin(), until="promote")
    first = cycle.decision_id
    rival = register(
        pupil.connection,
        Candidate("keel", "keel", endpoint_model="keel", endpoint_url=pupil.school.chat.url),
    )
    promote(pupil.connection, rival, None)
    pupil.school.right["keel"] = 12
    cycle = pupil.go(cycle)
    assert cycle.outcome == "kept"
    assert "what changed is examined first" in pupil.says(cycle)
    assert "of keel@1 over" in pupil.says(cycle)
    assert cycle.decision_id != first
    now = serving(pupil.connection)
    assert now is not None
    assert now.called == "keel@1"


def test_when_another_model_is_configured_the_candidate_is_judged_against_that(
    pupil: Pupil, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle = pupil.go(pupil.begin(), until="judge")
    pupil.school.right["keel"] = 12
    monkeypatch.setenv("OPENBOOK_ANSWER_MODEL", "keel")
    settings_module.current.cache_clear()
    cycle = pupil.go(cycle)
    assert cycle.outcome == "kept"
    assert "0.917 against 1.000 of keel over 12 items" in pupil.says(cycle)


def test_a_candidate_that_is_asked_elsewhere_since_is_examined_there_first(pupil: Pupil) -> None:
    cycle = pupil.go(pupil.begin(), until="promote")
    helm = find_model(pupil.connection, "helm")
    helm = place(pupil.connection, helm, "stray", pupil.school.chat.url)
    with pytest.raises(Retryable, match="helm@1 is asked elsewhere than where decision"):
        promote(pupil.connection, helm, None, cycle.decision_id)
    cycle = pupil.go(cycle)
    assert cycle.outcome == "kept"
    assert "0.000 against 0.250 of small-model over 12 items" in pupil.says(cycle)
    assert serving(pupil.connection) is None
    assert promote(pupil.connection, helm, None)


@pytest.mark.parametrize("step", ["evaluate", "promote"])
def test_when_a_golden_set_is_changed_both_are_examined_by_the_new_one(
    pupil: Pupil, step: str
) -> None:
    cycle = pupil.go(pupil.begin(), until=step)
    if step == "evaluate":  # the candidate was asked already, what answers now was not
        candidate = find_model(pupil.connection, "helm").chat_model(pupil.settings)
        examine_once(pupil.connection, pupil.settings, candidate, "helm", cycle.id)
    harder = [
        question(f"What is the code of place {n}?", checks=[{"contains": f"XODE-{n:03}"}])
        for n in range(QUESTIONS)
    ]
    store_golden(pupil.connection, "helm", harder)
    cycle = pupil.go(cycle)
    assert cycle.outcome == "kept"
    assert "0.000 against 0.000 of small-model over 12 items" in pupil.says(cycle)


def test_an_examination_that_broke_off_asks_for_the_rest_alone(pupil: Pupil) -> None:
    cycle = pupil.go(pupil.begin(), until="evaluate")
    pupil.school.chat.then(*[status(401, "who are you?")] * 4)
    with pytest.raises((Retryable, Fatal)):
        pupil.go(cycle)
    assert cycle_of(pupil.connection, cycle.id).step == "evaluate"
    cycle = pupil.go(cycle_of(pupil.connection, cycle.id))
    assert cycle.outcome == "promoted"
    (answered,) = pupil.connection.execute(
        "select count(*) from openbook.answer_results r join openbook.answer_evaluations e"
        " on e.id = r.answer_evaluation_id where r.answer is not null"
    ).fetchone() or (0,)
    assert answered == 2 * ASKED


def test_the_same_training_is_not_bought_twice(pupil: Pupil) -> None:
    pupil.school.right["ft"] = 3
    assert pupil.go(pupil.begin()).outcome == "kept"
    pupil.school.right["ft"] = 11
    cycle = pupil.go(pupil.begin())
    assert cycle.outcome == "promoted"
    assert "helm@1 was trained so before" in pupil.says(cycle)
    assert cycle.decision_id is not None
    assert decision(pupil.connection, cycle.decision_id)["confidence"] == 0.975
    assert pupil.go(pupil.begin()).outcome == "unchanged"
    assert len(pupil.school.provider.jobs) == 1


def test_a_training_whose_price_is_beyond_the_budget_is_not_sent(pupil: Pupil) -> None:
    pupil.school.rewrite(
        settings="{seed: 3, usd_per_million_tokens: 1000}", policy="{max_usd_a_month: 0.01}"
    )
    cycle = pupil.go(pupil.begin())
    assert cycle.outcome == "refused"
    assert "the most in 30 days is $0.01" in pupil.says(cycle)
    assert pupil.school.provider.files == []


def test_a_failed_training_ends_the_cycle_with_its_reason(pupil: Pupil) -> None:
    pupil.school.provider.ending = "failed"
    cycle = pupil.go(pupil.begin())
    assert cycle.outcome == "failed"
    assert "line 3 is not of this world" in pupil.says(cycle)


def test_a_person_who_is_asked_lets_the_candidate_pass(pupil: Pupil) -> None:
    pupil.school.rewrite(approve="true")
    cycle = pupil.go(pupil.begin())
    assert (cycle.step, cycle.outcome) == ("approve", None)
    assert cycle.decision_id is not None
    approve(pupil.connection, cycle.decision_id, "mara")
    cycle = pupil.go(cycle)
    assert cycle.outcome == "promoted"
    assert "approved by mara" in pupil.says(cycle)


def test_a_candidate_that_a_person_promoted_on_the_decision_ends_the_cycle(pupil: Pupil) -> None:
    pupil.school.rewrite(approve="true")
    cycle = pupil.go(pupil.begin())
    promote(pupil.connection, find_model(pupil.connection, "helm"), None, cycle.decision_id)
    assert pupil.go(cycle).outcome == "promoted"


def test_a_model_that_no_server_has_is_waited_for(pupil: Pupil) -> None:
    cycle = pupil.go(pupil.begin(), until="evaluate")
    pupil.connection.execute("update chat_models set endpoint_model = null")
    cycle = pupil.go(cycle)
    assert (cycle.step, cycle.outcome) == ("evaluate", None)


def test_one_run_works_on_a_task_at_a_time(pupil: Pupil) -> None:
    with (
        closing(connect(pupil.settings)) as other,
        hold(other, "retrain", ANSWER),
        pytest.raises(Retryable, match="Another run retrains"),
    ):
        retrain_flow.retrain.fn(spec=str(pupil.school.spec))
    pupil.begin()
    other_spec = pupil.school.spec.with_name("other.yaml")
    with pytest.raises(Retryable, match="is under way"):
        retrain_flow.retrain.fn(spec=str(other_spec))
    waits = retrain_flow.retrain.fn(str(pupil.school.spec.with_name("other.yaml")), if_due=True)
    assert (waits["outcome"], waits["cycle"]) == ("not due", None)


def test_a_cycle_that_was_given_up_cancels_its_training(pupil: Pupil) -> None:
    cycle = pupil.go(pupil.begin(), until="train")
    pupil.go(cycle, looks=1)
    with closing(connect(pupil.settings, autocommit=True)) as own:
        given_up = retrain_flow.abandon(own)
        assert given_up is not None
        assert given_up.outcome == "refused"
        assert retrain_flow.abandon(own) is None
    assert [job["status"] for job in pupil.school.provider.jobs] == ["cancelled"]


def test_a_version_that_no_cycle_used_is_worth_a_training_and_a_cooldown_is_kept(
    pupil: Pupil,
) -> None:
    def worth() -> tuple[bool, str]:
        goes, reasons = worth_training(
            pupil.connection, read_retraining(pupil.school.spec), "support", ANSWER, TRIGGER
        )
        return goes, reasons[0]

    assert worth() == (False, "not due")
    cycle = pupil.go(pupil.begin(), until="train")
    finish(pupil.connection, cycle, "refused", "enough")
    goes, reason = worth()
    assert not goes
    assert "the cooldown is 24" in reason
    pupil.connection.execute(
        "update retrain_cycles set finished_at = now() - interval '2 days',"
        " dataset_version_id = null"
    )
    assert worth() == (True, "no cycle has used support@1 yet")
    pupil.connection.execute(
        "update retrain_cycles set dataset_version_id = (select max(id) from dataset_versions)"
    )
    assert worth() == (False, "not due")


def test_the_days_on_which_a_provider_ends_models_are_kept_and_end_their_promotion(
    pupil: Pupil,
) -> None:
    tuned = register(
        pupil.connection, Candidate("a", "old-model", endpoint_model="ft:old-model::1")
    )
    other = register(pupil.connection, Candidate("b", "small-model", endpoint_model="small-model"))
    days = retirements(pupil.settings, ["ft:old-model::1", "small-model", "old-model"])
    news = note_retirements(pupil.connection, days)
    assert [(model.called, str(model.retires_on)) for model in news] == [("a@1", "2027-01-14")]
    assert note_retirements(pupil.connection, days) == []
    pupil.connection.execute(
        "update chat_models set retires_on = retires_on - interval '2 years' where id = %s",
        [tuned.id],
    )
    with pytest.raises(Fatal, match="shut down by its provider"):
        promote(pupil.connection, find_model(pupil.connection, "a"), None)
    promote(pupil.connection, other, None)
