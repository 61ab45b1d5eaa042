"""Versions of datasets: written once, found by name, explained, compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from datetime import timedelta
from importlib.metadata import version as installed
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.datasets.decide import Decision, Fall, golden_recipe
from tasks.datasets.example import EXAMPLE_VERSION, Recipe
from tasks.datasets.price import Price
from tasks.datasets.spec import Spec, Split
from tasks.datasets.tokens import counter
from tasks.errors import Rejected

_SHA = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What curating a spec gave. `version` is None for a plan; `created` is False where the newest
    version already is what would be made. `seconds` is what each step took. `lacking` answers were
    bought, or would be: a plan counts the logged ones instead."""

    dataset: str
    kind: str
    version: int | None
    created: bool
    decision: Decision
    price: Price
    tokenizer: str
    tokens_exact: bool
    seconds: Mapping[str, float]
    lacking: int = 0

    def as_json(self) -> dict[str, Any]:
        """The outcome for programs; `tokens` and `usd` are of the training split."""
        decision = self.decision
        return {
            "dataset": self.dataset,
            "kind": self.kind,
            "version": self.version,
            "created": self.created,
            "content_sha256": decision.content_sha256.hex(),
            "examples": decision.examples,
            "splits": decision.splits,
            "golden": len(decision.golden),
            "conversations": decision.conversations,
            "sources": [asdict(source) for source in decision.sources],
            "funnel": [asdict(fall) for fall in decision.funnel],
            "tokens": decision.tokens,
            "tokenizer": self.tokenizer,
            "tokens_exact": self.tokens_exact,
            "epochs": self.price.epochs,
            "usd": self.price.usd,
            "price_as_of": self.price.as_of,
            "answers_to_write": self.lacking if self.version is None else 0,
        }


def keep_splits(connection: Connection, spec: Spec) -> None:
    """Raises Rejected where the spec's splits could let train what its newest version holds out.

    A group's place from 0 to 1 is a hash of the key and its name: test has the places below its
    share, validation the next. Held-out groups stay so while the key does and neither bound falls.
    """
    row = connection.execute(query("version_split"), {"name": spec.name}).fetchone()
    if row is None:
        return
    number, before, now = row[0], Split(**row[1]), spec.split
    bounds = ((now.test, before.test),
              (now.test + now.validation, before.test + before.validation))  # fmt: skip
    if now.key != before.key or any(is_now < was - 1e-9 for is_now, was in bounds):
        raise Rejected(
            f"version {number} of {spec.name} holds out what this spec's split would train on",
            f"Write split: {{train: {before.train:g}, validation: {before.validation:g}, test: "
            f"{before.test:g}, key: {before.key}}}, hold out more, or give the dataset another "
            "name.",
        )


def record(
    connection: Connection, spec: Spec, recipe: Recipe, decision: Decision, cost: Price
) -> tuple[int, bool]:
    """Write the version that `curated` holds; its number, and whether it is a new one."""
    given = {"name": spec.name, "kind": spec.kind, "content_sha256": decision.content_sha256,
             "spec_sha256": spec.sha256}  # fmt: skip
    row = connection.execute(
        "insert into openbook.datasets (name, kind) values (%(name)s, %(kind)s)"
        " on conflict (name) do update set name = excluded.name returning kind",
        given,
    ).fetchone()
    if row is not None and row[0] != spec.kind:
        raise Rejected(
            f"the dataset {spec.name} is of kind {row[0]}, its spec says {spec.kind}",
            "Give the other kind another name.",
        )
    same = connection.execute(query("version_same"), given).fetchone()
    if same is not None:
        return int(same[1]), False
    statistics = connection.execute(query("version_statistics")).fetchone()
    count = counter(spec.model)
    made = connection.execute(
        query("version_insert"),
        {
            **given,
            "spec": Jsonb(spec.as_json()),
            "code_version": f"{installed('openbook')}+examples.{EXAMPLE_VERSION}",
            "examples": decision.examples,
            "tokens": decision.tokens,
            "tokenizer": count.name,
            "tokens_exact": count.exact,
            "model": spec.model,
            "epochs": cost.epochs,
            "usd": cost.usd,
            "price_as_of": cost.as_of,
            "statistics": Jsonb(statistics[0] if statistics else {}),
        },
    ).fetchone()
    assert made is not None
    version_id, number = made
    of_version = {"version": version_id, "golden": golden_recipe(recipe),
                  "questions": list(decision.golden)}  # fmt: skip
    connection.execute(query("version_examples"), of_version)
    connection.execute(query("version_exclusions"), of_version)
    _record_funnel(connection, version_id, decision)
    return int(number), True


