"""Whether a new version of a dataset is worth making, and why or why not."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import dict_row

from tasks.database import query
from tasks.datasets.source import choose
from tasks.datasets.spec import Spec


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision with the sentences that led to it, each with its figures."""

    due: bool
    reasons: tuple[str, ...]


def due(connection: Connection, spec: Spec) -> Verdict:
    """Apply the spec's trigger to the conversations logged since the newest version.

    Cooldown comes first; then any of enough new conversations, a large share of negative feedback
    since, or age (if there is anything new) is enough. The first version is due when there are
    conversations at all.
    """
    policy = spec.trigger
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=dict_row) as one,
    ):
        looked_at = choose(connection, spec)
        row = one.execute(query("curate_since"), {"name": spec.name}).fetchone()
    assert row is not None
    if row["version"] is None:
        return Verdict(
            looked_at > 0, (f"there is no version yet, and {looked_at:,} conversations to look at",)
        )
    hours, new, judged = row["age_hours"], row["new"], row["judged"]
    share = row["negative"] / judged if judged else 0.0
    if hours < policy.cooldown_hours:
        return Verdict(
            False,
            (
                f"version {row['version']} is {hours:.1f} hours old, its cooldown is "
                f"{policy.cooldown_hours:g}",
            ),
        )
    tests = (
        (
            new >= policy.new_examples,
            f"{new:,} new or changed conversations, {policy.new_examples:,} are enough",
        ),
        (
            judged > 0 and share >= policy.negative_share,
            f"{share:.0%} of {judged:,} judgements since are negative, {policy.negative_share:.0%} "
            "are enough",
        ),
        (
            hours / 24 >= policy.max_age_days and new > 0,
            f"version {row['version']} is {hours / 24:.1f} days old, {policy.max_age_days:g} are "
            f"enough where there is anything new ({new:,})",
        ),
    )
    met = tuple(sentence for holds, sentence in tests if holds)
    return Verdict(bool(met), met or tuple(f"not due: {sentence}" for _, sentence in tests))
