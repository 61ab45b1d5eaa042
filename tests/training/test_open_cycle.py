"""What is asked for while a cycle is under way holds for it, or is refused; never ignored."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from flows import approve as approve_flow
from flows import retrain as retrain_flow
from flows.approve import Approval
from tasks.database import connect, hold
from tasks.errors import Fatal
from tasks.training.decisions import keep_out
from tasks.training.registry import ANSWER, find_model, promote, serving
from tests.training.test_cycle import Pupil, pupil

__all__ = ["pupil"]


def retrain(pupil: Pupil, **options: Any) -> dict[str, Any]:
    """Run the flow's own function, without Prefect."""
    pupil.connection.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrain_flow, "step", retrain_flow.step.fn)
        patch.setattr(retrain_flow, "tell", lambda *_, **__: None)
        patch.setattr(retrain_flow, "_show", lambda *_: None)
        return retrain_flow.retrain.fn(str(pupil.school.spec), **options)


def test_a_person_is_asked_also_when_that_is_wanted_only_before_the_promotion(
    pupil: Pupil,
) -> None:
    pupil.go(pupil.begin(), until="promote")
    report = retrain(pupil, approve=True)
    assert (report["outcome"], report["step"]) == ("waiting", "approve")
    assert serving(pupil.connection) is None
    assert retrain(pupil)["step"] == "approve"
    assert retrain(pupil, approve=False)["outcome"] == "promoted"


def test_a_budget_that_is_named_while_a_cycle_is_under_way_holds_for_its_training(
    pupil: Pupil,
) -> None:
    pupil.school.rewrite(settings="{seed: 3, usd_per_million_tokens: 1000}")
    pupil.go(pupil.begin(), until="train")
    report = retrain(pupil, max_usd=0.0)
    assert report["outcome"] in ("refused", "failed")
    assert "for at most $0.00, from now on" in report["reasons"][1]
    assert pupil.school.provider.files == []


@pytest.mark.parametrize("other", [{"base": "old-model"}, {"backend": "local"}])
def test_a_cycle_under_way_keeps_its_base_and_its_backend(
    pupil: Pupil, other: dict[str, str]
) -> None:
    cycle = pupil.go(pupil.begin(), until="train")
    with pytest.raises(Fatal, match=f"Cycle {cycle.id}, at train, trains small-model by openai"):
        retrain(pupil, **other)
    assert retrain(pupil, base="small-model", backend="openai")["outcome"] == "waiting"


def test_a_person_who_says_no_ends_the_cycle(pupil: Pupil) -> None:
    pupil.school.rewrite(approve="true")
    cycle = pupil.go(pupil.begin())
    assert cycle.decision_id is not None
    keep_out(pupil.connection, cycle.decision_id, "bob")
    cycle = pupil.go(cycle)
    assert cycle.outcome == "refused"
    assert f"bob said no to decision {cycle.decision_id}" in pupil.says(cycle)


def test_a_no_that_comes_after_the_promotion_changes_nothing(
    pupil: Pupil, monkeypatch: pytest.MonkeyPatch
) -> None:
    pupil.school.rewrite(approve="true")
    cycle = pupil.go(pupil.begin())
    assert cycle.decision_id is not None

    def answer_late(**_: object) -> Approval:
        with closing(connect(pupil.settings, autocommit=True)) as own:
            promote(own, find_model(own, "helm"), None, cycle.decision_id)
            with hold(own, "retrain", ANSWER) as held:
                assert held
        return Approval(promote=False, by="bob")

    monkeypatch.setattr(approve_flow, "suspend_flow_run", answer_late)
    pupil.connection.commit()
    said = approve_flow.approve.fn(cycle.decision_id)
    assert (said["promoted"], said["refused_by"]) == (True, None)
    keep_out(pupil.connection, cycle.decision_id, "bob")
    cycle = pupil.go(cycle)
    assert cycle.outcome == "promoted"
    now = serving(pupil.connection)
    assert now is not None
    assert now.called == "helm@1"
