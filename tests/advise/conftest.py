"""Installations with known needs, told by rows: what there is, what was said, what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.settings import Settings
from tests.datasets.conftest import Log
from tests.retrieve.conftest import Shelf

START = datetime(2026, 1, 1, tzinfo=UTC)


class Installation:
    """A book, a log of conversations, and examinations, at a time of their own."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings
        self.shelf = Shelf(connection)
        self.log = Log(connection, settings)

    def corpus(self, documents: int, readers: Sequence[str] = ("public",)) -> None:
        """Documents of three chunks of forty words."""
        for number in range(documents):
            bodies = [self.log.text() for _ in range(3)]
            self.shelf.put(f"faq/{number}.md", *bodies, readers=list(readers))

    def history(self, days: int, changed: int) -> None:
        """A first load, and a last run so many days later that embedded so many chunks."""
        self.connection.execute(
            "update runs set outcome = 'done', started_at = %s, embedded = 1000", [START]
        )
        self.connection.execute(
            "insert into runs (source_id, started_at, outcome, embedded)"
            " select min(id), %s, 'done', %s from sources",
            [START + timedelta(days=days), changed],
        )

    def searched(self, times: int) -> None:
        """Searches of one day."""
        self.connection.execute(
            "insert into search_log (asked_at, collection, query, mode, filter, k, chunk_ids,"
            " milliseconds) select %s + n * interval '1 minute', 'default', 'fee', 'hybrid', '{}',"
            " 10, '{}', 5 from generate_series(1, %s) n",
            [START, times],
        )

    def talk(self, conversations: int, users: int = 20, approved: bool = True) -> None:
        """Good conversations of several users."""
        for number in range(conversations):
            id = self.log.grow(1, user_pseudonym=f"user-{number % users}", started_at=START)[0]
            if approved:
                self.log.judge(id, "thumb", 1, 2)

    def correct_style(self, times: int, users: int = 20) -> None:
        """Answers that said the right thing in the wrong tone."""
        for number in range(times):
            said = self.log.text(20)
            id = self.log.say(
                self.log.text(8), f"Yo! {said}", user_pseudonym=f"user-{number % users}",
                started_at=START,
            )  # fmt: skip
            self.log.judge(id, "correction", None, 2, f"Dear Sir, {said}")

    def correct_facts(self, times: int) -> None:
        """Answers that said the wrong thing, which no document corrects."""
        for number in range(times):
            id = self.log.say("What is the fee?", f"The fee is {number}1.", started_at=START)
            self.log.judge(id, "correction", None, 2, f"The fee is {number}77 ducats.")

    def answered(
        self, strategy: str, *, input_tokens: int, context_tokens: int, collection: str = "default",
        cited: bool = False,
    ) -> None:  # fmt: skip
        """An answer of `openbook answer`, of 100 tokens."""
        id = self.log.grow(1, started_at=START)[0]
        self.connection.execute(
            "update messages set input_tokens = %s, output_tokens = 100"
            " where conversation_id = %s and ordinal = 2",
            [input_tokens, id],
        )
        self.connection.execute(
            "insert into answers (conversation_id, ordinal, collection, strategy, outcome,"
            " context_tokens, cited_ids) values (%s, 2, %s, %s, 'answered', %s, %s)",
            [id, collection, strategy, context_tokens, [1] if cited else []],
        )

    def curated(self, spec: str = "") -> None:
        """A version of a dataset of all that was said."""
        self.log.curate(spec)

    def retrieval(self, recall: float, questions: int = 200) -> None:
        """An evaluation of a golden set in hybrid mode."""
        set_id = self.golden(0)
        self.connection.execute(
            "with made as (insert into evaluations (name, golden_set_id, collection, reranker,"
            " questions, evaluated_at) values ('faq', %s, 'default', 'off', %s, %s) returning id)"
            " insert into evaluation_figures (evaluation_id, mode, measure, value, low, high)"
            " select id, 'hybrid', 'recall@10', %s, %s, %s from made",
            [set_id, questions, START, recall, recall - 0.04, min(1, recall + 0.04)],
        )

    def golden(self, questions: int, name: str = "faq") -> int:
        """The golden set with so many questions; its id."""
        row = self.connection.execute(
            "insert into golden_sets (name, collection_id) select %s, id from collections"
            " where name = 'default' on conflict (name) do update set name = excluded.name"
            " returning id",
            [name],
        ).fetchone()
        assert row is not None
        self.connection.execute(
            "insert into golden_questions (golden_set_id, question) select %s, 'q' || n"
            " from generate_series(1, %s) n on conflict do nothing",
            [row[0], questions],
        )
        return int(row[0])

    def examined(
        self,
        strategy: str,
        correct: Sequence[float],
        tuned: bool = False,
        recall: float = 1.0,
        context: float | None = None,
        *,
        model: str = "model",
        stage: str = "serving",
        golden: str = "faq",
    ) -> None:
        """An examination in which the answer to each question was so far correct; search showed
        so much of the expected documents, and of each expected answer where there was one.

        With `tuned`, of what was trained upon the model, which is at that stage.
        """
        trained = None
        if tuned:
            row = self.connection.execute(
                "insert into chat_models (name, version, base, dataset_version_id, stage)"
                " select 'tuned', 1, %s, max(id), %s from dataset_versions"
                " on conflict (task, name, version) do update set stage = excluded.stage"
                " returning id",
                [model, stage],
            ).fetchone()
            assert row is not None
            trained = row[0]
        set_id = self.golden(len(correct), golden)
        row = self.connection.execute(
            "insert into answer_evaluations (golden_set_id, name, purpose, chat_model_id, model,"
            " collection, strategy, questions, started_at, finished_at)"
            " values (%s, %s, 'task', %s, %s, 'default', %s, %s, %s, %s) returning id",
            [
                set_id,
                golden,
                trained,
                "tuned@1" if tuned else model,
                strategy,
                len(correct),
                START,
                START,
            ],
        ).fetchone()
        assert row is not None
        for number, value in enumerate(correct, 1):
            self.connection.execute(
                "insert into answer_results (answer_evaluation_id, item, golden_question_id,"
                " answer) select %s, question, id, 'said' from golden_questions"
                " where question = %s and golden_set_id = %s",
                [row[0], f"q{number}", set_id],
            )
            scores = {"correct": value, "retrieval_recall": recall}
            if context is not None:
                scores["context_recall"] = context
            self.connection.execute(
                "insert into answer_scores (answer_evaluation_id, item, measure, value)"
                " select %s, %s, key, value::float8 from jsonb_each_text(%s)",
                [row[0], f"q{number}", Jsonb(scores)],
            )


@pytest.fixture
def installation(connection: Connection, database: Settings) -> Installation:
    """An installation without anything in it."""
    return Installation(connection, database)
