"""RAFT: the passage that answers, hard distractors, a share without it, quotes that are true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import pytest
from psycopg import Connection

from tasks.datasets.raft import quotes_of
from tasks.datasets.validate import PASSAGE, QUOTE
from tasks.datasets.versions import find_version, sweep_examples
from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.upkeep.forget import forget
from tests.book import Book
from tests.datasets.conftest import Log
from tests.loopback import listening

TOPICS = ("pump", "valve", "seal", "motor", "sensor", "flange")
ALL = (
    "quality: {min_tokens: 1}\ndedupe: {near: 0}\nsplit: {train: 1.0, validation: 0.0, test: 0.0}\n"
)


@pytest.fixture
def asked(book: Book) -> Iterator[Log]:
    """A book about machines, and answered questions with the passages that were retrieved."""
    for topic in TOPICS:
        for part in ("cleaning", "storage"):
            book.write(
                f"{topic}-{part}.md",
                f"# {topic.title()} {part}\n\nNotes on {part} of a {topic} in the workshop. "
                f"The {topic} needs {part} every {len(topic) + len(part)} weeks by the {topic} "
                "crew. Keep it dry.\n",
            )
    book.ingest()
    with book.connect() as connection:
        log = Log(connection, replace(book.settings))
        for topic in TOPICS:
            log.say(f"How often does the {topic} need cleaning?", answer(log, topic))
        yield log


def answer(log: Log, topic: str) -> dict[str, Any]:
    """What was answered about a machine's cleaning, with the passages it was answered from."""
    return {
        "role": "assistant",
        "content": f"The {topic} needs cleaning every {len(topic) + 8} weeks.",
        "chunk_ids": chunks(log.connection, [f"{topic}-storage.md", f"{topic}-cleaning.md"]),
    }


def chunks(connection: Connection, paths: list[str]) -> list[int]:
    rows = connection.execute(
        "select chunk_id from analytics.chunks where path = any (%s) order by path desc", [paths]
    )
    return [row[0] for row in rows]


def parts(body: dict[str, Any]) -> tuple[list[str], str, list[str]]:
    """The documents, the answer and the quotes of an example."""
    user, assistant = (one["content"] for one in body["messages"][-2:])
    shown = dict(PASSAGE.findall(user))
    quotes = QUOTE.findall(assistant)
    assert all(quote in shown[number] for quote, number in quotes)
    return list(shown.values()), assistant, [quote for quote, _ in quotes]


def test_an_example_shows_the_oracle_among_distractors_and_quotes_it(asked: Log) -> None:
    asked.curate(ALL + "raft: {distractors: 3, without_oracle: 0}\n", kind="raft")
    bodies = asked.bodies()
    assert len(bodies) == len(TOPICS)
    for topic, body in zip(TOPICS, bodies, strict=True):
        documents, answer, quotes = parts(body)
        true = [
            one
            for one in documents
            if f"needs cleaning every {len(topic) + 8} weeks by the {topic}" in one
        ]
        assert len(true) == 1
        assert len(documents) == 4
        assert quotes
        assert all(quote in true[0] for quote in quotes)
        assert answer.endswith(f"\nThe {topic} needs cleaning every {len(topic) + 8} weeks.")
        numbers = [f"{topic} needs cleaning" in one for one in documents]
        assert sum(numbers) == 1, "no other document answers it"


def test_the_lineage_leads_to_the_chunks_that_are_shown(asked: Log) -> None:
    asked.curate(ALL, kind="raft")
    rows = asked.connection.execute(
        "select l.chunk_ids, e.body from analytics.dataset_lineage l"
        " join examples e on encode(e.sha256, 'hex') = l.sha256"
    ).fetchall()
    for chunk_ids, body in rows:
        texts = asked.connection.execute(
            "select text from analytics.chunks where chunk_id = any (%s)", [chunk_ids]
        ).fetchall()
        assert sorted(parts(json.loads(body))[0]) == sorted(row[0] for row in texts)


def test_a_share_has_no_oracle_and_then_no_quote(asked: Log) -> None:
    asked.curate(ALL + "raft: {distractors: 3, without_oracle: 1}\n", kind="raft")
    for topic, body in zip(TOPICS, asked.bodies(), strict=True):
        documents, answer, quotes = parts(body)
        assert quotes == []
        assert answer == f"The {topic} needs cleaning every {len(topic) + 8} weeks."
        assert not any(f"{topic} needs cleaning" in one for one in documents)


def test_the_same_book_and_log_give_the_same_bytes(asked: Log) -> None:
    first, again = (asked.curate(ALL, kind="raft", plan=True).decision for _ in range(2))
    assert first == again


