"""A second embedding model: bought once beside the first, then one switch."""

from __future__ import annotations

import pytest

from flows.reembed import reembed
from tasks import settings as settings_module
from tasks.errors import Fatal
from tasks.ingest import embed
from tasks.ingest.status import status
from tasks.upkeep.models import activate
from tests.book import Book
from tests.endpoint import KEY, echo_key, embedding_endpoint, encoded

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)


def test_search_keeps_the_first_model_until_the_second_covers_everything(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    monkeypatch.setenv("OPENBOOK_EMBEDDER", "minilm")
    settings_module.current.cache_clear()
    outcome = reembed()
    assert (outcome["model"], outcome["embedded"], outcome["lacking"]) == (
        "all-MiniLM-L6-v2-int8",
        2,
        0,
    )
    assert book.search("spring tide", mode="dense")[0].text.startswith("The spring tide")
    assert reembed()["embedded"] == 0

    with book.connect() as connection:
        activate(connection, "all-MiniLM-L6-v2-int8")
    with pytest.raises(Fatal, match="all-MiniLM-L6-v2-int8"):
        book.search("gusts", mode="dense")
    book.settings = settings_module.current()
    assert book.search("gusts", mode="dense")[0].text == "The trade wind blows steady."


def test_what_it_cost_is_kept_and_told_with_all_other_costs(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    with embedding_endpoint() as endpoint:
        monkeypatch.setenv("OPENBOOK_EMBEDDER", "openai")
        monkeypatch.setenv("OPENBOOK_EMBEDDING_URL", endpoint.url)
        monkeypatch.setenv("OPENBOOK_EMBEDDING_KEY", KEY)
        settings_module.current.cache_clear()
        outcome = reembed()
    assert outcome["usd"] == pytest.approx(outcome["tokens"] * 0.02 / 1e6)
    assert outcome["usd"] > 0
    with book.connect() as connection:
        by_day = connection.execute(
            "select model, runs, embedded, tokens, usd::float8 from analytics.cost_by_day"
            " where source is null"
        ).fetchall()
        vital = connection.execute(
            "select value from analytics.vitals where name = 'usd'"
            " and labels ->> 'for' = 'reembedding'"
        ).fetchall()
        assert status(connection)["usd"]["reembedding"] == pytest.approx(outcome["usd"])
    spent = pytest.approx(outcome["usd"])
    assert by_day == [("text-embedding-3-small", 1, 2, outcome["tokens"], spent)]
    assert vital == [(spent,)]


def test_what_a_batch_cost_that_failed_half_way_is_kept(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    monkeypatch.setattr(embed, "_SLICE", 1)
    with embedding_endpoint() as endpoint:
        monkeypatch.setenv("OPENBOOK_EMBEDDER", "openai")
        monkeypatch.setenv("OPENBOOK_EMBEDDING_URL", endpoint.url)
        monkeypatch.setenv("OPENBOOK_EMBEDDING_KEY", KEY)
        settings_module.current.cache_clear()
        endpoint.then(lambda handler, right: handler.answer(200, encoded(right)), echo_key)
        with pytest.raises(Fatal):
            reembed()
    with book.connect() as connection:
        row = connection.execute("select tokens > 0, usd > 0 from reembeddings").fetchone()
    assert row == (True, True)
