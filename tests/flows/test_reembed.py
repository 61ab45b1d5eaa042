"""A second embedding model: bought once beside the first, then one switch."""

from __future__ import annotations

import pytest

from flows.reembed import reembed
from tasks import settings as settings_module
from tasks.errors import Fatal
from tasks.upkeep.models import activate
from tests.book import Book

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