def test_an_answer_that_no_passage_holds_is_left_out(asked: Log) -> None:
    lost = asked.say(
        "Who painted it?",
        {"role": "assistant", "content": "Vermeer did, around sixteen sixty five, in Delft.",
         "chunk_ids": chunks(asked.connection, ["pump-storage.md"])},
    )  # fmt: skip
    asked.curate(ALL, kind="raft")
    assert asked.fate(lost) == "draft: no retrieved passage holds the answer"


def test_a_corrected_answer_is_trained_on_as_it_was_corrected_or_not_at_all(asked: Log) -> None:
    for conversation in (1, 2):
        asked.judge(conversation, "thumb", -1, ordinal=2 if conversation == 1 else None)
        right = "The pump" if conversation == 1 else "The valve"
        asked.judge(
            conversation, "correction", ordinal=2,
            alternative=f"{right} wants cleaning after {conversation + 11} weeks.",
        )  # fmt: skip
    asked.curate(ALL, kind="raft")
    said = [parts(body)[1].splitlines()[-1] for body in asked.bodies()]
    assert said[:2] == [
        "The pump wants cleaning after 12 weeks.", "The valve wants cleaning after 13 weeks.",
    ]  # fmt: skip
    asked.curate(ALL.replace("min_tokens: 1", "min_tokens: 1, corrections: false"), kind="raft")
    assert [asked.fate(one) for one in (1, 2)] == ["negative feedback"] * 2
    asked.connection.execute("update feedback set alternative = '{}' where alternative is not null")
    asked.curate(ALL, kind="raft")
    assert not {1, 2} & asked.splits().keys()


def test_quotes_are_sentences_of_the_passage() -> None:
    passage = "Heat it first. The glue of v2.1 sets in nine minutes at room heat! Then wait."
    quotes = quotes_of("It sets in nine minutes.", passage)
    assert quotes == ["The glue of v2.1 sets in nine minutes at room heat!"]


