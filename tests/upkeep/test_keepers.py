"""Who ingests owns no table, and keeps the book all the same: models, indexes, retention."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tasks.upkeep.indexes import drop_model
from tasks.upkeep.sweep import expire, sweep
from tests.security.conftest import Enter, Shelf, enter, shelf  # noqa: F401

NOW = timedelta(0)


def test_a_login_that_ingests_keeps_models_and_indexes(enter: Enter, shelf: Shelf) -> None:  # noqa: F811
    shelf.put("tides.md", "The spring tide.")
    shelf.remove("tides.md")
    keeper = enter("openbook_ingest")
    keeper.execute("select openbook.add_model('two', 2, 512)")
    keeper.execute("select openbook.add_model('three', 3, 512)")
    keeper.execute("insert into embeddings select 2, sha256, '[1,0,0]' from passages")
    row = keeper.execute("select openbook.index_embeddings(2, 1)").fetchone()
    assert row == (True,)
    assert drop_model(keeper, "three") == 1
    assert sweep(keeper, NOW, NOW).versions == 1
    assert expire(keeper, NOW).documents == 1


@pytest.mark.parametrize("call", ["add_model('x', 2, 512)", "drop_model('x')", "expire()"])
def test_a_login_that_searches_keeps_nothing(call: str, enter: Enter, shelf: Shelf) -> None:  # noqa: F811
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        enter("openbook_search").execute(f"select openbook.{call}")
