"""A spec over the logged conversations: a version of a dataset, or the plan of one."""

from __future__ import annotations

from psycopg import Connection

from tasks.database import hold
from tasks.datasets.decide import decide
from tasks.datasets.example import Recipe
from tasks.datasets.price import price
from tasks.datasets.source import choose
from tasks.datasets.spec import Spec
from tasks.datasets.store import make_missing
from tasks.datasets.tokens import counter
from tasks.datasets.versions import Outcome, record
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
            # Whoever deletes conversations waits until the version that holds them stands.
            connection.execute("select pg_advisory_xact_lock_shared(hashtext('openbook.datasets'))")
            return _curate(connection, spec, settings, plan)


def _curate(connection: Connection, spec: Spec, settings: Settings, plan: bool) -> Outcome:
    recipe = Recipe.of(spec)
    choose(connection, spec.source, spec.mix.filter if spec.mix else None)
    connection.execute("analyze chosen")
    make_missing(connection, recipe, None if plan else settings, spec.quality.corrections)
    decision = decide(connection, spec, recipe, None)
    cost = price(spec, decision.splits["train"], decision.tokens)
    number, created = None, False
    if not plan:
        number, created = record(connection, spec, recipe, decision, cost)
    count = counter(spec.model)
    return Outcome(spec.name, spec.kind, number, created, decision, cost, count.name, count.exact)
