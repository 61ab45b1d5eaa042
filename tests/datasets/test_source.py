"""A spec's source: filters and predicates choose conversations, and nothing in them becomes SQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tasks.datasets.read_spec import parse_spec
from tasks.datasets.source import choose
from tasks.datasets.spec import Mix, Source, Spec
from tasks.errors import Rejected
from tests.datasets.conftest import Log
from tests.retrieve.test_predicate import ATTACKS


@pytest.fixture
def shop(log: Log) -> Log:
    """Three conversations: a, b of model m, c with a thumb, a score and a correction."""
    for name, day, metadata in (
        ("a", "2026-02-01", {"plan": "pro"}),
        ("b", "2026-02-02", {"plan": None, "seats": 4}),
        ("c", "2026-02-03", {}),
    ):
        said = log.say("How much?", "Forty.", external_id=name, tags=[name, "shop"],
                       model="m" if name == "b" else None, started_at=day)  # fmt: skip
        log.connection.execute(
            "update conversations set metadata = %s where id = %s", [Jsonb(metadata), said]
        )
    log.judge(said, "thumb", 1)
    log.judge(said, "score", 0.75, ordinal=2)
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    log.connection.execute("update conversations set tags = '{}' where external_id = 'c'")
    log.connection.commit()
    return log


def chosen(log: Log, source: Source, general: dict[str, Any] | None = None) -> str:
    """The names of the conversations that are chosen, those of the mix in capitals."""
    with log.connection.transaction(force_rollback=True):
        mix = None if general is None else Mix(general, 0.5)
        choose(log.connection, Spec("support", "sft", source=source, mix=mix))
        rows = log.connection.execute(
            "select case when s.general then upper(c.external_id) else c.external_id end"
            " from chosen s join conversations c on c.id = s.conversation_id order by 1"
        ).fetchall()
    return "".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{}", "abc"),
        ("{filter: {tags: a}}", "a"),
        ("{filter: {tags: [a, b]}}", "ab"),
        ("{filter: {tags: {nin: [a, b]}}}", "c"),
        ("{filter: {tags: null}}", "c"),
        ("{filter: {not: {tags: shop}}}", "c"),
        ("{filter: {model: m, started_at: {gte: 2026-01-01}}}", "b"),
        ("{filter: {started_at: {lt: '2026-02-02T01:00+02:00'}}}", "a"),
        ("{filter: {model: {exists: false}}}", "ac"),
        ("{filter: {model: {ne: m}}}", "ac"),
        ("{filter: {or: [{external_id: c}, {external_id: {prefix: a}}]}}", "ac"),
        ("{filter: {conversation_id: {gt: 1, lte: 2}}}", "b"),
        ("{filter: {metadata.plan: pro}}", "a"),
        ("{filter: {metadata.plan: null}}", "bc"),
        ("{filter: {metadata.seats: {gte: 4}}}", "b"),
        ("{filter: {metadata.seats: {gte: '3'}}}", ""),
        ("{filter: {feedback: {kind: thumb, value: {gt: 0}}}}", "c"),
        ("{filter: {feedback: {kind: thumb, value: 0.75}}}", ""),
        ("{where: \"model = 'm' or external_id in ('c')\"}", "bc"),
        ("{where: thumbs_up > 0 and corrections = 1 and mean_score >= 0.7}", "c"),
        ("{where: started_at between '2026-02-01' and '2026-02-02' and messages = 2}", "ab"),
        ("{where: \"tags = 'shop' and not tags in ('a')\"}", "b"),
        ("{where: '\"metadata.plan\" is null or \"metadata.plan\" like ''p%'''}", "abc"),
        ("{where: external_id not ilike 'A%'}", "bc"),
        ("{filter: {tags: [b, c]}, where: thumbs_up = 0}", "b"),
    ],
)
def test_the_source_chooses_conversations(shop: Log, text: str, names: str) -> None:
    spec = parse_spec(f"name: support\nkind: sft\nsource: {text}\n")
    assert chosen(shop, spec.source) == names


def test_the_mix_adds_general_conversations(shop: Log) -> None:
    assert chosen(shop, Source({"tags": "a"}), {"tags": "shop"}) == "Ba"


def test_a_value_is_never_sql(shop: Log) -> None:
    for value in ("a' or true --", "a\\' or true --", "%s", "%(x)s", "$1", "{}"):
        assert chosen(shop, Source({"external_id": value, "metadata." + value: value})) == ""
        quoted = value.replace("'", "''")
        assert chosen(shop, Source(where=f"external_id = '{quoted}'")) == ""


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source({"colour": "red"}), "source.filter: 'colour' is no field"),
        (Source({"c.id": 1}), "is no field"),
        (Source({"model": {"~": "x"}}), "'~' of 'model' cannot be 'x'"),
        (Source({"model": {"gt": [1]}}), "cannot be"),
        (Source({"model": 7}), "'eq' of 'model' cannot be 7"),
        (Source({"thumbs_up": "many"}), "cannot be 'many'"),
        (Source({"started_at": {"gt": "soon"}}), "cannot be 'soon'"),
        (Source({"external_id": {"like": "x\\"}}), "cannot be"),
        (Source({"model": {"in": ["m"] * 1001}}), "cannot be"),
        (Source({"or": []}), "'or' has no list"),
        (Source({"feedback": {"model": "m"}}), "'model' is no field"),
        (Source({"not": 1}), "is not an object"),
        (Source(where="model = 'm' and colour = 1"), "source.where: at character 17, 'colour' is"),
        (Source(where="model = 7"), "source.where: at character 1, 'eq' of 'model' cannot be 7"),
        (Source(where="feedback = 1"), "at character 1, 'feedback' is no field"),
        (Source(where="true); drop table openbook.messages; --"), "at character 1, true"),
        (Source(where="setval('feedback_id_seq', 9) > 0"), r"at character 7, \( is no comparison"),
    ],
)
def test_what_cannot_be_is_refused(shop: Log, source: Source, says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        chosen(shop, source)
    assert refused.value.remedy


def test_what_is_not_in_the_grammar_is_refused_with_its_place(log: Log) -> None:
    for attack in ATTACKS:
        with pytest.raises(Rejected, match=r"^source.where: at (character \d+|its end), "):
            chosen(log, Source(where=attack))


def test_what_is_wanting_names_the_fields_of_conversations(log: Log) -> None:
    with pytest.raises(Rejected) as refused:
        chosen(log, Source(where="thumbs_up > 0 and"))
    assert "thumbs_up, thumbs_down" in refused.value.remedy
    assert "title" not in refused.value.remedy


VALUES = {
    "model": st.sampled_from(["m", "x", None]),
    "thumbs_up": st.sampled_from([0, 1]),
    "mean_score": st.sampled_from([0.75, None]),
    "tags": st.sampled_from(["a", "shop"]),
    "metadata.seats": st.sampled_from([4, "4", None]),
    "started_at": st.sampled_from(["2026-02-02", None]),
}
tests = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.builds(
        lambda sign, value: {name: {sign: value}}, st.sampled_from(["eq", "ne"]), VALUES[name]
    )
)
filters = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(
            lambda junction, some: {junction: some},
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=5,
)


@given(filters)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_not_chooses_exactly_the_rest(shop: Log, filter: dict[str, Any]) -> None:
    there, rest = chosen(shop, Source(filter)), chosen(shop, Source({"not": filter}))
    assert sorted(there + rest) == ["a", "b", "c"]
