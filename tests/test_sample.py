"""The quickstart's sample: its files say what they are meant to say, and search finds it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL

from tasks.ingest.parse import HEAD_BYTES, format_of, parse
from tasks.records import Document
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.book import Book

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "deployments" / "sample"
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (SAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
FILES = sorted(
    str(path.relative_to(SAMPLE / "drop"))
    for path in (SAMPLE / "drop").rglob("*")
    if path.is_file()
)


def read(path: Path) -> Document:
    """The file as the product reads it."""
    with path.open("rb") as file:
        return parse(path, format_of(path, file.read(HEAD_BYTES)))


def flat(text: str) -> str:
    """The text with one space for each run of white space."""
    return " ".join(text.split())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
def test_an_answer_stands_where_the_question_says(question: dict[str, Any]) -> None:
    document = read(SAMPLE / "drop" / question["path"])
    section = page = None
    for element in document.elements:
        heading = element.text if element.depth else element.section
        section, page = heading or section, element.page
        if flat(question["answer"]) in flat(element.text):
            break
    else:
        pytest.fail(f"{question['path']} does not say {question['answer']!r}")
    assert question["page"] == page
    assert question["section"] in (section, None)


def test_every_file_is_asked_for() -> None:
    assert {question["path"] for question in QUESTIONS} == set(FILES)


def test_the_binary_files_say_what_their_sources_say(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build", SAMPLE / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    sys.modules["build"] = build  # where dataclasses look for their module
    spec.loader.exec_module(build)
    build.main(tmp_path)
    built = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(built) == 5
    for path in built:
        kept = SAMPLE / "drop" / path.relative_to(tmp_path)
        assert read(path).text == read(kept).text, f"run {SAMPLE / 'build.py'}"


def test_the_flywheel_goes_round_in_a_book_of_its_own(tmp_path: Path) -> None:
    theirs = {
        "OPENBOOK_DATABASE_URL": "postgresql://theirs@127.0.0.1:9/theirs",
        "OPENBOOK_EMBEDDER": "openai",
        "OPENBOOK_EMBEDDING_URL": "http://127.0.0.1:9/v1",
        "OPENBOOK_ANSWER_URL": "http://127.0.0.1:9/v1",
        "OPENBOOK_CONTEXT_MODEL": "theirs",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    lines = [f"{name}={value}" for name, value in theirs.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "OPENBOOK_HOME=mine"]))
    asked = tmp_path / "asked.jsonl"
    command = tmp_path / "openbook"  # writes down what a command would use, and fails
    command.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "from dataclasses import asdict\n"
        "from tasks.settings import current\n"
        "used = asdict(current()) | {'prefect': os.environ['PREFECT_API_URL']}\n"
        f"with open({str(asked)!r}, 'a') as file: print(json.dumps(used, default=str), file=file)\n"
        "sys.exit(1)\n"
    )
    command.chmod(0o755)
    foreign = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENBOOK_", "OPENAI_", "PREFECT_"))
    }
    flywheel = SAMPLE / "flywheel" / "flywheel.py"
    subprocess.run(
        [sys.executable, str(flywheel), str(command)],
        cwd=tmp_path,
        env={**foreign, "PYTHONPATH": str(ROOT), "OPENBOOK_SEARCH_URL": "postgresql://127.0.0.1:9"},
        capture_output=True,
        check=False,
    )
    home = tmp_path / "mine" / "flywheel"
    own = Settings(home=home, answer_model="offline", chunk_tokens=96)
    used = [json.loads(line) for line in asked.read_text().splitlines()]
    expected = json.loads(json.dumps(asdict(own) | {"prefect": ""}, default=str))
    assert used == [expected, expected]


def test_the_prepared_edit_costs_two_chunks(book: Book) -> None:
    shutil.copytree(SAMPLE / "drop", book.drop, dirs_exist_ok=True)
    first = book.ingest()
    assert (first["new"], first["rejected"]) == (len(FILES), [])
    shutil.copytree(SAMPLE / "edits", book.drop, dirs_exist_ok=True)
    second = book.ingest()
    assert (second["changed"], second["unchanged"]) == (1, len(FILES) - 1)
    assert second["embedded"] == 2
    assert second["reused"] == second["chunks"] - 2 > 10


def test_the_default_embedder_and_bm25_find_what_is_asked_for(
    database: Settings, prefect_server: None, tmp_path: Path
) -> None:
    """Identifiers and exact words by keyword, meanings by vector, nearly all by both together."""
    settings = Settings(home=tmp_path / "home", database_url=database.database_url)
    command = [sys.executable, "-m", "flows.cli", "ingest", "--json", str(SAMPLE / "drop")]
    environment = {
        **os.environ,
        "OPENBOOK_HOME": str(settings.home),
        "OPENBOOK_DATABASE_URL": str(settings.database_url),
        "OPENBOOK_EMBEDDER": settings.embedder,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
    }
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)

    def missed(mode: str, *kinds: str) -> list[str]:
        return [
            question["question"]
            for question in QUESTIONS
            if question["kind"] in kinds
            and question["path"]
            not in {
                hit.path for hit in search(question["question"], k=3, mode=mode, settings=settings)
            }
        ]

    assert missed("keyword", "identifier", "words") == []
    assert missed("dense", "meaning") == []
    assert len(missed("keyword", "meaning")) >= 5, "these questions no longer need vectors"
    assert len(missed("hybrid", "identifier", "words", "meaning")) <= 3
