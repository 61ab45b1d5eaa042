"""The gate lets through what is better, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tasks.training.decisions import decision, report, store_decision
from tasks.training.examinations import Examination
from tasks.training.gate import Judgement, Rules, Standing, judge, short_of
from tasks.training.registry import Candidate, register

TODAY = date(2026, 3, 1)
SOUND = Standing(tainted_at=None, retires_on=None, overlap=(), today=TODAY)
RULES = Rules()
NAN = float("nan")
ITEMS = 40


def exam(
    name: str, model: str, right: int, purpose: str = "task", items: int = ITEMS, **measures: float
) -> Examination:
    """The first `right` items correct, the others not; the further measures are every item's."""
    scores = {
        f"{name} {n}": {"correct": float(n < right), "refusal": 1.0, **measures}
        for n in range(items)
    }
    return Examination(name, purpose, model, items, True, scores)


def exams(model: str, right: int, **changes: Any) -> list[Examination]:
    """A whole examination: the task's, which may be changed, a general and a safety set."""
    task = exam("helm", model, right, grounded=0.9, format=1.0)
    return [
        replace(task, **changes),
        exam("general", model, 30, "general"),
        exam("safety", model, 30, "safety"),
    ]


GOOD, POOR = exams("new@1", 30), exams("old@1", 15)


def failed(judgement: Judgement) -> list[str]:
    return [one.condition for one in judgement.conditions if not one.holds]


def with_scores(
    found: list[Examination], set: int, item: int, **values: float
) -> list[Examination]:
    """The examinations with one item's scores changed; without values, without its scores."""
    one = found[set]
    name = list(one.scores)[item]
    changed = {**one.scores, name: {**one.scores[name], **values} if values else {}}
    return [*found[:set], replace(one, scores=changed), *found[set + 1 :]]


def test_a_better_model_passes_and_the_reasons_give_the_figures() -> None:
    found = judge(GOOD, POOR, SOUND, RULES)
    assert found.passes
    assert found.outcome == "better"
    assert found.other == "old@1"
    says = {one.condition: one.says for one in found.conditions}
    assert "0.750 against 0.375 of old@1 over 40 items, +0.375" in says["better"]
    assert "power .8" in says["better"]
    assert found.figures["sets"]["helm"]["correct"] == {
        "candidate": 0.75, "other": 0.375, "items": 40, "other_items": 40,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("right", "outcome"), [(15, "not worse"), (17, "not worse"), (12, "inconclusive"), (2, "worse")]
)
def test_what_is_not_better_stays_out(right: int, outcome: str) -> None:
    found = judge(exams("new@1", right), POOR, SOUND, RULES)
    assert found.outcome == outcome
    assert failed(found) == ["better"]


def test_a_margin_must_be_beaten_with_confidence() -> None:
    assert judge(GOOD, POOR, SOUND, replace(RULES, margin=0.1)).passes
    assert failed(judge(GOOD, POOR, SOUND, replace(RULES, margin=0.35))) == ["better"]


@pytest.mark.parametrize(
    ("standing", "condition"),
    [
        ({"tainted_at": datetime(2026, 2, 1, tzinfo=UTC)}, "not tainted"),
        ({"retires_on": date(2026, 3, 20)}, "not retiring"),
        ({"overlap": ["How long is the warranty?"]}, "no overlap"),
        ({"overlap": None}, "no overlap"),
    ],
)
def test_a_better_model_that_must_not_serve_stays_out(
    standing: dict[str, Any], condition: str
) -> None:
    assert failed(judge(GOOD, POOR, replace(SOUND, **standing), RULES)) == [condition]


def test_a_model_that_ends_long_after_may_serve() -> None:
    assert judge(GOOD, POOR, replace(SOUND, retires_on=date(2027, 1, 14)), RULES).passes


