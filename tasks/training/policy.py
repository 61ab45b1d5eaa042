"""When a retraining is worth it, and what it may cost."""

from __future__ import annotations

from psycopg import Connection

from tasks.database import query
from tasks.training.cycles import Refused
from tasks.training.retraining import Policy, Retraining


def worth_training(
    connection: Connection,
    wanted: Retraining,
    dataset: str,
    task: str,
    trigger: tuple[bool, tuple[str, ...]],
) -> tuple[bool, tuple[str, ...]]:
    """Whether to begin a cycle now, and the sentences that decide it.

    `trigger` is what the dataset's own says of a new version: new conversations, drift of their
    feedback, age. A newest version that no cycle has used is as good a reason. Within the cooldown
    nothing is.
    """
    row = connection.execute(query("retrain_since"), {"task": task, "dataset": dataset}).fetchone()
    assert row is not None
    hours, unused = row
    if hours is not None and hours < wanted.policy.cooldown_hours:
        return False, (
            f"the last cycle ended {hours:.1f} hours ago, the cooldown is "
            f"{wanted.policy.cooldown_hours:g}",
        )
    if unused is not None:
        return True, (f"no cycle has used {dataset}@{unused} yet",)
    return trigger


def check_price(connection: Connection, policy: Policy, usd: float | None) -> None:
    """Raise Refused where a training at that price is beyond what the policy allows."""
    _check(policy.max_usd, "the most that one may", usd)
    row = connection.execute(
        "select coalesce(sum(usd), 0)::double precision from openbook.training_runs"
        " where started_at > now() - interval '30 days' and job_id is not null"
    ).fetchone()
    assert row is not None
    _check(policy.max_usd_a_month, "the most in 30 days", usd, row[0])


def _check(most: float | None, what: str, usd: float | None, spent: float = 0.0) -> None:
    if most is None or (usd is not None and usd + spent <= most):
        return
    price = "has no known price" if usd is None else f"would cost ${usd:,.2f}"
    already = f" on top of ${spent:,.2f}" if spent else ""
    raise Refused(
        f"the training {price}{already}, and {what} is ${most:,.2f}",
        "Raise the bound in the spec's policy, or train on less.",
    )
