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
    """Apply the spec's trigger to what was stored since the newest version.

    Cooldown comes first; then any of enough new conversations, a large share of negative feedback
    among enough of it, or age (if there is anything new) is enough. A conversation is new where the
    version did not look at it, or where what an example of the kind is made of changed: its
    messages, its corrections, for pairs also other answers and thumbs. The first version is due
    when there are conversations at all.
    """
    policy = spec.trigger
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=dict_row) as one,
    ):
        looked_at = choose(connection, spec)
        given = {"name": spec.name, "made_of": _made_of(spec)}
        row = one.execute(query("curate_since"), given).fetchone()
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
            judged >= policy.min_judgements and share >= policy.negative_share,
            f"{share:.0%} of {judged:,} judgements since are negative, {policy.negative_share:.0%} "
            f"of {policy.min_judgements:,} or more are enough",
        ),
        (
            hours / 24 >= policy.max_age_days and new > 0,
            f"version {row['version']} is {hours / 24:.1f} days old, {policy.max_age_days:g} are "
            f"enough where there is anything new ({new:,})",
        ),
    )
    met = tuple(sentence for holds, sentence in tests if holds)
    return Verdict(bool(met), met or tuple(f"not due: {sentence}" for _, sentence in tests))


def _made_of(spec: Spec) -> list[str]:
    """The kinds of feedback that change the examples there are, and not their standing alone."""
    if spec.kind == "preference":
        return ["correction", "regeneration", "thumb"]
    return ["correction"] if spec.quality.corrections else []
