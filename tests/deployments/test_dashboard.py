"""The Grafana dashboard: every query runs on a filled book and gives what its panel draws."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest

from tests.retrieve.conftest import Shelf, shelf
from tests.security.conftest import Enter, enter

__all__ = ["enter", "shelf"]

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "deployments" / "dashboards" / "openbook.json").read_text("utf-8")
)
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}


def filled_in(sql: str) -> str:
    """The query as Grafana sends it: its macro and its variable replaced."""
    sql = re.sub(
        r"\$__timeFilter\(((?:[^()]|\([^()]*\))*)\)",
        r"\1 between '2020-01-01T00:00:00Z' and '2100-01-01T00:00:00Z'",
        sql,
    )
    sql = sql.replace("$source", "'shelf'")
    assert "$" not in sql
    return sql


@pytest.fixture
def busy(shelf: Shelf) -> Shelf:
    """A shelf on which everything has happened once."""
    shelf.put("a.md", "the warranty is two years", "moss", readers=["public"], format="md")
    shelf.embed()
    shelf.connection.execute(
        """
        update runs set outcome = 'done', finished_at = now(), embedded = 2, usd = 0.5, new = 1;
        insert into documents (source_id, path, status, readers, reason, remedy)
        select id, 'c.pdf', 'rejected', '{public}', 'is locked', 'Unlock it.' from sources;
        insert into search_log (login, collection, query, mode, filter, k, chunk_ids, milliseconds,
                                principals)
        values (session_user, 'default', 'moss', 'hybrid', '{}', 10, '{1}', 12, '{}');
        insert into conversations (external_id) values ('c1');
        insert into messages (conversation_id, role, content, said_at)
        select id, role, 'x', now() from conversations, unnest(array['user', 'assistant']) as role;
        insert into answers (conversation_id, ordinal, collection, strategy, outcome, retrieval_ms,
                             generation_ms)
        select id, 2, 'default', 'rag', 'answered', 10, 200 from conversations;
        insert into feedback (conversation_id, kind, value)
        select id, 'thumb', 1 from conversations;
        insert into training_runs (run_key, backend, method, dataset_sha256, base, state)
        values ('run-1', 'openai', 'sft', '', 'small', 'succeeded');
        insert into chat_models (name, version, base, stage)
        values ('support', 1, 'small', 'serving');
        insert into gate_decisions
            (task, candidate_id, outcome, promoted, margin, confidence, items)
        select 'answer', id, 'better', true, 0, 0.95, 80 from chat_models;
        insert into promotions (task, model_id, action)
        select 'answer', id, 'promote' from chat_models;
        insert into datasets (name, kind) values ('support', 'sft');
        insert into dataset_versions (dataset_id, number, spec, spec_sha256, code_version,
            content_sha256, examples, tokens, tokenizer, tokens_exact, model)
        select id, 1, '{}', '', '', '', 12, 100, 'x', true, 'small' from datasets;
        insert into evaluations (name, collection, reranker, questions)
        values ('golden', 'default', 'off', 5);
        insert into evaluation_figures (evaluation_id, mode, measure, value)
        select id, 'hybrid', 'ndcg@10', 0.7 from evaluations;
        insert into answer_evaluations
            (name, purpose, model, collection, strategy, questions, finished_at)
        values ('golden', 'task', 'support@1', 'default', 'rag', 5, now());
        insert into answer_figures (answer_evaluation_id, measure, value, low, high, items)
        select id, 'correct', 0.8, 0.6, 1.0, 5 from answer_evaluations;
        """
    )
    shelf.connection.commit()
    return shelf


def test_each_panels_query_gives_what_the_panel_draws(busy: Shelf) -> None:
    for panel in PANELS:
        (target,) = panel["targets"]
        cursor = busy.connection.execute(filled_in(target["rawSql"]))
        assert cursor.fetchall(), f"{panel['title']} shows nothing although everything happened"
        types = {
            column.name: info.name
            for column in cursor.description or ()
            if (info := psycopg.adapters.types.get(column.type_code)) is not None
        }
        assert len(types) == len(cursor.description or ()), panel["title"]
        values = types.keys() - {"time", "metric"}
        if target["format"] == "time_series":
            assert types["time"] == "timestamptz", panel["title"]
            assert values, panel["title"]
            assert {types[name] for name in values} <= NUMBERS, panel["title"]
        if panel["type"] == "stat":
            assert NUMBERS & set(types.values()), panel["title"]


def test_an_analyst_may_ask_all_of_it(busy: Shelf, enter: Enter) -> None:
    session = enter("openbook_analyst")
    for panel in PANELS:
        session.execute(filled_in(panel["targets"][0]["rawSql"]))
    assert session.execute(VARIABLES["source"]["query"]).fetchall() == [("shelf",)]


def test_panels_read_the_views_alone_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in PANELS:
        (target,) = panel["targets"]
        assert re.findall(r"from (\w+)\.", target["rawSql"]) == ["analytics"]
        assert panel["datasource"]["uid"] == target["datasource"]["uid"] == "${datasource}"
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
