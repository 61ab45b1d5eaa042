"""Test collections are read whole, or refused with the file and line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import Rejected
from tasks.evaluate.collection import corpus, judged

KNOWN = frozenset({"tides", "wind", "pump"})


def test_the_questions_are_the_judged_queries_with_their_grades(folder: Path) -> None:
    exam = judged(folder, KNOWN)
    assert (exam.name, exam.collection) == ("small", "evaluate:small")
    assert [question.grades for question in exam.questions] == [
        {"tides": 2, "wind": 0},
        {"pump": 1},
    ]


def test_judgements_may_come_without_a_heading(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text("q2\tpump\t1\n")
    assert [question.text for question in judged(folder).questions] == ["ERR-1042"]


def test_what_postgres_cannot_store_is_taken_out(folder: Path) -> None:
    (folder / "corpus.jsonl").write_text(
        '{"_id": "a", "text": "x\\u0000y", "metadata": {"k": ["\\u0000", "\\ud800"]}}\n'
    )
    (entry,) = corpus(folder)
    assert (entry.text, entry.metadata) == ("x y", {"k": [" ", "?"]})


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "x"}\n{"_id"\n', r"corpus.jsonl, line 2 is no JSON"),
        ("corpus.jsonl", "[1]\n", r"line 1 is no JSON object"),
        ("corpus.jsonl", '{"_id": 7, "text": "x"}\n', r"line 1: _id is 7"),
        ("corpus.jsonl", '{"_id": "", "text": "x"}\n', r"line 1: _id is empty"),
        ("corpus.jsonl", '{"_id": "a"}\n', r"line 1: text is None"),
        ("corpus.jsonl", '{"_id": "a", "text": ""}\n' * 2, r"line 2: the id 'a' came before"),
        ("corpus.jsonl", "\n", r"corpus.jsonl holds no document"),
        ("corpus.jsonl", b'{"_id": "a", "text": "\xff"}', r"corpus.jsonl, after line 0: no UTF-8"),
        ("queries.jsonl", "nonsense\n", r"queries.jsonl, line 1 is no JSON"),
        ("qrels/test.tsv", "q\td\ts\nq1\ttides\n", r"test.tsv, line 2 is no judgement"),
        ("qrels/test.tsv", "q\td\ts\nq1\ttides\thigh\n", r"test.tsv, line 2 is no judgement"),
        ("qrels/test.tsv", "q\td\ts\nq9\ttides\t1\n", r"test.tsv, line 2: there is no query 'q9'"),
        ("qrels/test.tsv", "q\td\ts\nq1\tsea\t1\n", r"line 2: there is no document 'sea'"),
        ("qrels/test.tsv", "q\td\ts\n", r"test.tsv judges nothing"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(
    folder: Path, file: str, text: str | bytes, said: str
) -> None:
    (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Rejected, match=said) as error:
        judged(folder, frozenset(entry.id for entry in corpus(folder)))
    assert error.value.remedy


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(Rejected, match=rf"{file} cannot be read: No such file"):
        judged(folder, frozenset(entry.id for entry in corpus(folder)))
