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
from tasks.datasets.write import bought_answers, write_answers, written_key
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
    lacking = 0
    if spec.kind == "sft":
        make_missing(connection, recipe, None if plan else settings, spec.quality.corrections)
    elif spec.kind == "preference":
        drafts = preference_drafts(connection)
        store_drafts(connection, recipe, drafts)
    else:
        drafts, lacking = _raft_drafts(connection, spec, recipe, settings, plan)
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
    exact = count.exact and not (plan and lacking)
    return Outcome(
        spec.name, spec.kind, number, created, decision, cost, count.name, exact, seconds, lacking
    )


def _raft_drafts(
    connection: Connection, spec: Spec, recipe: Recipe, settings: Settings, plan: bool
) -> tuple[list[Draft], int]:
    """The drafts of all questions, made and kept, and how many answers were lacking.

    A plan buys none: logged answers stand for them.
    """
    asked = list(questions(connection, spec, settings))
    if spec.raft.answers == "log":
        drafts = [raft_draft(one, spec.raft) for one in asked]
        store_drafts(connection, recipe, drafts)
        return drafts, 0
    writer = settings.answer_model or ""
    keys = [written_key(settings, one) for one in asked]
    bought = bought_answers(connection, keys)
    drafts = [raft_draft(one, spec.raft, writer=writer) for one in asked]
    known = known_states(connection, recipe, drafts)
    lacking = {
        key: one
        for key, one, draft in zip(keys, asked, drafts, strict=True)
        if one.answerable
        and key not in bought
        and (draft.conversation_id, draft.state) not in known
    }
    if lacking and not plan:
        write_answers(settings, lacking)
        bought = bought_answers(connection, keys)
    drafts = [
        raft_draft(one, spec.raft, bought.get(key), writer)
        for key, one in zip(keys, asked, strict=True)
    ]
    store_drafts(connection, recipe, drafts)
    return drafts, len(lacking)