@pytest.mark.parametrize(
    ("worse", "condition"),
    [
        (exams("new@1", 30, scores=exam("helm", "", 30, grounded=0.8, format=1.0).scores),
         "groundedness"),
        (exams("new@1", 30, scores=exam("helm", "", 30, grounded=0.9, format=0.9).scores),
         "format"),
        ([GOOD[0], exam("general", "new@1", 27, "general"), GOOD[2]], "general"),
        (with_scores(with_scores(with_scores(
            GOOD, 2, 1, refusal=0.0), 2, 2, refusal=0.0), 2, 3, refusal=0.0), "safety"),
    ],
)  # fmt: skip
def test_a_better_model_that_lost_something_else_stays_out(
    worse: list[Examination], condition: str
) -> None:
    assert failed(judge(worse, POOR, SOUND, RULES)) == [condition]


def test_a_guard_that_nothing_measures_fails_unless_it_is_waived() -> None:
    ours, theirs = [exam("helm", "new@1", 30)], [exam("helm", "old@1", 15)]
    found = judge(ours, theirs, SOUND, RULES)
    assert failed(found) == ["groundedness", "format", "safety", "general"]
    waived = replace(RULES, without=("groundedness", "format", "safety", "general"))
    assert judge(ours, theirs, SOUND, waived).passes


def grounded_in(found: list[Examination], items: range, refusal: float) -> list[Examination]:
    """The examinations with that refusal, and no groundedness, of all but these items."""
    scores = {
        name: {"correct": values["correct"], "format": 1.0, "refusal": refusal}
        if n not in items
        else values
        for n, (name, values) in enumerate(found[0].scores.items())
    }
    return [replace(found[0], scores=scores), *found[1:]]


def test_a_guard_counts_what_the_candidate_alone_has_no_score_of_as_nothing() -> None:
    found = judge(grounded_in(GOOD, range(12, ITEMS), refusal=0.0), POOR, SOUND, RULES)
    assert failed(found) == ["groundedness"]
    assert "over 40 items" in found.failed[0]
    assert "of which 12 count 0 that the candidate has none of" in found.failed[0]


def test_what_the_candidate_rightly_refuses_has_no_groundedness_to_lose() -> None:
    refuses = grounded_in(GOOD, range(12, ITEMS), refusal=1.0)
    assert judge(refuses, POOR, SOUND, RULES).passes


@pytest.mark.parametrize("side", ["candidate", "other"])
def test_a_guard_that_few_items_measure_fails_unless_so_few_are_enough(side: str) -> None:
    few = range(9)
    ours = grounded_in(GOOD, few, refusal=1.0) if side == "candidate" else GOOD
    theirs = grounded_in(POOR, few, refusal=0.0) if side == "other" else POOR
    found = judge(ours, theirs, SOUND, RULES)
    assert failed(found) == ["groundedness"]
    assert "9 items alone measure groundedness, 10 needed" in found.failed[0]
    assert judge(ours, theirs, SOUND, replace(RULES, least_guarded=9)).passes


def test_without_another_model_a_threshold_decides() -> None:
    found = judge(GOOD, None, SOUND, RULES)
    assert "better" in failed(found)
    assert "gate.least" in " ".join(found.failed)
    assert judge(GOOD, None, SOUND, replace(RULES, least=0.5)).passes
    assert "better" in failed(judge(GOOD, None, SOUND, replace(RULES, least=0.7)))


def test_too_few_items_decide_nothing() -> None:
    few = [exam("helm", "new@1", 12, items=15), *GOOD[1:]]
    none = [exam("helm", "old@1", 0, items=15), *POOR[1:]]
    assert "enough items" in failed(judge(few, none, SOUND, RULES))


def test_a_candidate_that_was_asked_nothing_stays_out() -> None:
    assert not judge([], POOR, SOUND, RULES).passes
    assert not judge([], [], SOUND, RULES).passes
    assert not judge([], None, replace(SOUND), replace(RULES, least=0.0)).passes


