"""Predicates mean what the filters mean that they stand for, and nothing in them becomes SQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import InvalidParameterValue

from tests.retrieve.conftest import Shelf
from tests.retrieve.test_filters import DOCUMENTS, FORMATS, TITLES, filters


def tree(shelf: Shelf, predicate: str) -> Any:
    row = shelf.connection.execute("select openbook.predicate_filter(%s)", [predicate]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("predicate", "filter"),
    [
        ("", {}),
        ("format = 'pdf'", {"format": {"eq": "pdf"}}),
        ("Format<>'pdf'", {"format": {"ne": "pdf"}}),
        ("\"Document type\" != 'a'", {"Document type": {"ne": "a"}}),
        ('"say ""hi""" = \'it\'\'s\'', {'say "hi"': {"eq": "it's"}}),
        ("year >= 2024", {"year": {"gte": 2024}}),
        ("year<-1.5e1", {"year": {"lt": -15}}),
        ("draft = true", {"draft": {"eq": True}}),
        ("author in ('Ann', 'Bob')", {"author": {"in": ["Ann", "Bob"]}}),
        ("year NOT IN (1, 2)", {"not": {"year": {"in": [1, 2]}}}),
        ("path like 'policies/%'", {"path": {"like": "policies/%"}}),
        ("path not ilike '%.TMP'", {"not": {"path": {"ilike": "%.TMP"}}}),
        ("title is null", {"title": {"eq": None}}),
        ("title is not null", {"title": {"exists": True}}),
        (
            "year between 1 and 3 and a = 1",
            {"and": [{"year": {"gte": 1, "lte": 3}}, {"a": {"eq": 1}}]},
        ),
        ("year not between 1 and 3", {"not": {"year": {"gte": 1, "lte": 3}}}),
        (
            "a = 1 or b = 2 and not c = 3",
            {"or": [{"a": {"eq": 1}}, {"and": [{"b": {"eq": 2}}, {"not": {"c": {"eq": 3}}}]}]},
        ),
        (
            "(a = 1 or b = 2)\n and c = 3",
            {"and": [{"or": [{"a": {"eq": 1}}, {"b": {"eq": 2}}]}, {"c": {"eq": 3}}]},
        ),
        ("modified >= '2026-01-01'", {"modified": {"gte": "2026-01-01"}}),
        ("é = '\u2028'", {"é": {"eq": "\u2028"}}),
    ],
)
def test_a_predicate_is_a_filter(shelf: Shelf, predicate: str, filter: Any) -> None:
    assert tree(shelf, predicate) == filter


