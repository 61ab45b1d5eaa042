"""`openbook evaluate`: every mode is asked, the figures are kept, and nothing is bought twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import main
from flows.evaluate import evaluate
from tasks.errors import Rejected
from tests.book import Book
from tests.evaluate.conftest import folder as folder  # noqa: PLC0414  # the fixture

MODES = ("keyword", "dense", "hybrid", "hybrid+rerank")


def run(*arguments: str) -> Any:
    """The JSON of a call of `openbook evaluate` that succeeds."""
    result = CliRunner().invoke(main, ["evaluate", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def embedded(book: Book) -> list[int]:
    """The texts that each run bought, in their order."""
    with book.connect() as connection:
        return [one for (one,) in connection.execute("select embedded from runs order by id")]


def test_a_test_collection_is_asked_in_every_mode(book: Book, folder: Path) -> None:
    report = run(str(folder))
    assert report["questions"] == 2
    for mode in MODES:
        figures = report["modes"][mode]
        assert figures["ndcg@10"] == figures["recall@100"] == figures["success@1"] == 1
        assert figures["intervals"]["mrr"] == [1, 1]
        assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p95"]
    assert {(one["mode"], one["other"]) for one in report["comparisons"]} >= {
        ("hybrid", "keyword"),
        ("hybrid", "dense"),
        ("hybrid+rerank", "hybrid"),
    }


def test_a_table_of_all_modes_fits_eighty_columns(
    book: Book, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(main, ["evaluate", str(folder)]).output
    assert all(mode in shown.splitlines()[1] for mode in MODES)
    assert "recall@100" in shown
    assert "…" not in shown


def test_a_second_evaluation_embeds_only_what_changed(book: Book, folder: Path) -> None:
    evaluate(folder=str(folder))
    evaluate(folder=str(folder))
    assert embedded(book) == [3, 0]
    corpus = folder / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("steady", "steadily"))
    evaluate(folder=str(folder))
    assert embedded(book) == [3, 0, 1]


def test_what_left_the_collection_is_no_longer_found(book: Book, folder: Path) -> None:
    evaluate(folder=str(folder))
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:2]))
    (folder / "qrels" / "test.tsv").write_text("q1\ttides\t1\n")
    evaluate(folder=str(folder))
    with book.connect() as connection:
        found = connection.execute(
            "select path from search('ERR-1042', mode => 'keyword', collection => 'evaluate:small')"
        ).fetchall()
    assert found == []


def test_a_test_collection_shows_neither_in_searches_nor_among_the_folders(
    book: Book, folder: Path
) -> None:
    book.write("note.md", "The spring tide is high.\n")
    book.ingest()
    evaluate(folder=str(folder))
    assert [hit.path for hit in book.search("spring tide")] == ["note.md"]
    listed = CliRunner().invoke(main, ["sources", "--json"])
    assert [source["root"] for source in json.loads(listed.stdout)] == [str(book.drop)]


def test_the_language_is_found_by_its_words(book: Book, folder: Path) -> None:
    (folder / "corpus.jsonl").write_text(
        json.dumps({"_id": "pump", "text": "Die Pumpen und die Ventile sind nicht für das Wasser."})
        + "\n"
    )
    (folder / "queries.jsonl").write_text('{"_id": "q2", "text": "Pumpe"}\n')
    (folder / "qrels" / "test.tsv").write_text("q2\tpump\t1\n")
    assert evaluate(folder=str(folder))["modes"]["keyword"]["ndcg@10"] == 1


def test_a_question_can_be_asked_within_a_part(book: Book, folder: Path) -> None:
    rows = [
        {"_id": f"{part}{n}", "text": f"tide {n}", "metadata": {"part": part}}
        for part in "ab"
        for n in range(3)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(
        '{"_id": "q", "text": "tide 1", "metadata": {"part": "b"}}\n'
    )
    (folder / "qrels" / "test.tsv").write_text("q\tb1\t1\n")
    report = evaluate(folder=str(folder), within="part")
    assert all(report["modes"][mode]["success@1"] == 1 for mode in MODES)


def test_a_golden_set_is_stored_asked_and_followed_over_time(book: Book, tmp_path: Path) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    book.write("wind.md", "# Wind\n\nThe trade wind blows steady.\n")
    book.ingest()
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        '{"question": "trade wind", "path": "wind.md"}\n'
        '{"question": "spring tide", "path": "tides.md", "grade": 2}\n'
        '{"question": "spring tide", "path": "moon.md"}\n'
    )
    report = run("--golden", "sea", "--questions", str(questions))
    assert report["modes"]["keyword"]["recall@10"] == 0.75
    questions.write_text('{"question": "trade wind", "path": "wind.md"}\n')
    assert run("--golden", "sea", "--questions", str(questions))["questions"] == 1
    with book.connect() as connection:
        rows = connection.execute(
            "select mode, value, change from analytics.golden_results"
            " where name = 'sea' and is_golden_set and measure = 'recall@10' and mode = 'keyword'"
            " order by evaluated_at"
        ).fetchall()
    assert rows == [("keyword", 0.75, None), ("keyword", 1, 0.25)]


def test_a_golden_set_that_is_not_there_is_named(book: Book) -> None:
    with pytest.raises(Rejected, match="no golden set 'sea'"):
        evaluate(golden="sea")


@pytest.mark.parametrize(
    "line", ["{", '{"question": "a"}', '{"question": "a", "path": "b", "grade": -1}']
)
def test_a_line_of_questions_that_cannot_be_used_is_named(
    book: Book, tmp_path: Path, line: str
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "a", "path": "b"}\n' + line)
    result = CliRunner().invoke(main, ["evaluate", "--golden", "sea", "--questions", str(file)])
    assert result.exit_code == 1
    assert "questions.jsonl, line 2: it " in result.stderr


def test_a_bad_collection_is_an_error_and_not_a_crash(book: Book, folder: Path) -> None:
    (folder / "qrels" / "test.tsv").unlink()
    result = CliRunner().invoke(main, ["evaluate", str(folder), "--json"])
    assert result.exit_code == 1
    assert "qrels/test.tsv cannot be read" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("arguments", [[], ["here", "--golden", "sea"], ["--questions", "x"]])
def test_one_thing_is_evaluated_at_a_time(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["evaluate", *arguments]).exit_code == 2
