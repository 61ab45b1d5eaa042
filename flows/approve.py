"""A person says whether a candidate that passed the gate comes to serve."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from prefect import flow, suspend_flow_run
from prefect.input import RunInput

from tasks.database import connect
from tasks.settings import current
from tasks.training.decisions import approve as let_pass
from tasks.training.decisions import decision, keep_out, report


class Approval(RunInput):
    """Whether the candidate comes to serve."""

    promote: bool
    by: str = "who resumed the run"


@flow(name="approve", flow_run_name="approve decision {decision_id}", persist_result=True)
def approve(decision_id: int) -> dict[str, Any]:
    """Ask by a form, and write the answer down; the cycle goes by it when it is carried on.

    The run is suspended until the form is answered: no process, lock or connection waits. What
    was decided otherwise meanwhile stays.

    Args:
        decision_id: The decision of the gate that the form shows.
    """
    with closing(connect(current(), autocommit=True)) as connection:
        row = decision(connection, decision_id)
        if is_open(row):
            form = Approval.with_initial_data(description=report(row), promote=False)
    if not is_open(row):
        return said(row)
    answer = suspend_flow_run(wait_for_input=form, key=f"decision-{decision_id}")
    with closing(connect(current(), autocommit=True)) as connection:
        row = decision(connection, decision_id)
        if is_open(row):
            (let_pass if answer.promote else keep_out)(connection, decision_id, answer.by)
        return said(decision(connection, decision_id))


def is_open(row: dict[str, Any]) -> bool:
    """Whether nobody has answered to the decision yet."""
    return not (row["promoted"] or row["approved_by"] or row["refused_by"])


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What was said to the decision."""
    names = ("decision_id", "candidate", "approved_by", "refused_by", "promoted")
    return {name: row[name] for name in names}
