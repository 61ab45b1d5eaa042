"""Six installations whose right answer is known, and what would turn it for each of them."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.advise.advise import advise
from tasks.advise.evidence import gather
from tasks.advise.page import markdown
from tasks.advise.thresholds import THRESHOLDS
from tasks.datasets.quality import refuses
from tests.advise.conftest import START, Installation

WINDOW = {"window": 100_000.0}
TURNS: dict[str, dict[str, float]] = {
    "changing FAQ": {"changed_a_month": 9.0},
    "stable style": {
        "failing_answers": 1.1, "least_failures": 500.0, "behaviour_failures": 1.1,
        "least_examples": 5_000.0, "approved_examples": 1.1, "least_people": 500.0,
    },
    "tiny static corpus": {"window_share": 0.0, "long_context_cost": 0.0},
    "both": {"least_recall": 0.99, "oracle_gap": 0.0},
    "too little data": {"least_examples": 5.0},
    "retrieval broken": {},
}  # fmt: skip
"""By installation, thresholds that turn its recommendation when they are moved so far."""


def recommended(installation: Installation, given: dict[str, float] | None = None) -> Any:
    evidence = gather(installation.connection, "default", "answer", refuses)
    return advise(evidence, "answer", None, {**WINDOW, **(given or {})})


def expect(installation: Installation, name: str, strategy: str) -> Any:
    """The advice, which has to be that strategy, the same twice, and turned by each of TURNS."""
    advice = recommended(installation)
    found = advice.as_json()
    assert found["recommendation"] == strategy, found["criteria"]
    assert recommended(installation).as_json() == found
    for threshold, value in TURNS[name].items():
        turned = recommended(installation, {threshold: value}).as_json()
        assert turned["recommendation"] != strategy, threshold
    assert strategy in markdown(advice)
    return found


def test_a_faq_that_changes_is_retrieved(installation: Installation) -> None:
    installation.corpus(30)
    installation.history(days=30, changed=40)
    installation.searched(50)
    installation.correct_facts(25)
    installation.retrieval(0.95)
    found = expect(installation, "changing FAQ", "rag")
    assert found["confidence"] == "high"
    (failure,) = found["failures"]
    assert (failure["kind"], failure["count"], failure["half"]) == ("unknown", 25, "knowledge")


def test_a_steady_style_that_people_correct_is_trained(installation: Installation) -> None:
    installation.talk(120)
    installation.correct_style(60)
    installation.curated()
    found = expect(installation, "stable style", "fine-tuning")
    assert [one["kind"] for one in found["failures"]] == ["style"]
    first, second = found["next_actions"]
    assert "say in the prompt" in first["do"]
    assert second["command"] == "openbook retrain SPEC"
    assert 0 < first["usd"] < second["usd"]


def test_a_small_steady_corpus_is_shown_whole(installation: Installation) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.retrieval(0.95)
    found = expect(installation, "tiny static corpus", "long-context")
    actions = [one["command"] for one in found["next_actions"]]
    assert "openbook strategy default long-context" in actions


def test_facts_that_change_and_a_style_that_fails_need_both(installation: Installation) -> None:
    both(installation)
    installation.retrieval(0.95)
    installation.examined("rag", [1.0] * 38 + [0.0] * 2)
    installation.examined("oracle", [1.0] * 39 + [0.0])
    expect(installation, "both", "rag + fine-tuning")


def test_too_little_data_is_collected_first(installation: Installation) -> None:
    installation.talk(5)
    installation.correct_style(25)
    installation.curated()
    found = expect(installation, "too little data", "prompt")
    assert any("collect corrections" in one["do"] for one in found["next_actions"])


def test_broken_retrieval_is_mended_before_anything_is_trained(installation: Installation) -> None:
    both(installation)
    installation.retrieval(0.45)
    installation.examined("rag", [1.0] * 20 + [0.0] * 20, recall=0.4)
    installation.examined("oracle", [1.0] * 38 + [0.0] * 2)
    found = expect(installation, "retrieval broken", "rag")
    assert "mend retrieval" in " ".join(one["do"] for one in found["next_actions"])
    mended = recommended(installation, {"least_recall": 0.3, "oracle_gap": 0.9}).as_json()
    assert mended["recommendation"] == "rag + fine-tuning"


def both(installation: Installation) -> None:
    """Documents that change, and enough conversations whose tone was corrected."""
    installation.corpus(30)
    installation.history(days=30, changed=40)
    installation.searched(50)
    installation.talk(120)
    installation.correct_style(60)
    installation.curated()


def test_an_empty_database_is_told_what_to_measure_and_nothing_else(
    installation: Installation,
) -> None:
    advice = recommended(installation)
    found = advice.as_json()
    assert (found["recommendation"], found["confidence"], found["next_actions"]) == (None, None, [])
    assert {one["criterion"] for one in found["missing"]} >= {"found", "failing", "examples"}
    assert "nothing to judge by" in markdown(advice)


def test_every_threshold_can_turn_some_installation(installation: Installation) -> None:
    """What TURNS does not move is moved here, on an installation that is close to it."""
    elsewhere = {"other_readers", "cited_questions", "knowledge_failures"}
    assert {name for turns in TURNS.values() for name in turns} | elsewhere == set(THRESHOLDS)
    installation.corpus(4)
    installation.shelf.put("secret.md", "the fee is secret", readers=["ana"])
    installation.history(days=60, changed=0)
    installation.searched(50)
    assert recommended(installation).as_json()["recommendation"] == "rag"
    opened = recommended(installation, {"other_readers": 0.5}).as_json()
    assert opened["recommendation"] == "long-context"


def test_that_answers_cite_since_the_prompt_asks_for_it_rules_nothing_out(
    installation: Installation,
) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    for _ in range(20):
        installation.answered("rag", input_tokens=1_300, context_tokens=1_000, cited=True)
    found = recommended(installation).as_json()
    assert found["recommendation"] == "long-context"
    assert "cited" in {one["criterion"] for one in found["missing"]}


def test_questions_that_must_cite_rule_out_what_shows_no_passages(
    installation: Installation,
) -> None:
    installation.corpus(30)
    installation.history(days=30, changed=40)
    installation.searched(50)
    installation.examined("rag", [1.0] * 120)
    installation.examined("none", [1.0] * 120)
    assert recommended(installation).as_json()["recommendation"] == "prompt"
    installation.connection.execute(
        'update golden_questions set checks = \'[{"kind": "must_cite", "value": true}]\''
    )
    assert recommended(installation).as_json()["recommendation"] == "rag"
    assert recommended(installation, {"cited_questions": 1.1}).as_json()["recommendation"] == (
        "prompt"
    )


def test_facts_that_nobody_can_look_up_ask_for_a_corpus(installation: Installation) -> None:
    installation.talk(5)
    installation.correct_facts(30)
    found = recommended(installation).as_json()
    assert found["recommendation"] == "rag"
    assert "documents" in " ".join(one["do"] for one in found["next_actions"])
    assert recommended(installation, {"knowledge_failures": 1.1}).as_json()["recommendation"] == (
        "prompt"
    )


def test_what_was_measured_on_the_same_questions_overrules_the_criteria(
    installation: Installation,
) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.examined("long-context", [0.0] * 30 + [1.0] * 10)
    installation.examined("rag", [1.0] * 38 + [0.0] * 2)
    found = recommended(installation).as_json()
    assert found["recommendation"] == "rag"
    assert "measured to be better" in found["overruled"]


def test_a_simpler_strategy_that_is_not_worse_is_preferred(installation: Installation) -> None:
    both(installation)
    installation.retrieval(0.95)
    installation.examined("rag", [1.0] * 99 + [0.0])
    installation.examined("rag", [1.0] * 99 + [0.0], tuned=True)
    found = recommended(installation).as_json()
    assert found["recommendation"] == "rag"
    assert "simpler and not worse" in found["overruled"]


def test_when_conversations_were_loaded_says_nothing_of_questions_a_day(
    installation: Installation,
) -> None:
    installation.log.say("What is the fee?", "Seven ducats.", started_at=None)
    evidence = gather(installation.connection, "default", "answer", refuses)
    assert evidence.figures["answers_a_day"].value is None
    assert evidence.is_empty is False


def test_a_dataset_that_trains_nobody_does_not_stand_for_one_that_does(
    installation: Installation,
) -> None:
    installation.correct_style(20)
    installation.curated()
    known = gather(installation.connection, "default", "answer", refuses).figures["examples"].value
    installation.curated("source: {filter: {model: nobody}}\n")
    again = gather(installation.connection, "default", "answer", refuses).figures["examples"].value
    assert again == known


def test_a_wrong_fact_in_the_old_wording_does_not_argue_for_training(
    installation: Installation,
) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.retrieval(0.95)
    installation.talk(120)
    cities = ["Rome", "Bern", "Oslo", "Riga", "Kyiv", "Lima", "Cork", "Bari", "Gent", "Nice"]
    for number in range(60):
        said, meant = cities[number % 10], cities[(number + 3) % 10]
        id = installation.log.say(
            f"Where is depot {number}?", f"Depot {number} is in {said}.",
            user_pseudonym=f"user-{number % 20}", started_at=START,
        )  # fmt: skip
        installation.log.judge(id, "correction", None, 2, f"Depot {number} is in {meant}.")
    installation.curated()
    found = recommended(installation).as_json()
    assert "fine-tuning" not in found["recommendation"]
    assert {one["kind"] for one in found["failures"]} == {"unknown"}


def test_a_shown_document_is_no_shown_answer(installation: Installation) -> None:
    both(installation)
    installation.connection.execute("delete from feedback where kind = 'correction'")
    installation.retrieval(0.95)
    wrong = [0.0] * 30 + [1.0] * 30
    for context, kind in ((None, "unclear"), (0.0, "unknown"), (1.0, "unused")):
        installation.examined("rag", wrong, context=context)
        installation.connection.execute(
            "insert into golden_judgements (golden_question_id, path)"
            " select id, 'lost.md' from golden_questions on conflict do nothing"
        )
        found = recommended(installation).as_json()
        assert {one["kind"]: one["count"] for one in found["failures"]} == {kind: 30}
        assert ("fine-tuning" in found["recommendation"]) == (kind == "unused")
        halves = installation.connection.execute(
            "select distinct on (question) half from analytics.answer_failures"
            " order by question, evaluation_id desc"
        ).fetchall()
        half = {"unknown": "retrieval", "unused": "generation"}.get(kind, kind)
        assert set(halves) == {(half,)}


@pytest.mark.parametrize(
    ("others", "value", "good"),
    [
        ([0.0], 0.2, False), ([0.0], 0.9, True), ([0.0], 0.5, None), ([], 1.0, None),
        ([5.0], 1.0, False), ([1.0], 5.0, True), ([1.0, 5.0], 3.0, None),
        ([0.0, 5.0], 3.0, True), ([90.0], 30.0, False), ([-1.0], 0.2, True), ([400.0], 1.0, None),
    ],
)  # fmt: skip
def test_a_score_approves_in_the_upper_half_of_its_scale_and_fails_in_the_lower(
    installation: Installation, others: list[float], value: float, good: bool | None
) -> None:
    for other in others:
        installation.log.judge(installation.log.grow(1)[0], "score", other, 2)
    id = installation.log.grow(1)[0]
    installation.log.judge(id, "score", value, 2)
    installation.log.judge(id, "thumb", 1, 2)
    told = installation.connection.execute(
        "select kind, good from openbook.feedback_verdicts() where conversation_id = %s", [id]
    ).fetchall()
    assert dict(told) == {"score": good, "thumb": True}


def test_what_was_scored_low_is_not_approved_and_fails(installation: Installation) -> None:
    for number in range(40):
        id = installation.log.grow(1, user_pseudonym=f"user-{number % 20}", started_at=START)[0]
        installation.log.judge(id, "score", 5.0 if number % 4 == 0 else 2.0, 2)
    installation.log.judge(installation.log.grow(1, started_at=START)[0], "score", 1.0, 2)
    installation.curated()
    figures = gather(installation.connection, "default", "answer", refuses).figures
    assert figures["failing"].value == pytest.approx(31 / 41)
    assert (figures["approved"].value or 0) == pytest.approx(0.25, abs=0.1)
    found = recommended(installation).as_json()
    assert {one["kind"] for one in found["failures"]} == {"unclear"}


def test_the_page_counts_what_people_said_and_quotes_none_of_it(
    installation: Installation,
) -> None:
    asked = "Is ![x](http://evil.example/p.png) mine, asks Ana?"
    for wanted in ("Never, 77 ducats.", None):
        id = installation.log.say(asked, "Ask secretary Zimt.", started_at=START)
        installation.log.judge(id, "correction" if wanted else "thumb", -1, 2, wanted)
    installation.examined("rag", [0.0], model="m|`x`", golden="<b>faq</b>")
    installation.connection.execute("update golden_questions set question = %s", [asked])
    page = markdown(recommended(installation))
    for quoted in ("evil.example", "Ana", "Zimt", "ducats", "<b>", "m|"):
        assert quoted not in page
    assert "**unknown** (1)" in page


def test_what_retrieval_prompts_and_training_could_mend_and_latency_are_reported(
    installation: Installation,
) -> None:
    unmeasured = recommended(installation).as_json()
    assert unmeasured["latency"]["retrieval"]["value"] is None
    assert unmeasured["mended_by"]["prompt"]["value"] is None
    installation.correct_style(30)
    installation.correct_facts(10)
    installation.examined("rag", [1.0] * 3)
    installation.connection.execute(
        "update answer_results set retrieval_ms = 40, generation_ms = 900"
    )
    advice = recommended(installation)
    found = advice.as_json()
    assert {way: one["value"] for way, one in found["mended_by"].items()} == {
        "retrieval": 0.0, "documents": 0.25, "prompt": 0.75, "training": 0.75,
    }  # fmt: skip
    low, high = found["mended_by"]["training"]["interval"]
    assert low < 0.75 < high
    assert (found["latency"]["retrieval"]["value"], found["latency"]["generation"]["value"]) == (
        40, 900,
    )  # fmt: skip
    page = markdown(advice)
    assert "| training | 0.75 share (" in page
    assert "| generation | 900 ms |" in page


def test_an_examination_without_passages_tries_no_prompt(installation: Installation) -> None:
    installation.talk(120)
    installation.correct_style(60)
    installation.curated()
    installation.examined("none", [0.0] * 20 + [1.0] * 20)
    found = recommended(installation).as_json()
    assert "prompt" in found["experiments"]["conditions"]
    assert any("say in the prompt" in one["do"] for one in found["next_actions"])