@contextmanager
def model(answers: list[str | int]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A chat endpoint that gives those answers, or refuses with those statuses, in turn; its
    address and what it was asked."""
    seen: list[dict[str, Any]] = []
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                seen.append(asked)
                answer = answers[(len(seen) - 1) % len(answers)]
            if isinstance(answer, int):
                self.send_error(answer)
                return
            said = {"role": "assistant", "content": answer}
            body = json.dumps({
                "id": "x", "object": "chat.completion", "created": 0, "model": "m",
                "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
            }).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with listening(Handler) as (_, address):
        yield f"{address}/v1", seen


WRITTEN = "##begin_quote##Keep it dry.##end_quote##\n##Answer: Keep it dry."
FALSE = "##begin_quote##Keep it wet.##end_quote##\n##Answer: Keep it wet."


def test_a_model_writes_answers_once_and_false_quotes_are_left_out(asked: Log) -> None:
    spec = ALL + "raft: {answers: model, without_oracle: 0}\n"
    with model([WRITTEN, FALSE]) as (url, seen):
        asked.settings = replace(asked.settings, answer_model="m", answer_url=url)
        plan = asked.curate(spec, kind="raft", plan=True)
        assert seen == [], "a plan buys nothing"
        assert plan.as_json()["answers_to_write"] == plan.decision.examples == len(TOPICS)
        assert plan.price.usd
        assert not plan.tokens_exact
        outcome = asked.curate(spec, kind="raft")
        assert len(seen) == len(TOPICS)
        assert "Keep it dry." in seen[0]["messages"][0]["content"]
        assert asked.curate(spec, kind="raft").version == outcome.version
        assert len(seen) == len(TOPICS), "what was written is not bought again"
    assert outcome.decision.examples == len(TOPICS) // 2
    reasons = {fall.reason for fall in outcome.decision.funnel}
    assert reasons == {"draft: a quote is not in its passage"}


def test_what_was_written_before_a_refusal_is_not_bought_again(asked: Log) -> None:
    spec = ALL + "raft: {answers: model, without_oracle: 0}\n"
    with model([WRITTEN, 401]) as (url, _):
        asked.settings = replace(asked.settings, answer_model="m", answer_url=url)
        with pytest.raises(Fatal, match="OPENBOOK_ANSWER_KEY"):
            asked.curate(spec, kind="raft")
    asked.connection.rollback()
    (kept,) = asked.connection.execute("select count(*) from examples").fetchone() or ()
    assert kept > 0
    with model([WRITTEN]) as (url, seen):
        asked.settings = replace(asked.settings, answer_url=url)
        assert asked.curate(spec, kind="raft").decision.examples == len(TOPICS)
        assert len(seen) == len(TOPICS) - kept


def test_new_documents_buy_no_answer_again(asked: Log, book: Book) -> None:
    spec = ALL + "raft: {answers: model, without_oracle: 0}\n"
    with model([WRITTEN]) as (url, seen):
        asked.settings = replace(asked.settings, answer_model="m", answer_url=url)
        before = asked.curate(spec, kind="raft").decision
        for topic in TOPICS:
            book.write(f"{topic}-more.md", f"# More\n\nThe {topic} often needs cleaning too.\n")
        book.ingest()
        assert asked.curate(spec, kind="raft", plan=True).as_json()["answers_to_write"] == 0
        after = asked.curate(spec, kind="raft").decision
        assert after.examples == before.examples
        assert after.content_sha256 != before.content_sha256
        sweep_examples(asked.connection, timedelta(0))
        asked.curate(spec, kind="raft")
        assert len(seen) == len(TOPICS)
        asked.settings = replace(asked.settings, answer_model="another")
        asked.curate(spec, kind="raft")
        assert len(seen) == 2 * len(TOPICS)


def test_what_one_conversation_says_another_may_say_too(asked: Log) -> None:
    said = answer(asked, "pump")
    asked.curate(ALL, kind="raft")
    again = asked.say("How often does the pump need cleaning?", said, tags=["late"])
    late = ALL + "source: {filter: {tags: late}}\n"
    assert asked.curate(late, kind="raft").decision.examples == 1
    assert asked.fate(again) == "train"
    asked.curate(ALL, kind="raft")
    assert sorted([asked.fate(1), asked.fate(again)]) == ["exact duplicate", "train"]


def test_a_follow_up_is_trained_with_what_was_said_before(asked: Log) -> None:
    said = answer(asked, "pump")
    asked.say("I have a pump.", "Good.", "And how often?", said, tags=["late"])
    asked.curate(ALL + "source: {filter: {tags: late}}\n", kind="raft")
    (body,) = asked.bodies()
    roles = [one["role"] for one in body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    assert body["messages"][1:3] == [
        {"role": "user", "content": "I have a pump."},
        {"role": "assistant", "content": "Good.", "weight": 0},
    ]
    assert body["messages"][3]["content"].endswith("Question: And how often?")


def test_what_follows_a_corrected_answer_is_not_asked(asked: Log) -> None:
    said = answer(asked, "pump")
    late = asked.say("Is it a seal?", "Yes.", "How often does it need it?", said)
    asked.judge(late, "correction", ordinal=2, alternative="No.")
    asked.curate(ALL, kind="raft")
    assert asked.fate(late) == "it has nothing to make an example of"


def test_a_question_that_the_model_refuses_is_left_out_and_not_asked_again(asked: Log) -> None:
    spec = ALL + "raft: {answers: model, without_oracle: 0}\n"
    with model([WRITTEN, 400]) as (url, seen):
        asked.settings = replace(asked.settings, answer_model="m", answer_url=url)
        for _ in range(2):
            outcome = asked.curate(spec, kind="raft").decision
            assert len(seen) == len(TOPICS)
    assert [fall.reason for fall in outcome.funnel] == ["draft: the written answer quotes nothing"]


def test_many_questions_are_searched_beside_each_other_as_a_few_are(asked: Log) -> None:
    few = asked.curate(ALL, kind="raft", plan=True).decision
    for number in range(60):
        asked.say(f"Number {number}?", "None.")
        asked.say(
            f"Who keeps number {number}?",
            {"role": "assistant", "content": f"Vermeer keeps {number} in Delft, in a drawer.",
             "chunk_ids": chunks(asked.connection, ["pump-storage.md"])},
        )  # fmt: skip
    many = asked.curate(ALL, kind="raft", plan=True).decision
    assert (many.examples, many.content_sha256) == (few.examples, few.content_sha256)
    assert ("draft: no retrieved passage holds the answer", 60) in {
        (fall.reason, fall.examples) for fall in many.funnel
    }


def test_without_a_model_the_spec_is_refused_with_what_to_set(
    asked: Log, database: Settings
) -> None:
    with pytest.raises(Fatal, match="OPENBOOK_ANSWER_MODEL"):
        asked.curate("raft: {answers: model}\n", kind="raft")


@pytest.mark.parametrize("edited", [False, True])
def test_a_forgotten_document_leaves_the_examples_that_show_it(asked: Log, edited: bool) -> None:
    asked.curate(ALL + "raft: {distractors: 3, without_oracle: 0}\n", kind="raft")
    before = asked.bodies()
    said = "needs cleaning every 13 weeks by the valve"
    showing = [body for body in before if said in str(body)]
    assert 0 < len(showing) < len(before)
    if edited:  # and what it said before is past its time
        asked.connection.execute(
            "with d as (select id from documents where path like '%%valve-cleaning.md')"
            " delete from chunks k using versions v, d"
            " where v.document_id = d.id and k.content_id = v.content_id"
        )
    forget(asked.connection, "valve-cleaning.md")
    assert asked.bodies() == [body for body in before if said not in str(body)]
    version = find_version(asked.connection, "support@1")
    assert version["tainted_at"] is not None
    assert version["forgotten_examples"] == len(showing)
    kept = asked.connection.execute("select body from examples").fetchall()
    assert said not in str(kept)
