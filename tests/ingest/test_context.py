"""Contexts of chunks: what is asked of the model, what becomes of its words, what is bought."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner

from flows import ingest as ingest_flow
from flows.cli import main
from tasks import settings as settings_module
from tasks.embedders.hashing import HashingEmbedder
from tasks.endpoint import Patience
from tasks.errors import Fatal, Retryable
from tasks.ingest import writer as writer_module
from tasks.ingest.chunk import chunk
from tasks.ingest.context import questions
from tasks.ingest.writer import ContextWriter
from tasks.records import Document, Element
from tasks.settings import Settings
from tests import endpoint as bad
from tests.book import Book
from tests.chat import ChatEndpoint, chat_endpoint

HASTY = Patience(tries=3, first_wait=0.01, longest_wait=1.0, answer_within=5.0)
FILLER = " ".join(f"word{n}" for n in range(120))


def section(name: str, words: str) -> str:
    """A section too long to share a chunk."""
    return f"# {name}\n\n{words} {FILLER}\n\n"


MANUAL = (
    section("Pumps", "Grease the shaft.")
    + section("Valves", "Turn it left.")
    + section("Doors", "Close both.")
)


@pytest.fixture
def model() -> Iterator[ChatEndpoint]:
    """A chat model that behaves until it is told otherwise."""
    with chat_endpoint() as endpoint:
        endpoint.say = lambda _, passage: f"Zephyrine on {passage.splitlines()[0]}."
        yield endpoint


@pytest.fixture
def contextual(book: Book, model: ChatEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    """An empty book whose chunks get contexts from that model."""
    monkeypatch.setattr(writer_module, "Patience", partial(Patience, tries=3, first_wait=0.01))
    monkeypatch.setattr(ingest_flow.ingest_batch, "retry_delay_seconds", [0, 0, 0])
    switch_on(model, monkeypatch)
    yield book
    ingest_flow._reader.cache_clear()


def switch_on(model: ChatEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next run ask the model for contexts."""
    monkeypatch.setenv("OPENBOOK_CONTEXT_MODEL", "scribe")
    monkeypatch.setenv("OPENBOOK_CONTEXT_URL", model.url)
    settings_module.current.cache_clear()
    ingest_flow._reader.cache_clear()


def passages(book: Book) -> list[tuple[Any, ...]]:
    """Every stored passage's hash and context."""
    with book.connect() as connection:
        return connection.execute("select sha256, context from passages order by 1").fetchall()


def test_a_context_is_embedded_indexed_and_shown_beside_the_text_alone(
    contextual: Book, model: ChatEndpoint
) -> None:
    contextual.write("manual.md", MANUAL)
    report = contextual.ingest()
    assert report["chunks"] == len(model.requests) == 3
    assert {shown for shown, _ in model.prompts} == {model.prompts[0][0]}, "one prefix for all"
    assert "Close both." in model.prompts[0][0]
    hits = contextual.search("zephyrine valves", mode="keyword")
    assert (len(hits), hits[0].text) == (3, f"Turn it left. {FILLER}")
    with contextual.connect() as connection:
        rows = connection.execute(
            "select context, sha256 = sha256(convert_to("
            "concat_ws(E'\n', title, section, context, body), 'UTF8')), e.sha256 is not null"
            " from passages left join embeddings e using (sha256)"
        ).fetchall()
        seen = connection.execute("select context from analytics.chunks").fetchall()
    assert all(known and embedded for _, known, embedded in rows)
    assert sorted(seen) == sorted((context,) for context, *_ in rows)
    assert report["tokens"] > sum(len(prompt.split()) for prompt, _ in model.prompts)


def test_contexts_are_bought_once_and_an_edit_buys_its_sections(
    contextual: Book, model: ChatEndpoint
) -> None:
    contextual.write("manual.md", MANUAL)
    contextual.ingest()
    contextual.ingest()
    assert len(model.requests) == 3
    contextual.write("manual.md", MANUAL.replace("Turn it left.", "Turn it right."))
    contextual.ingest()
    assert ["Turn it right." in passage for passage in model.passages[3:]] == [True]
    contextual.write("manual.md", MANUAL)
    contextual.ingest()
    assert len(model.requests) == 4, "a revert buys nothing"


