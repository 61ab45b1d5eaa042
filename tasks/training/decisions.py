"""Decisions of the gate: kept as rows, told as a page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tasks.errors import Fatal
from tasks.training.gate import Judgement, Rules
from tasks.training.registry import Registered

_STORE = """
insert into openbook.gate_decisions (
    task, candidate_id, serving_id, outcome, margin, confidence, difference, low, high, items,
    minimum_detectable, reasons, figures, endpoint_model, endpoint_url)
values (
    %(task)s, %(candidate_id)s, %(serving_id)s, %(outcome)s, %(margin)s, %(confidence)s,
    %(difference)s, %(low)s, %(high)s, %(items)s, %(minimum_detectable)s, %(reasons)s, %(figures)s,
    %(endpoint_model)s, %(endpoint_url)s)
returning id
"""


def store_decision(
    connection: Connection,
    candidate: Registered,
    serving_id: int | None,
    found: Judgement,
    rules: Rules,
) -> int:
    """Keep what the gate found of a candidate; the decision's id."""
    test = found.found
    row = connection.execute(
        _STORE,
        {
            "task": candidate.task,
            "candidate_id": candidate.id,
            "serving_id": serving_id,
            "outcome": found.outcome,
            "margin": rules.margin,
            "confidence": found.confidence,
            "difference": test and test.difference,
            "low": test and test.low,
            "high": test and test.high,
            "items": test.items if test else 0,
            "minimum_detectable": test and test.minimum_detectable,
            "reasons": Jsonb([asdict(one) for one in found.conditions]),
            "figures": Jsonb(dict(found.figures)),
            "endpoint_model": candidate.endpoint_model,
            "endpoint_url": candidate.endpoint_url,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def looks(connection: Connection, candidate: Registered, serving_id: int | None) -> int:
    """How often the gate has judged the candidate against that model; None: the configured one."""
    row = connection.execute(
        "select count(*) from openbook.gate_decisions"
        " where candidate_id = %s and serving_id is not distinct from %s",
        [candidate.id, serving_id],
    ).fetchone()
    assert row is not None
    return int(row[0])


def decision(connection: Connection, id: int) -> dict[str, Any]:
    """A decision as `analytics.gate_decisions` has it, with the ids of both models.

    Raises Fatal for an unknown one.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            select v.*, d.candidate_id, d.serving_id
            from analytics.gate_decisions v
            join openbook.gate_decisions d on d.id = v.decision_id
            where v.decision_id = %s
            """,
            [id],
        ).fetchone()
    if row is None:
        raise Fatal(
            f"There is no decision {id}", "See them with: select * from analytics.gate_decisions."
        )
    return row


def approve(connection: Connection, id: int, by: str) -> None:
    """Write down who lets the candidate pass; raises Fatal where the gate does not."""
    row = decision(connection, id)
    if row["failed"]:
        raise Fatal(
            f"Decision {id} does not let {row['candidate']} pass: {', '.join(row['failed'])}",
            f"Promote it against the gate by hand: openbook promote {row['candidate']}.",
        )
    connection.execute(
        "update openbook.gate_decisions set approved_by = %s, refused_by = null where id = %s",
        [by, id],
    )


def keep_out(connection: Connection, id: int, by: str) -> None:
    """Write down who keeps the candidate out, unless it was let pass before."""
    connection.execute(
        "update openbook.gate_decisions set refused_by = %s"
        " where id = %s and approved_by is null and not promoted",
        [by, id],
    )


def report(row: dict[str, Any]) -> str:
    """The decision as a Markdown page: verdict, conditions, and the means of both by set."""
    against = row["figures"].get("against", row["serving"] or "nothing")
    verdict = "passes" if not row["failed"] else "stays out"
    lines = [
        f"# {row['candidate']} against {against}: {row['outcome']}, {verdict}",
        "",
        f"Decision {row['decision_id']}, {row['decided_at']:%Y-%m-%d %H:%M %Z}.",
        "",
        "| condition | holds | |",
        "|---|---|---|",
        *(
            f"| {one['condition']} | {'yes' if one['holds'] else '**no**'} | {_cell(one['says'])} |"
            for one in row["reasons"]
        ),
        "",
        f"| set | measure | {_cell(row['candidate'])} | {_cell(against)} | items |",
        "|---|---|--:|--:|--:|",
    ]
    for name, measures in row["figures"].get("sets", {}).items():
        lines += [
            f"| {_cell(name)} | {measure} | {_figure(one['candidate'])} | {_figure(one['other'])} "
            f"| {one['items']:,} |"
            for measure, one in measures.items()
        ]
    lines += [
        "",
        "retrieval_recall and context_recall are search's part; the other measures are the "
        "model's, given what it was shown.",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
