"""A filter over logged conversations as a condition in SQL: known names and bound values alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg.sql import SQL, Composable, Identifier, Placeholder
from psycopg.types.json import Jsonb

COLUMNS = {
    "conversation_id": "number", "external_id": "text", "format": "text", "file": "text",
    "user_pseudonym": "text", "tenant_pseudonym": "text", "model": "text", "started_at": "date",
    "ended_at": "date", "logged_at": "date", "changed_at": "date", "tags": "tags",
    "messages": "number", "user_messages": "number", "tool_calls": "number",
    "output_tokens": "number", "mean_latency_ms": "number", "answers_with_chunks": "number",
    "thumbs_up": "number", "thumbs_down": "number", "mean_score": "number",
    "corrections": "number",
}  # fmt: skip
"""The columns of analytics.conversations that a condition can name, and of what type they are."""
_FEEDBACK = {"kind": "text", "value": "number", "source": "text", "given_at": "date"}
_METADATA = "metadata."
_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_PATTERNS = {"prefix": "starts_with({}, {})", "like": "{} like {}", "ilike": "{} ilike {}"}
_DEEPEST = 48
_MOST_VALUES = 1_000
_OPERATORS = (
    "eq, ne, in, nin take values of the field's type, or null; gt, gte, lt, lte one; prefix, like, "
    "ilike a text; exists true or false. Tags take eq, ne, in, nin, exists."
)


class Refused(Exception):
    """What a filter says cannot be; `name` is the field that it says it of."""

    def __init__(self, problem: str, remedy: str, name: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.name = name


class Condition:
    """Compiles filters; `values` are those of all that it compiled, by the names of their places.

    Fields are those of `COLUMNS`, metadata.KEY, and with `feedback` also feedback, whose filter is
    over kind, value, source and given_at of one and the same judgement. What is missing is equal
    to no value, so that ne, nin and not match it.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def compile(self, filter: Mapping[str, Any], *, feedback: bool = True) -> Composable:
        """A condition on analytics.conversations v. Raises Refused for what no filter can say."""
        known = {**COLUMNS, "feedback": "feedback"} if feedback else COLUMNS
        return self._all_of(filter, "v", known, 0)

    def _all_of(self, filter: Any, of: str, known: Mapping[str, str], depth: int) -> Composable:
        if not isinstance(filter, Mapping):
            raise Refused(f"{filter!r} is not an object", 'Write {"name": value}.')
        if depth > _DEEPEST:
            raise Refused("it is nested too deep", f"Nest up to {_DEEPEST} deep.")
        parts = [self._part(name, value, of, known, depth + 1) for name, value in filter.items()]
        return SQL("({})").format(SQL(" and ").join(parts)) if parts else SQL("true")

    def _part(
        self, name: str, value: Any, of: str, known: Mapping[str, str], depth: int
    ) -> Composable:
        if name in ("and", "or"):
            if not isinstance(value, list) or not value:
                raise Refused(f"{name!r} has no list of filters", f'Write {{"{name}": [{{…}}]}}.')
            either = [self._all_of(one, of, known, depth) for one in value]
            return SQL("({})").format(SQL(f" {name} ").join(either))
        if name == "not":
            return SQL("({} is not true)").format(self._all_of(value, of, known, depth))
        if known.get(name) == "feedback":
            return SQL(
                "exists (select from openbook.feedback f"
                " where f.conversation_id = v.conversation_id and {})"
            ).format(self._all_of(value, "f", _FEEDBACK, depth))
        tests = value if isinstance(value, Mapping) else {"eq": value}
        parts = [self._test(name, sign, one, of, known) for sign, one in tests.items()]
        return SQL("({})").format(SQL(" and ").join(parts)) if parts else SQL("true")

    def _test(
        self, name: str, sign: str, value: Any, of: str, known: Mapping[str, str]
    ) -> Composable:
        if sign in ("ne", "nin"):
            inner = self._test(name, "eq" if sign == "ne" else "in", value, of, known)
            return SQL("({} is not true)").format(inner)
        tested: Composable | None
        if name.startswith(_METADATA) and known is not _FEEDBACK:
            tested = self._metadata(name.removeprefix(_METADATA), sign, value)
        elif name not in known:
            names = ", ".join([*known, *([] if known is _FEEDBACK else ["metadata.KEY"])])
            raise Refused(f"{name!r} is no field", f"There are {names}.", name)
        elif known[name] == "tags":
            tested = self._tags(sign, value)
        else:
            tested = self._column(Identifier(of, name), known[name], sign, value)
        if tested is None:
            raise Refused(f"{sign!r} of {name!r} cannot be {value!r}"[:200], _OPERATORS, name)
        return tested

    def _column(  # noqa: PLR0911
        self, column: Composable, kind: str, sign: str, value: Any
    ) -> Composable | None:
        if sign == "exists" and isinstance(value, bool):
            return SQL("({} is not null) = {}").format(column, self._bind(value))
        if sign == "eq" and value is None:
            return SQL("{} is null").format(column)
        if sign == "in" and isinstance(value, list) and len(value) <= _MOST_VALUES:
            either = [self._column(column, kind, "eq", one) for one in value]
            found = [one for one in either if one is not None]
            return (
                SQL("({})").format(SQL(" or ").join([SQL("false"), *found]))
                if (len(found) == len(either))
                else None
            )
        if sign in _PATTERNS and kind == "text" and _is_pattern(sign, value):
            return SQL(_PATTERNS[sign]).format(column, self._bind(value, "text"))
        if sign not in _SIGNS:
            return None
        if kind == "number" and _is_number(value):
            return SQL("{} {} {}").format(column, SQL(_SIGNS[sign]), self._bind(value, "numeric"))
        if kind == "text" and isinstance(value, str):
            column = column if sign == "eq" else SQL('{} collate "C"').format(column)
            return SQL("{} {} {}").format(column, SQL(_SIGNS[sign]), self._bind(value, "text"))
        moment = _moment(value) if kind == "date" else None
        if moment is not None:
            return SQL("{} {} {}").format(column, SQL(_SIGNS[sign]), self._bind(moment))
        return None

    def _tags(self, sign: str, value: Any) -> Composable | None:
        if sign == "exists" and isinstance(value, bool):
            return SQL("(cardinality(v.tags) > 0) = {}").format(self._bind(value))
        if sign == "eq" and value is None:
            return SQL("cardinality(v.tags) = 0")
        wanted = value if isinstance(value, list) else [value]
        if sign not in ("eq", "in") or not all(isinstance(one, str) for one in wanted):
            return None
        return SQL("v.tags && {}").format(self._bind(wanted, "text[]"))

    def _metadata(  # noqa: PLR0911
        self, key: str, sign: str, value: Any
    ) -> Composable | None:
        held = SQL("(v.metadata -> {})").format(self._bind(key, "text"))
        if sign == "exists" and isinstance(value, bool):
            there = SQL("(coalesce({}, 'null') <> 'null')").format(held)
            return SQL("{} = {}").format(there, self._bind(value))
        if sign == "eq" and value is None:
            return SQL("coalesce({}, 'null') = 'null'").format(held)
        if sign == "in" and isinstance(value, list) and len(value) <= _MOST_VALUES:
            either = [SQL("{} = {}").format(held, self._bind(Jsonb(one))) for one in value]
            return SQL("({})").format(SQL(" or ").join([SQL("false"), *either]))
        if sign == "eq":
            return SQL("{} = {}").format(held, self._bind(Jsonb(value)))
        if sign in _PATTERNS and _is_pattern(sign, value):
            text = SQL("({} #>> '{{}}')").format(held)
            told = SQL(_PATTERNS[sign]).format(text, self._bind(value, "text"))
            return SQL("(jsonb_typeof({}) = 'string' and {})").format(held, told)
        if sign in _SIGNS and (isinstance(value, str) or _is_number(value)):
            bound = self._bind(Jsonb(value))
            return SQL("(jsonb_typeof({0}) = jsonb_typeof({1}) and {0} {2} {1})").format(
                held, bound, SQL(_SIGNS[sign])
            )
        return None

    def _bind(self, value: Any, kind: str | None = None) -> Composable:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        cast = SQL(f"::{kind}") if kind else SQL("")
        return SQL("{}{}").format(Placeholder(name), cast)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pattern(sign: str, value: Any) -> bool:
    """Whether it is a text and, where \\ escapes, does not end in one that escapes nothing."""
    if not isinstance(value, str):
        return False
    return sign == "prefix" or (len(value) - len(value.rstrip("\\"))) % 2 == 0


def _moment(value: Any) -> datetime | None:
    """The moment that an ISO 8601 text names, in UTC if it does not say otherwise."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
