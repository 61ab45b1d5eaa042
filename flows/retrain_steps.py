"""The steps of a cycle of retraining: each joins the stages, and moves the cycle on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from psycopg import Connection

from flows.examine import examine_once, examined
from flows.retrain_train import take_in, train
from tasks.answer.offline import OFFLINE
from tasks.datasets.curate import curate as make_version
from tasks.datasets.overlap import trained_on
from tasks.datasets.read_spec import read_spec
from tasks.datasets.versions import find_version
from tasks.errors import Fatal, Rejected, Retryable
from tasks.settings import Settings
from tasks.training.backend import Method
from tasks.training.cycles import Cycle, Step, Waiting, advance, finish
from tasks.training.decisions import decision, looks, store_decision
from tasks.training.examinations import Examination
from tasks.training.gate import Standing, judge
from tasks.training.registry import (
    Registered,
    learned,
    model_of,
    place,
    promote,
    retire,
    serving,
    serving_model,
)
from tasks.training.runs import (
    plan_run,
    same_training,
)

_CHANGED = "a model, its place or a golden set is another since: what changed is examined first"


def curate(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Make the dataset's version; what was trained on it so before is the candidate already."""
    wanted = cycle.wanted
    spec = read_spec(Path(wanted.dataset))
    outcome = make_version(connection, spec, settings)
    called = f"{spec.name}@{outcome.version}"
    version = find_version(connection, called)
    method: Method = "dpo" if spec.kind == "preference" else "sft"
    made = f"{called}: {version['splits'].get('train', 0):,} examples to train on"
    ids = {"dataset_version_id": version["version_id"]}
    known = same_training(connection, wanted, method, version["content_sha256"])
    if known is None:
        run = plan_run(connection, wanted, method, version["version_id"], version["content_sha256"])
        if run.state != "planned":
            made += f"; training {run.id}, which an earlier cycle began, is carried on"
        advance(connection, cycle, "train", made, training_run_id=run.id, **ids)
        return
    model = model_of(connection, known)
    made += f"; {model.called} was trained so before"
    if model.stage == "serving":
        finish(connection, advance(connection, cycle, "judge", made, **ids), "unchanged",
               f"{model.called} serves already")  # fmt: skip
    else:
        advance(connection, cycle, "evaluate", made, candidate_id=known, **ids)


