"""Filters mean what a plain reading of them says, and nothing in them becomes SQL."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import InvalidParameterValue
from psycopg.types.json import Jsonb

from tests.retrieve.conftest import Shelf

DOCUMENTS: dict[str, dict[str, Any]] = {
    "hr/leave.md": {"author": "Ann", "year": 2021, "tags": ["a", "b"], "draft": False},
    "hr/pay.md": {"author": "Bob", "year": 2023.5, "tags": ["b"], "draft": True},
    "it/vpn.txt": {"author": "Ann", "year": "2022", "tags": []},
    "it/50%_off.txt": {"author": None, "year": 2022, "tags": "a"},
    "notes.txt": {},
}
FORMATS = {path: path.rpartition(".")[2] for path in DOCUMENTS}
TITLES = {"hr/leave.md": "Leave", "it/vpn.txt": "VPN"}


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


def value_of(path: str, name: str) -> Any:
    own = {"path": path, "source": "shelf", "format": FORMATS[path], "title": TITLES.get(path)}
    return own[name] if name in own else DOCUMENTS[path].get(name)


def same(value: Any, given: Any) -> bool:
    return (type(value) is type(given) and value == given) or (
        {type(value), type(given)} == {int, float} and value == given
    )


def equal(value: Any, given: Any) -> bool:
    return same(value, given) or (isinstance(value, list) and any(same(v, given) for v in value))


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(value: Any, given: Any) -> bool:
        if isinstance(value, str) and isinstance(given, str):
            return compare(value.encode(), given.encode())
        numbers = not isinstance(value, bool) and isinstance(value, int | float)
        return numbers and isinstance(given, int | float) and compare(value, given)

    return test


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "ne": lambda value, given: not equal(value, given),
    "in": lambda value, given: any(equal(value, each) for each in given),
    "nin": lambda value, given: not any(equal(value, each) for each in given),
    "gt": ordered(lambda a, b: a > b),
    "gte": ordered(lambda a, b: a >= b),
    "lt": ordered(lambda a, b: a < b),
    "lte": ordered(lambda a, b: a <= b),
    "exists": lambda value, given: (value is not None) == given,
    "prefix": lambda value, given: isinstance(value, str) and value.startswith(given),
    "like": lambda value, given: (
        isinstance(value, str)
        and fnmatch.fnmatchcase(value, given.replace("%", "*").replace("_", "?"))
    ),
    "ilike": lambda value, given: (
        isinstance(value, str) and OPERATORS["like"](value.lower(), given.lower())
    ),
}


def matches(path: str, filter: Mapping[str, Any]) -> bool:
    def holds(name: str, value: Any) -> bool:
        if name == "and":
            return all(matches(path, each) for each in value)
        if name == "or":
            return any(matches(path, each) for each in value)
        if name == "not":
            return not matches(path, value)
        operators = value if isinstance(value, dict) else {"eq": value}
        return all(OPERATORS[op](value_of(path, name), given) for op, given in operators.items())

    return all(holds(name, value) for name, value in filter.items())


texts = st.sampled_from(["a", "b", "Ann", "2022", "hr/", "it/vpn.txt", "txt", "md", "VPN", "shelf"])
scalars = st.one_of(texts, st.sampled_from([2021, 2022, 2023.5, 0]), st.booleans(), st.none())


def operators(values: st.SearchStrategy[Any], ordered: st.SearchStrategy[Any]) -> Any:
    return st.dictionaries(
        st.sampled_from(sorted(OPERATORS)), st.none(), min_size=1, max_size=2
    ).flatmap(
        lambda chosen: st.fixed_dictionaries(
            {
                name: st.lists(values, max_size=3)
                if name in ("in", "nin")
                else st.booleans()
                if name == "exists"
                else st.sampled_from(["hr/", "A", "it/%", "%.txt", "_nn", "notes.txt"])
                if name in ("prefix", "like", "ilike")
                else values
                if name in ("eq", "ne")
                else ordered
                for name in chosen
            }
        )
    )


own = st.sampled_from(["path", "source", "format", "title"])
keys = st.sampled_from(["author", "year", "tags", "draft", "absent"])
own_values = st.one_of(texts, st.none())
ordered_values = st.one_of(texts, st.sampled_from([2021, 2022, 2023.5]))
leaves = st.one_of(
    st.dictionaries(own, st.one_of(own_values, operators(own_values, texts)), max_size=2),
    st.dictionaries(keys, st.one_of(scalars, operators(scalars, ordered_values)), max_size=2),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.dictionaries(
            st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3), max_size=2
        ),
    ),
    max_leaves=4,
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(filter=filters)
def test_a_filter_admits_what_its_plain_reading_admits(library: Shelf, filter: Any) -> None:
    if not library.current():
        pytest.fail("the library is empty")
    expected = {path for path in DOCUMENTS if matches(path, filter)}
    assert set(library.paths("words", mode="keyword", filter=filter)) == expected


HOSTILE = [
    "x'; drop table documents; --",
    "') or true or ('",
    "$1",
    "%s",
    "author}",
    '{"$gt": ""}',
    "\\",
    "'||pg_sleep(9)||'",
    "n.metadata",
    "x" * 5000,
    "é\u2028🜁",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_values_stay_names_and_values(library: Shelf, text: str) -> None:
    library.put("odd.txt", "words of an odd one", metadata={text: text})
    assert library.paths("words", mode="keyword", filter={text: text}) == ["odd.txt"]
    assert library.paths("words", mode="keyword", filter={"author": text}) == []
    assert library.paths("words", mode="keyword", filter={"path": {"prefix": text}}) == []
    others = library.paths("words", mode="keyword", filter={text: {"exists": False}})
    assert sorted(others) == sorted(DOCUMENTS)


@pytest.mark.parametrize(
    ("filter", "complaint"),
    [
        ([], "is not an object"),
        ("x", "is not an object"),
        ({"author": {"equals": "Ann"}}, '"equals" of "author" is no operator'),
        ({"author": ["Ann"]}, '"eq" of "author" cannot be \\["Ann"\\]'),
        ({"author": {"in": "Ann"}}, '"in" of "author" has no list'),
        ({"or": []}, '"or" has no list of filters'),
        ({"not": ["x"]}, "is not an object"),
        ({"path": 7}, '"eq" of "path" cannot be 7'),
        ({"path": {"gt": 7}}, '"gt" of "path" cannot be 7'),
        ({"path": {"like": "x\\"}}, '"like" of "path" cannot be'),
        ({"year": {"exists": 1}}, '"exists" of "year" cannot be 1'),
        ({"author": {"in": list(range(1001))}}, "too long"),
        (json.loads('{"not":' * 50 + "{}" + "}" * 50), "nested too deep"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_with_a_lesson(
    shelf: Shelf, filter: Any, complaint: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=complaint) as refused:
        shelf.search("x", mode="keyword", filter=Jsonb(filter))
    assert refused.value.diag.message_hint
