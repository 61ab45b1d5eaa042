"""The golden sets that are shipped: whole, and met by their own expected answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.evaluate.answers.score import scores
from tasks.evaluate.exam import Question
from tasks.evaluate.golden.read import read_questions
from tests.evaluate.asked import answer

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
SAMPLE = DEPLOYMENTS / "sample" / "golden.yaml"
SETS = {
    SAMPLE: 50,
    DEPLOYMENTS / "golden" / "general.yaml": 60,
    DEPLOYMENTS / "golden" / "safety.yaml": 30,
}


def questions(file: Path) -> tuple[Question, ...]:
    """The questions of a file of ours, which has no fault."""
    reading = read_questions(file)
    assert reading.rejected == ()
    return reading.questions


@pytest.mark.parametrize("file", SETS, ids=lambda file: file.stem)
def test_a_set_is_large_enough_and_every_question_has_a_check(file: Path) -> None:
    found = questions(file)
    assert len(found) >= SETS[file]
    assert all(question.checks for question in found)


@pytest.mark.parametrize("file", SETS, ids=lambda file: file.stem)
def test_the_expected_answer_passes_the_checks_and_no_answer_fails_them(file: Path) -> None:
    for question in questions(file):
        if question.expected_answer:
            assert ("correct", 1.0, None) in scores(question, answer(question.expected_answer)), (
                question.text
            )
        expected = 1.0 if question.must_be_refused else 0.0
        assert scores(question, answer("I don't know."))[0].value == expected, question.text


def test_the_sample_set_names_documents_of_the_sample() -> None:
    for question in questions(SAMPLE):
        for path in question.sources:
            assert (SAMPLE.parent / "drop" / path).is_file(), path