ATTACKS = [
    "1 = 1",
    "true",
    "format = 'pdf' or true",
    "format = 'pdf' or 1 = 1 --",
    "format = 'pdf'; drop table documents",
    "format = 'pdf' -- x",
    "format = 'pdf' /* x */",
    "format = 'pdf' union select 1",
    "format = (select 'pdf')",
    "format in (select path from documents)",
    "exists (select 1)",
    "pg_sleep(10)",
    "format = pg_sleep(10)",
    "format = format",
    "d.path = 'x'",
    "openbook.documents = 'x'",
    "format = 'pdf'::text",
    "format::text = 'pdf'",
    "format = $1",
    "format = $$pdf$$",
    "format = E'\\x41'",
    "format = U&'\\0041'",
    "format = 'pdf' || 'x'",
    "format || 'x' = 'pdf'",
    "format ~ '.*'",
    "format = any ('{}')",
    "format similar to 'x'",
    "case when true then 1 end = 1",
    "format = 'pdf' group by 1",
    "format = 'pdf' limit 1",
    "format = null",
    "format = 'pdf",
    'format" = 1',
    '"" = 1',
    "format = 'pdf')",
    "(format = 'pdf'",
    "format = 'pdf' format = 'x'",
    "year + 1 = 2",
    "coalesce(format, 'x') = 'x'",
    "metadata -> 'a' = 1",
    "metadata['a'] = 1",
    "not",
    "and format = 'pdf'",
    "format in ()",
    "format in ('a',)",
    "year between 1",
    "is null",
    '"or" = 1',
    "format collate \"C\" = 'x'",
    "current_user = 'x'",
    "@@version = 1",
    "format = 'pdf' and",
    "\\",
    '{"a": 1}',
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_in_the_grammar_is_refused_with_its_place(shelf: Shelf, attack: str) -> None:
    if attack == "current_user = 'x'":  # a name like any other: the key of that name
        assert tree(shelf, attack) == {"current_user": {"eq": "x"}}
        return
    with pytest.raises(
        InvalidParameterValue, match=r"^predicate: at (character \d+|its end), "
    ) as e:
        shelf.search("x", mode="keyword", predicate=attack)
    assert e.value.diag.message_hint


def test_the_place_is_counted_in_characters(shelf: Shelf) -> None:
    with pytest.raises(InvalidParameterValue, match="at character 23, select is no value"):
        tree(shelf, "é = 'ü'  and  format =select")


@pytest.mark.parametrize(
    ("predicate", "complaint"),
    [
        ("(" * 400 + "a = 1" + ")" * 400, "nested too deep"),
        ("not " * 400 + "a = 1", "nested too deep"),
        ("a = '" + "x" * 10_000 + "'", "too long"),
        (f"a in ({', '.join(map(str, range(1001)))})", "too long"),
        ("path = 7", '"eq" of "path" cannot be 7'),
        ("path like 'x\\'", '"like" of "path" cannot be'),
        ("modified > 'soon'", '"soon" of "modified" is no date'),
        ("modified like '2026-01-01'", '"like" of "modified" cannot be'),
    ],
)
def test_what_cannot_be_is_refused(shelf: Shelf, predicate: str, complaint: str) -> None:
    with pytest.raises(InvalidParameterValue, match=complaint):
        shelf.search("x", mode="keyword", predicate=predicate)


def test_fifteen_parentheses_are_read(shelf: Shelf) -> None:
    deep = "a = 1"
    for number in range(15):
        deep = f"(b = {number} or c = 2 and {deep})"
    shelf.put("a.txt", "words")
    shelf.search("words", mode="keyword", predicate=deep)


def written(filter: Any) -> str:
    """The filter as a predicate."""

    def value(given: Any) -> str:
        if isinstance(given, str):
            return "'" + given.replace("'", "''") + "'"
        return str(given).lower()

    def test(name: str, operator: str, given: Any) -> str:
        name = '"' + name + '"'
        if operator in ("in", "nin"):
            some = [test(name[1:-1], "eq", each) for each in given] or ["(a = 1 and not a = 1)"]
            return f"{'not ' if operator == 'nin' else ''}({' or '.join(some)})"
        if operator == "exists":
            return f"{name} is {'not ' if given else ''}null"
        if given is None:
            return f"{name} is {'not ' if operator == 'ne' else ''}null"
        if operator == "prefix":
            given, operator = given.replace("%", "\\%").replace("_", "\\_") + "%", "like"
        signs = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        return f"{name} {signs.get(operator, operator)} {value(given)}"

    parts = []
    for name, asked in filter.items():
        if name in ("and", "or"):
            parts.append("(" + f" {name} ".join(written(each) for each in asked) + ")")
        elif name == "not":
            parts.append("not " + written(asked))
        else:
            operators = asked if isinstance(asked, dict) else {"eq": asked}
            parts.extend(test(name, *each) for each in operators.items())
    return "(" + " and ".join(parts or ["(a = 1 or not a = 1)"]) + ")"


@pytest.fixture
def library(shelf: Shelf) -> Shelf:
    for path, metadata in DOCUMENTS.items():
        shelf.put(
            path,
            f"words of {path}",
            format=FORMATS[path],
            title=TITLES.get(path),
            metadata=metadata,
        )
    return shelf


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(filter=filters)
def test_a_predicate_admits_what_its_filter_admits(library: Shelf, filter: Any) -> None:
    by_filter = library.paths("words", mode="keyword", filter=filter)
    assert library.paths("words", mode="keyword", predicate=written(filter)) == by_filter


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(predicate=st.text(st.sampled_from("ab =<>()',\"12.-;%nortidlk\\$é\n"), max_size=40))
def test_any_text_is_read_or_refused(shelf: Shelf, predicate: str) -> None:
    try:
        tree(shelf, predicate)
    except InvalidParameterValue as refused:
        assert refused.diag.message_hint


def test_dates_of_a_document_can_be_compared(library: Shelf) -> None:
    library.connection.execute(
        "update documents set mtime_ns = extract(epoch from moment) * 1e9"
        " from (values ('hr/leave.md', timestamptz '2025-12-31 23:59:59.5+00'),"
        "              ('hr/pay.md', timestamptz '2026-01-01 00:00+00')) m (path, moment)"
        " where documents.path = m.path"
    )
    library.connection.execute("set timezone = 'Asia/Tokyo'")
    for predicate, paths in [
        ("modified >= '2026-01-01'", ["hr/pay.md"]),
        ("modified < '2026-01-01'", ["hr/leave.md"]),
        ("modified = '2026-01-01T01:00+01:00'", ["hr/pay.md"]),
        ("modified between '2025-12-31' and '2026-01-01'", ["hr/leave.md", "hr/pay.md"]),
        ("modified is not null", ["hr/leave.md", "hr/pay.md"]),
        (
            "modified is null and published > '2026-01-01'",
            ["it/50%_off.txt", "it/vpn.txt", "notes.txt"],
        ),
        ("published > '2999-01-01'", []),
    ]:
        assert sorted(library.paths("words", mode="keyword", predicate=predicate)) == paths