def _record_funnel(connection: Connection, version_id: int, decision: Decision) -> None:
    lines = [
        *decision.sources,
        *decision.funnel,
        Fall("kept", "examples of the version", decision.examples),
    ]
    if decision.golden:
        lines.append(Fall("golden", "questions, which never train", len(decision.golden)))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into openbook.dataset_funnel values (%s, %s, %s, %s, %s)",
            [(version_id, place, *astuple(line)) for place, line in enumerate(lines, 1)],
        )


def find_version(connection: Connection, name: str) -> dict[str, Any]:
    """The version that `NAME` (its newest) or `NAME@NUMBER` stands for, as a row.

    Raises Rejected where there is none, naming what there is.
    """
    dataset, _, number = name.partition("@")
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("versions"), {"name": dataset}).fetchall()
    if number:
        rows = [row for row in rows if str(row["version"]) == number]
    if not rows:
        known = connection.execute("select name from openbook.datasets order by 1").fetchall()
        raise Rejected(
            f"there is no dataset {name}",
            f"There are: {', '.join(row[0] for row in known) or 'none yet; see openbook curate'}.",
        )
    return rows[0]


def versions(connection: Connection) -> list[dict[str, Any]]:
    """Every version of every dataset, the newest of each first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("versions"), {"name": None}).fetchall()


def describe(connection: Connection, name: str) -> dict[str, Any]:
    """A version with its funnel, its spec and its exports."""
    row = find_version(connection, name)
    with connection.cursor(row_factory=dict_row) as cursor:
        funnel = cursor.execute(
            "select step, reason, examples from openbook.dataset_funnel"
            " where version_id = %s order by ordinal",
            [row["version_id"]],
        ).fetchall()
        exports = cursor.execute(
            "select folder, host, exported_at, stale_at from openbook.dataset_exports"
            " where version_id = %s order by exported_at",
            [row["version_id"]],
        ).fetchall()
    return {**row, "funnel": funnel, "exports": exports}


def compare(connection: Connection, one: str, other: str) -> dict[str, Any]:
    """What the other version has more and less of, what moved, and where the specs differ."""
    first, second = find_version(connection, one), find_version(connection, other)
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            query("version_diff"), {"one": first["version_id"], "other": second["version_id"]}
        ).fetchone()
    assert row is not None
    return {
        "from": f"{first['dataset']}@{first['version']}",
        "to": f"{second['dataset']}@{second['version']}",
        **row,
        "tokens": second["tokens"] - first["tokens"],
        "spec": _differences(first["spec"], second["spec"]),
    }


def _differences(one: Any, other: Any, path: str = "") -> list[dict[str, Any]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = sorted(one.keys() | other.keys())
        return [
            each
            for key in keys
            for each in _differences(
                one.get(key), other.get(key), f"{path}.{key}" if path else str(key)
            )
        ]
    return [] if one == other else [{"field": path, "from": one, "to": other}]


def explain(connection: Connection, what: str) -> list[dict[str, Any]]:
    """What became of an example (the beginning of its hash) or of a conversation, by version.

    A conversation is named by its id or by the id that its source gives it. Raises Rejected for
    what no version has looked at.
    """
    given = {
        "id": int(what) if what.isascii() and what.isdigit() and len(what) < 19 else None,
        "external": what,
        "from_sha": bytes.fromhex(what[: len(what) // 2 * 2]) if _SHA.fullmatch(what) else None,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("version_why"), given).fetchall()
    if not rows:
        raise Rejected(
            f"no version has looked at {what}",
            "Give a conversation's id, the id that its source gives it, or 8 or more digits of an "
            "example's sha256.",
        )
    return rows


def sweep_examples(connection: Connection, retention: timedelta) -> int:
    """Remove the examples that are older than that and in no version; how many."""
    row = connection.execute("select openbook.sweep_examples(%s)", [retention]).fetchone()
    assert row is not None
    return int(row[0])
