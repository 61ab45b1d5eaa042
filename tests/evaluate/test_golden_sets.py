"""Golden sets in the database."""

from __future__ import annotations

import pytest
from psycopg import Connection

from tasks.errors import Rejected
from tasks.evaluate.golden.store import golden_set, golden_sets, store_golden
from tests.evaluate.asked import question

FIRST = question(
    "first",
    expected_answer="one",
    sources=["a.md", {"path": "b.md", "grade": 0}],
    checks=[{"contains": ["one", "1"]}, {"json_schema": {"type": "object"}}, "must_cite"],
    tags=["numbers"],
)
SECOND = question("second", checks=["must_refuse"])


def test_a_set_is_given_back_as_it_was_stored(connection: Connection) -> None:
    store_golden(connection, "tasks", [FIRST, SECOND], collection="default", purpose="safety")
    exam = golden_set(connection, "tasks")
    assert (exam.name, exam.collection, exam.purpose) == ("tasks", "default", "safety")
    assert [one.text for one in exam.questions] == ["first", "second"]
    assert exam.questions[0].grades == FIRST.grades
    assert exam.questions[0].checks == FIRST.checks
    assert exam.questions[0].tags == ("numbers",)
    assert exam.questions[1].must_be_refused


def test_a_set_without_a_collection_is_about_no_documents(connection: Connection) -> None:
    store_golden(connection, "general", [SECOND], purpose="general")
    assert golden_set(connection, "general").collection == ""


def test_what_is_added_keeps_the_rest_and_what_is_not_said_stays(connection: Connection) -> None:
    store_golden(connection, "tasks", [FIRST], collection="default", purpose="safety")
    before = golden_set(connection, "tasks").questions[0].id
    store_golden(connection, "tasks", [SECOND])
    store_golden(connection, "tasks", [question("first", expected_answer="uno")])
    exam = golden_set(connection, "tasks")
    assert (exam.collection, exam.purpose) == ("default", "safety")
    first, second = exam.questions
    assert (first.id, first.expected_answer, first.grades) == (before, "uno", {})
    assert second.text == "second"


def test_a_set_can_be_made_of_these_questions_alone(connection: Connection) -> None:
    store_golden(connection, "tasks", [FIRST, SECOND], collection="default")
    store_golden(connection, "tasks", [SECOND], only=True)
    assert [one.text for one in golden_set(connection, "tasks").questions] == ["second"]


def test_an_unknown_collection_is_refused(connection: Connection) -> None:
    with pytest.raises(Rejected, match="no collection 'nowhere'"):
        store_golden(connection, "tasks", [FIRST], collection="nowhere")


def test_a_question_that_names_sources_needs_a_set_about_documents(connection: Connection) -> None:
    with pytest.raises(Rejected, match="about no documents"):
        store_golden(connection, "tasks", [SECOND, FIRST])
    assert golden_sets(connection) == []


def test_the_list_says_what_the_questions_have(connection: Connection) -> None:
    store_golden(connection, "tasks", [FIRST, SECOND], collection="default")
    assert golden_sets(connection) == [
        {
            "name": "tasks",
            "collection": "default",
            "purpose": "task",
            "questions": 2,
            "answers": 1,
            "checked": 2,
            "judged": 1,
        }
    ]