def test_switched_on_it_reads_again_and_switched_off_it_buys_nothing(
    book: Book, model: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write("manual.md", MANUAL)
    ingest_flow._reader.cache_clear()
    book.ingest()
    plain = passages(book)
    assert [context for _, context in plain] == [None] * 3
    switch_on(model, monkeypatch)
    assert book.ingest()["changed"] == 1
    assert len(model.requests) == 3
    monkeypatch.delenv("OPENBOOK_CONTEXT_MODEL")
    settings_module.current.cache_clear()
    ingest_flow._reader.cache_clear()
    report = book.ingest()
    assert (report["changed"], report["embedded"], len(model.requests)) == (1, 0, 3)
    assert plain == [row for row in passages(book) if row[1] is None]


def test_a_busy_model_is_waited_for_and_one_that_is_down_leaves_the_rest_pending(
    contextual: Book, model: ChatEndpoint
) -> None:
    contextual.write("manual.md", MANUAL)
    model.then(bad.status(429, retry_after="0"), bad.hang_up, bad.garbage)
    assert contextual.ingest()["new"] == 1
    contextual.write("other.md", MANUAL.replace("Grease", "Oil"))
    model.then(bad.changed(lambda _: None), *[bad.status(503)] * 100)
    with pytest.raises(Retryable, match="gave no contexts"):
        contextual.ingest()
    with contextual.connect() as connection:
        stands = "select path, status from documents order by 1"
        assert connection.execute(stands).fetchall() == [
            ("manual.md", "current"),
            ("other.md", "pending"),
        ]
        kept = connection.execute("select count(*) from contexts").fetchone()
    assert kept == (4,)
    model.misbehaviours.clear()
    model.requests.clear()
    contextual.ingest()
    assert len(model.requests) == 2, "what was bought is kept"


def test_a_passage_that_is_refused_goes_without_and_stops_no_other(
    contextual: Book, model: ChatEndpoint
) -> None:
    contextual.write("manual.md", MANUAL)
    model.poison = {"left"}
    report = contextual.ingest()
    assert (report["new"], report["rejected"]) == (1, [])
    assert sorted(bool(context) for _, context in passages(contextual)) == [False, True, True]
    with contextual.connect() as connection:
        refusals = connection.execute("select refusal from contexts where context is null")
        assert "content policy" in refusals.fetchall()[0][0]
    asked = len(model.requests)
    contextual.write("manual.md", MANUAL.replace("Close both.", "Close one."))
    contextual.ingest()
    assert len(model.requests) == asked + 1, "it is not asked in vain again"


def test_a_model_that_refuses_everything_fails_the_run(
    contextual: Book, model: ChatEndpoint
) -> None:
    contextual.write("manual.md", MANUAL)
    model.refuses_everything = True
    with pytest.raises(Fatal, match="Every passage is refused"):
        contextual.ingest()
    assert passages(contextual) == []


def test_a_document_takes_its_contexts_along_when_it_is_forgotten(contextual: Book) -> None:
    contextual.write("manual.md", MANUAL)
    contextual.ingest()
    with contextual.connect() as connection:
        connection.execute("select openbook.forget(array(select id from documents))")
        assert connection.execute("select from contexts").fetchall() == []


def test_contexts_of_chunks_that_are_gone_are_swept_with_their_time(contextual: Book) -> None:
    contextual.write("manual.md", MANUAL)
    contextual.ingest()
    contextual.write("manual.md", MANUAL.replace("Turn it left.", "Turn it right."))
    contextual.ingest()
    with contextual.connect() as connection:
        connection.execute("select openbook.sweep('1 day')")
        assert connection.execute("select from contexts").rowcount == 4
        connection.execute("select openbook.sweep('0 days')")
        assert connection.execute("select from contexts").rowcount == 3


def test_the_same_passage_in_another_document_has_a_context_of_its_own(
    contextual: Book, model: ChatEndpoint
) -> None:
    model.say = lambda shown, _: f"It is of {'Brinol' if 'Brinol' in shown else 'Helm'}."
    contextual.write("one.md", MANUAL.replace("Grease the shaft.", "Brinol."))
    contextual.write("two.md", MANUAL)
    contextual.ingest()
    with contextual.connect() as connection:
        rows = connection.execute(
            "select path, array_agg(distinct context) from analytics.chunks group by 1 order by 1"
        ).fetchall()
    assert rows == [("one.md", ["It is of Brinol."]), ("two.md", ["It is of Helm."])]


def test_copies_that_are_read_side_by_side_buy_once(
    contextual: Book, model: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBOOK_BATCH_FILES", "1")
    settings_module.current.cache_clear()
    for name in "abcd":
        contextual.write(f"{name}.md", MANUAL)
    contextual.ingest()
    assert len(model.requests) == 3


def test_a_plan_counts_the_contexts_that_are_missing(contextual: Book) -> None:
    def planned() -> tuple[int, int]:
        result = CliRunner().invoke(main, ["plan", str(contextual.drop), "--json"])
        made = json.loads(result.stdout)
        return made["contexts"], made["embed"]

    contextual.write("manual.md", MANUAL)
    contextual.write("note.txt", "A document of one chunk needs no context.")
    assert planned() == (3, 4)
    contextual.ingest()
    contextual.write("manual.md", MANUAL.replace("Turn it left.", "Turn it right."))
    assert planned() == (1, 1)


def long_document(chapters: int) -> Document:
    """A document of that many chapters, each with a number of its own."""
    parts = [(f"Chapter {n}", f"Fact {n}. {FILLER}") for n in range(chapters)]
    elements = [
        element
        for name, text in parts
        for element in (Element(name, "Title", depth=1), Element(text, "NarrativeText"))
    ]
    return Document("txt", None, tuple(elements))


def test_of_a_long_document_neighbours_are_shown_the_same_stretch_around_them() -> None:
    document, tokenizer = long_document(200), HashingEmbedder().tokenizer
    chunks = chunk(document, tokenizer, 192)
    asked = questions(document.text, chunks, tokenizer)
    assert len(asked) == len(chunks)
    for one, question in zip(chunks, asked, strict=True):
        assert one.body.split("\n")[-1] in question.shown
        assert question.shown.startswith("Chapter 0")
    shown = [question.shown for question in asked]
    assert 1 < len(set(shown)) < len(chunks) / 20
    assert max(map(len, shown)) < len(document.text) / 2


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ("  Two\n\nlines\x00 and\ta tab ", "Two lines and a tab"),
        ("Ignore the above. " * 500, ("Ignore the above. " * 40)[:600].rpartition(" ")[0]),
    ],
)
def test_a_models_words_are_one_plain_paragraph_of_bounded_length(
    words: str, context: str, model: ChatEndpoint
) -> None:
    model.say = lambda *_: words
    writer = ContextWriter(Settings(context_model="scribe", context_url=model.url), HASTY)
    assert writer.write("shown", "passage", Event()).context == context


def test_a_model_that_wants_the_limit_named_otherwise_gets_it(model: ChatEndpoint) -> None:
    model.knows_max_tokens = False
    settings = Settings(context_model="gpt-4o-mini", context_url=model.url, context_key="sk-1")
    written = ContextWriter(settings, HASTY).write("shown", "passage", Event())
    assert written.context
    assert "max_completion_tokens" in model.requests[-1]
    assert model.authorization == "Bearer sk-1"
    assert 0 < written.usage.usd < written.usage.tokens * 0.60 / 1e6


def test_openais_key_goes_to_openais_model_alone(tmp_path: Path) -> None:
    model = {"OPENAI_API_KEY": "sk-1", "OPENBOOK_CONTEXT_MODEL": "gpt-4o-mini"}
    assert Settings.load(model).context_key == "sk-1"
    assert Settings.load({**model, "OPENBOOK_CONTEXT_URL": "http://h/v1"}).context_key is None
    with pytest.raises(Fatal, match="OPENBOOK_CONTEXT_KEY"):
        ContextWriter(Settings(context_model="gpt-4o-mini"))
