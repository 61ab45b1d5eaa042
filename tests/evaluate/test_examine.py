"""Examinations: each item is kept as it arrives, whatever happens to the others."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from psycopg import Connection

from tasks.database import connect, hold
from tasks.errors import Fatal, Rejected, Retryable
from tasks.evaluate.answers.examine import AnswerOne, Examined, examine
from tasks.evaluate.answers.figures import differences, figures
from tasks.evaluate.exam import Exam, Question
from tasks.evaluate.golden.store import golden_set, store_golden
from tasks.records import Answer, ChatModel
from tasks.settings import Settings
from tests.evaluate.asked import answer, question

MODEL = ChatModel("small", "small-1", "http://127.0.0.1:9/v1")
SUMS = {f"{a}+{b}?": str(a + b) for a in range(3) for b in range(4)}


@pytest.fixture
def exam(connection: Connection) -> Exam:
    """A golden set of twelve sums."""
    asked = [
        question(text, expected_answer=total, checks=[{"exact": total}])
        for text, total in SUMS.items()
    ]
    store_golden(connection, "sums", asked, purpose="general")
    connection.commit()
    return golden_set(connection, "sums")


def right(asked: Question) -> Answer:
    """What a good model says."""
    return answer(SUMS[asked.text])


def run(connection: Connection, exam: Exam, answer_one: AnswerOne = right) -> Examined:
    """An examination without documents."""
    return examine(connection, exam, MODEL, answer_one, strategy="none", threads=3)


def test_every_question_is_asked_once_and_scored(connection: Connection, exam: Exam) -> None:
    made = run(connection, exam)
    assert (made.finished, made.failed) == (True, {})
    found = figures(connection, made.id)
    assert {name: (one.value, one.items) for name, one in found.items()} == {
        "correct": (1, 12),
        "exact": (1, 12),
        "token_f1": (1, 12),
        "refusal": (1, 12),
    }
    kept = connection.execute(
        "select measure, value, low, high, items from answer_figures"
        " where answer_evaluation_id = %s",
        [made.id],
    ).fetchall()
    assert {row[0]: row[1:] for row in kept} == dict.fromkeys(found, (1, 1, 1, 12))


def test_questions_are_asked_several_at_a_time(connection: Connection, exam: Exam) -> None:
    together = threading.Barrier(3)

    def wait_for_others(asked: Question) -> Answer:
        together.wait(timeout=30)
        return right(asked)

    assert run(connection, exam, wait_for_others).finished


def test_an_item_that_fails_stops_no_other_and_is_asked_again(
    connection: Connection, exam: Exam
) -> None:
    def stumble(asked: Question) -> Answer:
        if asked.text == "0+1?":
            raise Retryable("the endpoint is busy")
        if asked.text == "1+1?":
            raise ZeroDivisionError("a fault of ours")
        if asked.text == "2+1?":
            return Answer(asked.text, "", "failed", "none", reason="it broke off")
        return right(asked)

    made = run(connection, exam, stumble)
    assert not made.finished
    assert made.failed == {
        "0+1?": "the endpoint is busy",
        "1+1?": "ZeroDivisionError: a fault of ours",
        "2+1?": "it broke off",
    }
    assert figures(connection, made.id)["correct"].items == 9

    asked_again: list[str] = []

    def count(asked: Question) -> Answer:
        asked_again.append(asked.text)
        return right(asked)

    again = run(connection, exam, count)
    assert (again.id, again.finished) == (made.id, True)
    assert sorted(asked_again) == ["0+1?", "1+1?", "2+1?"]
    reasons = connection.execute("select count(reason) from answer_results").fetchone()
    assert reasons == (0,)


@pytest.mark.parametrize("raises", [True, False])
def test_what_a_model_refuses_counts_as_no_answer_and_is_not_asked_again(
    connection: Connection, exam: Exam, raises: bool
) -> None:
    def refuse(asked: Question) -> Answer:
        if raises:
            raise Rejected("content policy")
        return Answer(asked.text, "", "failed", "none", reason="content policy", lasting=True)

    made = run(connection, exam, refuse)
    assert made.finished
    assert figures(connection, made.id)["correct"].value == 0
    row = connection.execute("select answer, reason from answer_results limit 1").fetchone()
    assert row == (None, "content policy")


def test_a_killed_examination_goes_on_from_what_was_answered(
    connection: Connection, database: Settings, exam: Exam
) -> None:
    asked: list[str] = []

    def die(one: Question) -> Answer:
        asked.append(one.text)
        if len(asked) == 6:
            raise Fatal("no key")
        return right(one)

    with closing(connect(database)) as first, pytest.raises(Fatal):
        examine(first, exam, MODEL, die, strategy="none", threads=1)
    known = connection.execute("select count(*) from answer_results").fetchone()
    assert known == (5,)
    made = examine(connection, exam, MODEL, die, strategy="none", threads=1)
    assert made.finished
    assert len(asked) == 13
    assert len(set(asked)) == 12


@pytest.mark.parametrize("change", ["question", "model", "strategy"])
def test_another_examination_begins_anew(connection: Connection, exam: Exam, change: str) -> None:
    first = run(connection, exam, lambda asked: Answer(asked.text, "", "failed", "none"))
    model, strategy = MODEL, "none"
    if change == "question":
        store_golden(connection, "sums", [question("0+0?", expected_answer="nought")])
        exam = golden_set(connection, "sums")
    elif change == "model":
        model = ChatModel("small", "small-2", MODEL.url)
    else:
        strategy = "rag"
    other = examine(connection, exam, model, right, strategy=strategy)
    assert other.id != first.id


def test_an_examination_that_ended_is_not_gone_on_with(connection: Connection, exam: Exam) -> None:
    assert run(connection, exam).id != run(connection, exam).id


def test_two_processes_do_not_examine_the_same_at_once(
    connection: Connection, database: Settings, exam: Exam
) -> None:
    made = run(connection, exam, lambda asked: Answer(asked.text, "", "failed", "none"))
    with (
        closing(connect(database)) as other,
        hold(other, "examine", made.id),
        pytest.raises(Retryable, match="another process"),
    ):
        run(connection, exam)


def test_two_examinations_are_compared_item_by_item(connection: Connection, exam: Exam) -> None:
    worse = run(connection, exam, lambda one: answer(SUMS[one.text] if one.text < "2" else "9"))
    better = run(connection, exam)
    found = differences(connection, better.id, worse.id)["correct"]
    assert (found.items, found.better, found.worse) == (12, 4, 0)
    assert found.value == pytest.approx(4 / 12)
    assert found.interval[0] > 0
    assert 0.05 < found.p < 0.2  # all four of four: 2 / 2**4


def test_examinations_of_other_questions_are_not_compared(
    connection: Connection, exam: Exam
) -> None:
    store_golden(connection, "other", [question("more?", expected_answer="no")])
    other = golden_set(connection, "other")
    mine, theirs = run(connection, exam), run(connection, other, lambda _: answer("no"))
    with pytest.raises(Rejected, match="no item in common"):
        differences(connection, mine.id, theirs.id)
