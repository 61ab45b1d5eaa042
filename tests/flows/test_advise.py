"""The advice by hand, as a flow, and as the page that a person opens."""

from __future__ import annotations

import json

from click.testing import CliRunner

from flows.cli import main
from tests.advise.conftest import Installation
from tests.book import Book
from tests.flows.test_curate import artifact


def test_the_advice_is_printed_and_kept_as_a_page(book: Book) -> None:
    empty = CliRunner().invoke(main, ["advise", "--collection", "nothing"])
    assert empty.exit_code == 0, empty.output
    assert "nothing to judge by" in empty.output
    with book.connect() as connection:
        there = Installation(connection, book.settings)
        there.corpus(4)
        there.history(days=60, changed=0)
        there.searched(20)
        there.retrieval(0.95)
    printed = CliRunner().invoke(main, ["advise", "--json", "--assume", "window=100000"])
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout)["recommendation"] == "long-context"
    page = artifact("advise-answer-default")
    assert "**long-context**" in page
    assert "data:image/svg+xml;base64," in page
    for_people = CliRunner().invoke(main, ["advise", "--assume", "window=10"])
    assert for_people.output.startswith("rag · confidence")
    wrong = CliRunner().invoke(main, ["advise", "--assume", "?"])
    assert wrong.exit_code == 1