@settings(max_examples=30, deadline=None)
@given(
    side=st.booleans(),
    set=st.integers(0, 2),
    item=st.integers(0, ITEMS - 1),
    harm=st.sampled_from([{"correct": NAN}, {"correct": float("inf")}, {}]),
)
def test_a_missing_value_never_passes(
    side: bool, set: int, item: int, harm: dict[str, float]
) -> None:
    ours = with_scores(GOOD, set, item, **harm) if side else GOOD
    theirs = POOR if side else with_scores(POOR, set, item, **harm)
    assert not judge(ours, theirs, SOUND, RULES).passes


@settings(max_examples=30, deadline=None)
@given(side=st.booleans(), set=st.integers(0, 2), item=st.integers(0, ITEMS - 1))
def test_an_item_that_one_alone_was_asked_never_passes(side: bool, set: int, item: int) -> None:
    whole = GOOD if side else POOR
    one = whole[set]
    name = list(one.scores)[item]
    scores = {key: value for key, value in one.scores.items() if key != name}
    torn = [*whole[:set], replace(one, scores=scores), *whole[set + 1 :]]
    found = judge(torn, POOR, SOUND, RULES) if side else judge(GOOD, torn, SOUND, RULES)
    assert "same items" in failed(found)


def test_a_set_that_was_changed_between_the_two_never_passes() -> None:
    changed = [replace(GOOD[0], exam_sha256=b"new"), *GOOD[1:]]
    found = judge(changed, POOR, SOUND, RULES)
    assert failed(found) == ["same items"]
    assert "helm was changed between the two examinations" in found.failed


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16)), min_size=20, max_size=60
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_items_decides_nothing(values: list[tuple[float, float]], order: Any) -> None:
    def graded(model: str, side: int, pairs: list[tuple[int, tuple[float, float]]]) -> Examination:
        scores = {f"q{n}": {"token_f1": pair[side]} for n, pair in pairs}
        return Examination("helm", "task", model, len(pairs), True, scores)

    pairs = list(enumerate(values))
    turned = order.sample(pairs, len(pairs))
    one, other = (
        judge([graded("new", 0, some)], [graded("old", 1, some)], SOUND, RULES).found
        for some in (pairs, turned)
    )
    assert one is not None
    assert other is not None
    assert one.difference == pytest.approx(other.difference)
    assert one.minimum_detectable == other.minimum_detectable


@pytest.mark.parametrize("finished", [True, False])
def test_an_examination_that_has_not_ended_decides_nothing(finished: bool) -> None:
    torn = [replace(GOOD[0], finished=finished), *GOOD[1:]]
    assert judge(torn, POOR, SOUND, RULES).passes == finished


def test_what_no_candidate_can_pass_is_known_before_the_training() -> None:
    asked = {"task": 4, "safety": 33}
    rules = replace(RULES, least_items=50, least_guarded=10, without=())
    assert short_of(asked, rules) == [
        "the gate needs 50 questions (task), and there are 4",
        "the gate needs 10 questions (general), and there are 0",
    ]
    assert not short_of({"task": 50, "safety": 10}, replace(rules, without=("general",)))


def test_who_looks_again_must_be_surer() -> None:
    ours, theirs = exams("new@1", 21), exams("old@1", 15)
    assert judge(ours, theirs, SOUND, RULES).outcome == "better"
    again = judge(ours, theirs, replace(SOUND, looks=1), RULES)
    assert (again.outcome, again.confidence) == ("not worse", 0.975)
    often = judge(GOOD, POOR, replace(SOUND, looks=1000), RULES)
    assert often.confidence < 1
    assert not judge(GOOD, GOOD, replace(SOUND, looks=1000), RULES).passes


def test_a_judgement_over_one_item_is_kept(connection: Connection) -> None:
    ours, theirs = (exam("helm", model, 1, items=1) for model in ("new@1", "old@1"))
    found = judge([ours], [theirs], SOUND, RULES)
    candidate = register(connection, Candidate(name="new", base="b", endpoint_model="new"))
    number = store_decision(connection, candidate, None, found, RULES)
    kept = decision(connection, number)
    assert (kept["outcome"], kept["items"], kept["low"]) == ("inconclusive", 1, -1)
    assert "1 items, 20 needed" in report(kept)
