"""What experiments may say: how many questions, of which model, and how sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.advise.evidence import gather
from tasks.advise.experiments import Experiments
from tasks.advise.figures import draw, rest, share
from tasks.datasets.quality import refuses
from tasks.statistics import verdict
from tests.advise.conftest import Installation
from tests.advise.test_advise import both, recommended


def shown_whole(installation: Installation) -> None:
    """A corpus that the criteria alone would show whole."""
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.retrieval(0.95)


def advised(installation: Installation) -> dict[str, Any]:
    found: dict[str, Any] = recommended(installation).as_json()
    return found


def asked(one: str, wins: int, losses: int, ties: int) -> Experiments:
    """`one` against long-context: questions that it alone answers, that the other does, ties."""
    items = [f"q{number}" for number in range(wins + losses + ties)]
    mine = [1.0] * wins + [0.0] * losses + [1.0] * ties
    theirs = [0.0] * wins + [1.0] * losses + [1.0] * ties
    correct = {one: mine, "long-context": theirs}
    return Experiments(
        "faq",
        dict.fromkeys(correct, "model"),
        {name: dict(zip(items, values, strict=True)) for name, values in correct.items()},
    )


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_two_questions_overrule_nothing(installation: Installation, right: float) -> None:
    both(installation)
    installation.retrieval(0.95)
    tree = advised(installation)
    installation.examined("rag", [right, right])
    installation.examined("none", [right, right])
    installation.examined("oracle", [right, right])
    found = advised(installation)
    assert (found["recommendation"], found["overruled"]) == (tree["recommendation"], None)
    assert "oracle" in str([one for one in found["missing"] if one["criterion"] == "bounded"])


@pytest.mark.parametrize("questions", [10, 40])
def test_four_questions_more_are_no_difference(installation: Installation, questions: int) -> None:
    shown_whole(installation)
    installation.examined("rag", [1.0] * questions)
    installation.examined("long-context", [0.0] * 4 + [1.0] * (questions - 4))
    found = advised(installation)
    assert (found["recommendation"], found["overruled"]) == ("long-context", None)


def test_how_surely_it_was_measured_reaches_the_confidence(installation: Installation) -> None:
    shown_whole(installation)
    installation.examined("rag", [1.0] * 40)
    installation.examined("long-context", [0.0] * 6 + [1.0] * 34)
    barely = advised(installation)
    installation.examined("long-context", [0.0] * 30 + [1.0] * 10)
    surely = advised(installation)
    assert barely["recommendation"] == surely["recommendation"] == "rag"
    assert barely["certainty"] < 0.8
    assert surely["certainty"] > 0.99


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 40))
def test_better_is_what_mcnemar_calls_better(wins: int, losses: int, ties: int) -> None:
    found = asked("rag", wins, losses, ties).compare("rag", "long-context")
    if wins + losses + ties < 20:
        assert found is None
        return
    assert found is not None and found.p is not None
    assert found.low < found.difference < found.high or abs(found.difference) == 1
    said = verdict(found, 0.0, 0.05, 0.95)
    assert (said == "better") == (wins > losses and found.p <= 0.05)


def test_agreement_on_few_questions_is_no_equality() -> None:
    few = asked("prompt", 0, 0, 20).compare("prompt", "long-context")
    many = asked("prompt", 0, 0, 100).compare("prompt", "long-context")
    assert few is not None and many is not None
    assert (few.difference, many.difference) == (0, 0)
    assert few.low < -0.05 < many.low < 0 < many.high < few.high


def test_in_each_world_two_comparisons_of_the_same_questions_agree() -> None:
    experiments = asked("rag", 10, 4, 20)
    compared = experiments.compared(("rag", "long-context", "prompt"))
    assert compared.keys() == {("rag", "long-context"), ("long-context", "rag")}
    worlds = experiments.worlds(compared, np.random.default_rng(1), 50)
    means = [one["rag", "long-context"].difference for one in worlds]
    assert np.allclose(means, [-one["long-context", "rag"].difference for one in worlds])
    assert np.std(means) > 0.05


def test_a_share_and_its_rest_make_up_all_in_every_world() -> None:
    knowledge = share(20, 30, "")
    behaviour = rest(knowledge)
    drawn = draw([knowledge, behaviour], np.random.default_rng(1), 50)
    one, other = drawn[knowledge], drawn[behaviour]
    assert one is not None and other is not None
    assert np.allclose(one + other, 1)


def test_conditions_are_of_one_model(installation: Installation) -> None:
    shown_whole(installation)
    installation.examined("long-context", [0.0] * 40, model="small")
    installation.examined("rag", [0.0] * 40, model="small")
    installation.examined("rag", [1.0] * 40, model="large")
    installation.examined("oracle", [1.0] * 40, model="other")
    found = advised(installation)
    assert {one["model"] for one in found["experiments"]["conditions"].values()} == {"small"}
    assert found["experiments"]["conditions"].keys() == {"rag", "long-context"}
    assert found["overruled"] is None
    now = gather(installation.connection, "default", "answer", refuses, model="large").experiments
    assert now.models == {"rag": "large"}


@pytest.mark.parametrize(
    ("stage", "model", "counts"),
    [
        ("serving", "model", True),
        ("serving", "hub/model-2026-01-01", True),
        ("serving", "another", False),
        ("retired", "model", False),
        ("candidate", "model", False),
    ],
)
def test_only_what_serves_counts_as_trained_and_beside_its_own_base(
    installation: Installation, stage: str, model: str, counts: bool
) -> None:
    both(installation)
    installation.examined("rag", [1.0] * 20)
    installation.examined("none", [1.0] * 20)
    installation.examined("rag", [1.0] * 20, tuned=True, stage=stage, model=model)
    conditions = advised(installation)["experiments"]["conditions"]
    assert ("rag + fine-tuning" in conditions) is counts


def test_a_named_golden_set_counts_whatever_else_was_asked(installation: Installation) -> None:
    installation.examined("rag", [1.0] * 20)
    installation.examined("none", [1.0] * 20)
    installation.examined("none", [0.0] * 20, golden="sea")
    kept = gather(installation.connection, "default", "answer", refuses).experiments
    named = gather(
        installation.connection, "default", "answer", refuses, golden="sea"
    ).experiments  # fmt: skip
    assert (kept.golden_set, named.golden_set) == ("faq", "sea")
    assert named.correct.keys() == {"prompt"}