def evaluate(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Ask every golden set of the candidate, and of what answers now."""
    candidate = _served(connection, _candidate(connection, cycle))
    if candidate.endpoint_model is None:
        raise Waiting(
            f"{candidate.called} is served by nobody yet: give {candidate.artifact} to a server, "
            f"then: openbook models register {candidate.called} --model NAME --url URL"
        )
    # Each is reached when its turn comes: the small model's server has one adapter at a time.
    models = [candidate.chat_model(settings), serving_model(connection, settings, cycle.task)]
    for model in models:
        for golden in cycle.wanted.golden if model else ():
            assert model is not None
            examine_once(connection, settings, model, golden, cycle.id)
    against = "nothing" if models[1] is None else models[1].name
    advance(connection, cycle, "judge", f"{candidate.called} and {against} were examined")
    connection.commit()


def _served(connection: Connection, candidate: Registered) -> Registered:
    """The candidate where it can be asked: upon a packaged base, the small model's own server."""
    from tasks.training.local.base import PACKAGED
    from tasks.training.local.export_gguf import export_gguf

    made_here = candidate.artifact is not None and candidate.host == socket.gethostname()
    if candidate.endpoint_model is not None or candidate.base not in PACKAGED or not made_here:
        return candidate
    assert candidate.artifact is not None
    folder = Path(candidate.artifact)
    file = export_gguf(folder, folder.with_name("adapter.gguf"))
    return place(connection, candidate, str(file), OFFLINE)


def weigh(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Let the gate judge, and keep what it found."""
    candidate, wanted = _candidate(connection, cycle), cycle.wanted
    present = serving(connection, cycle.task)
    sides = _examined(connection, settings, cycle, candidate)
    if sides is None:
        advance(connection, cycle, "evaluate", _CHANGED)
        return
    ours, theirs = sides
    items = list(dict.fromkeys(item for one in ours for item in one.scores))
    held = [trained_on(connection, one, items) for one in learned(connection, candidate)]
    standing = Standing(
        tainted_at=candidate.tainted_at,
        retires_on=candidate.retires_on,
        overlap=None
        if candidate.dataset_version_id is None
        else [item for item in items if any(item in one for one in held)],
        today=datetime.now(UTC).date(),
        looks=looks(connection, candidate, present.id if present else None),
    )
    found = judge(ours, theirs, standing, wanted.gate)
    with connection.transaction():
        number = store_decision(
            connection, candidate, present.id if present else None, found, wanted.gate
        )
        says = f"decision {number}: {found.outcome}"
        if found.passes:
            step: Step = "approve" if wanted.approve else "promote"
            advance(connection, cycle, step, says, decision_id=number)
        else:
            cycle = advance(connection, cycle, "judge", says, decision_id=number)
            retire(connection, candidate)
            finish(connection, cycle, "kept", "; ".join(found.failed))


def _examined(
    connection: Connection, settings: Settings, cycle: Cycle, candidate: Registered
) -> tuple[list[Examination], list[Examination] | None] | None:
    """The candidate's examinations and those of what answers now, None where nothing does.

    None for both where one was not examined as it is now, by the golden sets as they are now.
    """
    golden = cycle.wanted.golden
    models = [candidate.chat_model(settings), serving_model(connection, settings, cycle.task)]
    found = [
        examined(connection, settings, model, golden, cycle.id) if model else None
        for model in models
    ]
    if any(one is not None and len(one) < len(set(golden)) for one in found):
        return None
    assert found[0] is not None
    return found[0], found[1]


def await_approval(connection: Connection, _settings: Settings, cycle: Cycle) -> None:
    """Go on once a person has let the candidate pass."""
    assert cycle.decision_id is not None
    row = decision(connection, cycle.decision_id)
    if row["promoted"]:
        finish(connection, cycle, "promoted", f"{row['candidate']} serves, by hand")
    elif row["refused_by"]:
        says = f"{row['refused_by']} said no to decision {row['decision_id']}"
        finish(connection, cycle, "refused", says)
    elif not cycle.wanted.approve:
        advance(connection, cycle, "promote", "no person is asked any more")
    elif row["approved_by"]:
        advance(connection, cycle, "promote", f"approved by {row['approved_by']}")
    else:
        raise Waiting(
            f"decision {row['decision_id']} waits for a person: openbook promote "
            f"{row['candidate']} --decision {row['decision_id']}"
        )


def change(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Let the candidate serve, unless something came between."""
    assert cycle.decision_id is not None
    row = decision(connection, cycle.decision_id)
    if cycle.wanted.approve and not row["approved_by"]:
        advance(connection, cycle, "approve", "a person is asked first")
        return
    candidate = _candidate(connection, cycle)
    if _examined(connection, settings, cycle, candidate) is None:
        advance(connection, cycle, "evaluate", _CHANGED, decision_id=None)
        return
    with connection.transaction():
        try:
            promote(connection, candidate, row["serving_id"], cycle.decision_id)
        except Retryable as other:
            advance(connection, cycle, "evaluate", str(other), decision_id=None)
        except Fatal as refusal:
            finish(connection, cycle, "kept", str(refusal))
        else:
            finish(connection, cycle, "promoted", f"{candidate.called} serves")


def _candidate(connection: Connection, cycle: Cycle) -> Registered:
    if cycle.candidate_id is None:
        raise Rejected("the candidate is no longer in the registry", "Begin another cycle.")
    return model_of(connection, cycle.candidate_id)


STEPS: Mapping[str, Callable[[Connection, Settings, Cycle], None]] = {
    "curate": curate,
    "train": train,
    "register": take_in,
    "evaluate": evaluate,
    "judge": weigh,
    "approve": await_approval,
    "promote": change,
}
