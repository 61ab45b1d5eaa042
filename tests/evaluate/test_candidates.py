"""Golden questions out of conversations, and what becomes of them when these are forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import Connection

from flows.cli import main
from tasks import settings as settings_module
from tasks.database import query
from tasks.evaluate.answers.examine import examine
from tasks.evaluate.exam import Question
from tasks.evaluate.golden.candidates import candidates
from tasks.evaluate.golden.store import golden_set, store_golden
from tasks.records import ChatModel
from tasks.settings import Settings
from tests.datasets.conftest import Log
from tests.evaluate.asked import answer
from tests.retrieve.conftest import Shelf, shelf

__all__ = ["shelf"]

MODEL = ChatModel("small", "small-1")


@pytest.fixture
def log(connection: Connection, database: Settings) -> Log:
    """A log of conversations."""
    return Log(connection, database)


def proposed(log: Log) -> dict[str, Question]:
    """The candidates for the set `support`, by question."""
    found = candidates(log.connection, "support", lambda texts: texts)
    return {question.text: question for question in found}


def test_corrections_and_liked_answers_are_proposed_with_what_was_right(log: Log) -> None:
    corrected = log.say("How long?", "12 months.")
    log.judge(corrected, "correction", ordinal=2, alternative="24 months.")
    liked = log.say("How heavy?", "142 kg.")
    log.judge(liked, "thumb", 1)
    found = proposed(log)
    assert found["How long?"].expected_answer == "24 months."
    assert found["How long?"].tags == ("corrected",)
    assert found["How heavy?"].expected_answer == "142 kg."
    assert (found["How heavy?"].tags, found["How heavy?"].conversation_id) == (("liked",), liked)


def test_what_was_disliked_or_not_judged_is_not_proposed(log: Log) -> None:
    log.say("Nobody said?", "A word.")
    disliked = log.say("Good?", "No.")
    log.judge(disliked, "thumb", 1)
    log.judge(disliked, "thumb", -1)
    assert proposed(log) == {}


def test_only_what_a_conversation_begins_with_stands_alone(log: Log) -> None:
    followed = log.say("First?", "One.", "And then?", "Two.")
    log.judge(followed, "correction", ordinal=4, alternative="Three.")
    assert proposed(log) == {}


def test_a_question_is_proposed_once(log: Log) -> None:
    for _ in range(2):
        log.judge(log.say("How long?", "24 months."), "thumb", 1)
    store_golden(log.connection, "support", list(proposed(log).values()))
    assert proposed(log) == {}


def test_a_liked_answers_citations_name_the_documents(log: Log, shelf: Shelf) -> None:
    shelf.put("a.md", "It lasts 24 months.", readers=["public"])
    shelf.put("b.md", "Something else.", readers=["public"])
    placed = shelf.connection.execute(
        "select d.path, k.id from chunks k join versions v on v.content_id = k.content_id"
        " join documents d on d.version_id = v.id"
    )
    chunks = dict(placed.fetchall())
    liked = log.say("How long?", "24 months [1].")
    log.judge(liked, "thumb", 1)
    log.connection.execute(
        "insert into answers (conversation_id, ordinal, collection, strategy, outcome, cited_ids)"
        " values (%s, 2, 'default', 'rag', 'answered', %s)",
        [liked, [chunks["a.md"]]],
    )
    assert proposed(log)["How long?"].grades == {"a.md": 1}


def test_a_golden_question_and_its_answers_go_with_the_conversation(log: Log) -> None:
    log.judge(log.say("the zebra question?", "the zebra answer"), "thumb", 1)
    log.grow(30)
    store_golden(log.connection, "support", list(proposed(log).values()))
    log.curate()
    examine(
        log.connection,
        golden_set(log.connection, "support"),
        MODEL,
        lambda _: answer("the zebra answer"),
        strategy="none",
    )
    before = log.connection.execute("select count(*) from conversations").fetchone()
    log.connection.execute(
        "select forget_conversations(array[conversation_id], 'conversation') from golden_questions"
    )
    tables = log.connection.execute(
        "select relname from pg_class where relnamespace = 'openbook'::regnamespace"
        " and relkind = 'r'"
    ).fetchall()
    for (table,) in tables:
        rows = log.connection.execute(f"select t::text from openbook.{table} t".encode()).fetchall()
        assert "zebra" not in str(rows), table
    assert log.connection.execute("select count(*) + 1 from conversations").fetchone() == before


def test_no_dataset_trains_on_an_expected_answer(log: Log) -> None:
    said = "The seal is replaced together with both of its faces and never alone."
    store_golden(
        log.connection,
        "support",
        [Question("What about the seal?", {}, expected_answer=said)],
    )
    log.grow(20)
    leaked = log.say("Something else entirely about pumps and their parts?", said)
    log.curate("decontaminate: {golden: true}")
    fate = log.connection.execute(
        "select step, reason from dataset_exclusions where conversation_id = %s", [leaked]
    ).fetchall()
    assert fate == [("decontamination", "shares words with a golden question")]


def test_candidates_are_written_redacted_for_a_person_to_review(
    log: Log, database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.judge(log.say("I am ann@example.com. How long?", "24 months."), "thumb", 1)
    log.connection.commit()
    monkeypatch.setenv("OPENBOOK_DATABASE_URL", str(database.database_url))
    monkeypatch.setenv("OPENBOOK_HOME", str(database.home))
    settings_module.current.cache_clear()
    file = tmp_path / "review.yaml"
    command = ["golden", "from-conversations", "--set", "support"]
    try:
        result = CliRunner().invoke(main, [*command, "--to", str(file), "--json"])
        assert json.loads(result.stdout)["questions"] == 1
        assert "question: I am [EMAIL_1]. How long?" in file.read_text()
        imported = CliRunner().invoke(main, ["golden", "import", str(file), "--set", "support"])
        assert imported.exit_code == 0, imported.output
        again = CliRunner().invoke(main, [*command, "--accept", "--json"])
        assert json.loads(again.stdout)["questions"] == 0
        assert CliRunner().invoke(main, [*command, "--accept", "--to", "x"]).exit_code == 2
    finally:
        settings_module.current.cache_clear()
    assert golden_set(log.connection, "support").questions[0].conversation_id is not None
    assert log.connection.execute(query("golden_sets")).rowcount == 1
