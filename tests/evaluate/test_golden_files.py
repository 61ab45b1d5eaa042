"""Files of golden questions: what is read of them, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Rejected
from tasks.evaluate.exam import Check, Question
from tasks.evaluate.golden.question import as_row, read_question
from tasks.evaluate.golden.read import read_questions
from tasks.evaluate.golden.write import as_text

YAML = """\
# reviewed in June
questions:
  - question: How long is the warranty?
    expected_answer: 24 months
    sources: [policies/warranty.html, {path: faq.md, grade: 2}]
    checks:
      - contains: [24 months, two years]
      - must_cite
    tags: [warranty]
  - question: How many wheels?
    checks: [{exact: 4}]
"""


def write(folder: Path, name: str, text: str) -> Path:
    """A file in the folder."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_and_json_lines_say_the_same(tmp_path: Path) -> None:
    reading = read_questions(write(tmp_path, "a.yaml", YAML))
    first, second = reading.questions
    assert reading.rejected == ()
    assert first == Question(
        "How long is the warranty?",
        {"policies/warranty.html": 1, "faq.md": 2},
        expected_answer="24 months",
        checks=(Check("contains", ["24 months", "two years"]), Check("must_cite")),
        tags=("warranty",),
    )
    assert second.checks == (Check("exact", "4"),)
    lines = write(tmp_path, "a.jsonl", as_text(reading.questions, lines=True))
    assert read_questions(lines) == reading


def test_lines_that_judge_one_document_each_make_one_question(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "old.jsonl",
        '{"question": "q", "path": "a.md", "kind": "words"}\n\n'
        '{"question": "q", "path": "b.md", "grade": 0}\n',
    )
    (question,) = read_questions(file).questions
    assert question.grades == {"a.md": 1, "b.md": 0}
    assert question.sources == {"a.md"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("- just words", "it is no question"),
        ("- question: q", "does not say what a good answer is"),
        ("- {question: '', tags: [a]}", "question is ''"),
        ("- {question: q, answer: a}", "no field 'answer'"),
        ("- {question: q, expected_answer: [a]}", "expected_answer is"),
        ("- {question: q, sources: a.md}", "sources is 'a.md' and no list"),
        ("- {question: q, sources: [{path: a.md, grade: -1}]}", "is no source"),
        ("- {question: q, checks: [{sounds: nice}]}", "is no check"),
        ("- {question: q, checks: [{regex: '('}]}", "no regular expression"),
        ("- {question: q, checks: [{json_schema: {type: thing}}]}", "no JSON schema"),
        (
            "- {question: q, checks: [{json_schema: {$ref: 'http://example.org/x'}}]}",
            "refers to 'http://example.org/x'",
        ),
        ("- {question: q, checks: [{must_refuse: maybe}]}", "is no check"),
        ("- {question: ok, checks: [must_cite]}", "came before"),
        ('- {question: q, expected_answer: "a\\0b"}', "Postgres cannot store"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_and_stops_no_other(
    tmp_path: Path, entry: str, message: str
) -> None:
    first, last = "- {question: ok, sources: [a]}", "- {question: also, sources: [a]}"
    reading = read_questions(write(tmp_path, "q.yaml", f"{first}\n{entry}\n{last}\n"))
    assert [one.text for one in reading.questions] == ["ok", "also"]
    (error,) = reading.rejected
    assert f"{tmp_path / 'q.yaml'}, line 2: " in error.message
    assert message in error.message
    assert error.remedy


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    reading = read_questions(write(tmp_path, "q.jsonl", '{"question": "a", "path": "b"}\n{\n'))
    assert len(reading.questions) == 1
    assert "q.jsonl, line 2: it is no JSON" in reading.rejected[0].message


@pytest.mark.parametrize("text", ["questions: [", "questions: 3", "", "- a\n b: [}"])
def test_a_file_without_questions_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Rejected, match=r"q\.yaml"):
        read_questions(write(tmp_path, "q.yaml", text))


texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
checks: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"contains": st.one_of(texts, st.lists(texts, min_size=1, max_size=3))}),
    st.fixed_dictionaries({"exact": texts}),
    st.sampled_from(["must_cite", "must_refuse", {"must_cite": "a.md"}]),
    st.just({"json_schema": {"type": "object", "required": ["a"]}}),
)


@given(
    st.fixed_dictionaries(
        {"question": texts, "expected_answer": texts},
        optional={
            "checks": st.lists(checks, min_size=1, max_size=3),
            "tags": st.lists(texts, min_size=1, max_size=3),
            "sources": st.lists(texts, min_size=1, max_size=3, unique=True),
        },
    )
)
def test_what_is_written_is_read_as_it_was(row: dict[str, Any]) -> None:
    assert as_row(read_question(row)) == row
