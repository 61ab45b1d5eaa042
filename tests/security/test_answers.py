"""Who may log answers, go on with a conversation, and read what was said in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import errors

from flows.ask import answer, prepare
from tasks.answer.log import log_answer, said_before
from tasks.errors import Rejected
from tasks.evaluate.answers.examine import examine
from tasks.evaluate.golden.store import golden_set, store_golden
from tasks.records import Answer, ChatModel
from tasks.settings import Settings
from tests.evaluate.asked import answer as said
from tests.evaluate.asked import question, shown
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter, settings_of

NOWHERE = "http://127.0.0.1:9/v1"
SAID = Answer("How long is the warranty?", "Two years.", "answered", "rag")


def test_a_server_logs_answers_and_goes_on_with_what_it_is_named_alone(
    shelf: Shelf, enter: Enter
) -> None:
    session = enter("openbook_search")
    name = log_answer(session, SAID, "default", asker="ann")
    assert name is not None
    assert [turn["content"] for turn in said_before(session, name, "ann")] == [
        SAID.question, SAID.text,
    ]  # fmt: skip
    for stranger in ("ben", None):
        with pytest.raises(Rejected, match="no conversation"):
            said_before(session, name, stranger)
    with pytest.raises(errors.InsufficientPrivilege):
        session.execute("select content from messages")


def test_a_server_answers_whom_it_names_with_the_model_that_serves(
    shelf: Shelf, enter: Enter, database: Settings
) -> None:
    shelf.put("a.md", "the warranty is two years", readers=["ann"])
    shelf.connection.execute(
        "insert into chat_models (name, version, base, endpoint_url, endpoint_model, stage)"
        " values ('small', 1, 'b', 'http://127.0.0.1:9/v1', 'small', 'serving')"
    )
    session, settings = enter("openbook_search"), settings_of(enter("openbook_search"), database)
    for principals, outcome in ((["ann"], "failed"), ([], "nothing found")):
        said = answer(
            "warranty", principals=principals, settings=settings, connection=session, asker="ann"
        )
        assert (said.outcome, said.model and said.model.name) == (outcome, "small@1")
        assert said.conversation


def test_whom_a_server_answers_from_the_whole_collection_reads_his_own_documents_alone(
    shelf: Shelf, enter: Enter, database: Settings
) -> None:
    shelf.put("a.md", "the warranty is two years", readers=["ann"])
    shelf.put("b.md", "the wind is west", readers=["public"])
    session = enter("openbook_search")
    settings = replace(settings_of(session, database), answer_model="small", answer_url=NOWHERE)
    for principals, paths in ((["ann"], {"a.md", "b.md"}), ([], {"b.md"})):
        prepared = prepare(
            "warranty?", settings=settings, connection=session, principals=principals,
            strategy="long-context",
        )  # fmt: skip
        assert {hit.path for one in prepared.passages for hit in one.hits} == paths


def test_an_analyst_is_answered_and_counts_answers_but_neither_logs_nor_reads_them(
    shelf: Shelf, enter: Enter, database: Settings
) -> None:
    shelf.put("a.md", "the warranty is two years", readers=["public"])
    log_answer(shelf.connection, SAID, "default")
    session = enter("openbook_analyst")
    said = answer("warranty", settings=settings_of(session, database), connection=session)
    assert (said.outcome, said.conversation) == ("no model", None)
    counted = session.execute("select outcome, strategy from analytics.answers").fetchall()
    assert counted == [("answered", "rag")]
    (name,) = session.execute("select conversation from analytics.answers").fetchone() or ("",)
    with pytest.raises(errors.InsufficientPrivilege):
        said_before(session, name, None)


def test_an_analyst_counts_failures_and_reads_neither_answers_nor_what_they_quote(
    shelf: Shelf, enter: Enter
) -> None:
    secret = "the ransom is nine million"
    asked = question("How much?", sources=["board/secret.md"], checks=[{"contains": secret}])
    store_golden(shelf.connection, "board", [asked], collection="default")
    shelf.connection.commit()
    exam = golden_set(shelf.connection, "board")
    wrong = said("No idea.", shown("the wind is west"))
    examine(shelf.connection, exam, ChatModel("small", "small"), lambda _: wrong, strategy="rag")
    session = enter("openbook_analyst")
    row = session.execute("select question, half from analytics.answer_failures").fetchone()
    assert row == ("How much?", "retrieval")
    for column in ("answer_results.answer", "answer_scores.detail", "golden_questions.checks"):
        table, _, name = column.partition(".")
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute(f"select {name} from {table}".encode())
