"""A spec over the logged conversations: a version of a dataset, or the plan of one."""

from __future__ import annotations

import time
from itertools import pairwise

from psycopg import Connection

from tasks.database import hold
from tasks.datasets.decide import decide
from tasks.datasets.example import Draft, Recipe
from tasks.datasets.preference import preference_drafts
from tasks.datasets.price import price
from tasks.datasets.raft import questions, raft_draft
from tasks.datasets.source import choose
from tasks.datasets.spec import Spec
from tasks.datasets.store import keep_conversations, known_states, make_missing, store_drafts
from tasks.datasets.tokens import counter
from tasks.datasets.versions import Outcome, keep_splits, record
from tasks.datasets.write import write_answers
from tasks.errors import Retryable
from tasks.settings import Settings


def curate(
    connection: Connection, spec: Spec, settings: Settings, *, plan: bool = False
) -> Outcome:
    """Make a version of the spec's dataset; with `plan`, say what it would be and write nothing.

    Where the newest version is what would be made, that one is returned. The connection is not in
    autocommit mode. Raises Rejected for a source that cannot be used, Retryable while the dataset
    is being made elsewhere.
    """
    with hold(connection, "curate", spec.name) as held:
        if not held:
            raise Retryable(f"{spec.name} is being curated elsewhere", "Wait until that ends.")
        with connection.transaction(force_rollback=plan):
            connection.execute("set local work_mem = '64MB'")
            connection.execute("set local default_statistics_target = 10")
            keep_conversations(connection)
            return _curate(connection, spec, settings, plan)


def _curate(connection: Connection, spec: Spec, settings: Settings, plan: bool) -> Outcome:
    recipe = Recipe.of(spec)
    keep_splits(connection, spec)
    clock = [time.perf_counter()]
    choose(connection, spec)
    connection.execute("analyze chosen")
    clock.append(time.perf_counter())
    drafts: list[Draft] | None = None
    if spec.kind == "sft":
        make_missing(connection, recipe, None if plan else settings, spec.quality.corrections)
    elif spec.kind == "preference":
        drafts = preference_drafts(connection)
        store_drafts(connection, recipe, drafts)
    else:
        drafts = _raft_drafts(connection, spec, recipe, settings, plan)
    clock.append(time.perf_counter())
    decision = decide(connection, spec, recipe, drafts)
    clock.append(time.perf_counter())
    cost = price(spec, decision.splits["train"], decision.tokens)
    number, created = None, False
    if not plan:
        number, created = record(connection, spec, recipe, decision, cost)
    clock.append(time.perf_counter())
    steps = zip(("choose", "make", "decide", "record"), pairwise(clock), strict=True)
    seconds = {step: end - start for step, (start, end) in steps}
    count = counter(spec.model)
    return Outcome(
        spec.name, spec.kind, number, created, decision, cost, count.name, count.exact, seconds
    )


def _raft_drafts(
    connection: Connection, spec: Spec, recipe: Recipe, settings: Settings, plan: bool
) -> list[Draft]:
    """The drafts of all questions, made and kept; for a plan no answer is bought."""
    asked = list(questions(connection, spec, settings))
    if spec.raft.answers == "log":
        drafts = [raft_draft(one, spec.raft, None) for one in asked]
        store_drafts(connection, recipe, drafts)
        return drafts
    drafts = [raft_draft(one, spec.raft, _unwritten) for one in asked]
    if not plan:
        known = known_states(connection, recipe, [draft.state for draft in drafts])
        pairs = zip(asked, drafts, strict=True)
        write_answers(
            settings, recipe, spec.raft, [one for one, draft in pairs if draft.state not in known]
        )
    return drafts


def _unwritten(_question: str, _passage: str) -> str:
    """Stands for an answer where the draft's state alone is asked for."""
    return ""
