"""A cycle of retraining that is killed anywhere is carried on, and nothing is bought twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

from psycopg import Connection

from tasks import settings as settings_module
from tasks.settings import Settings
from tasks.training.cycles import begin_cycle, cycle_of
from tasks.training.registry import ANSWER
from tasks.training.retraining import read_retraining
from tests.faults import boundaries
from tests.training.school import QUESTIONS, School, environment, furnish, school

_APART = 97
"""So many calls a process makes before it is killed; every further one some more, and then anew."""
_LONGEST = 6
_TRIES = 30


def test_a_cycle_killed_at_points_all_over_is_carried_on_to_the_same_end(
    connection: Connection, database: Settings, tmp_path: Path
) -> None:
    with school(tmp_path) as made:
        furnish(connection, database)
        variables = variables_of(database, made)
        begin(connection, made)
        kills: Counter[str] = Counter()
        for turn in range(_TRIES):
            ended = work(variables, tmp_path / "killed.log", _APART * (1 + turn % _LONGEST))
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            step = connection.execute("select step from retrain_cycles").fetchone()
            connection.commit()
            kills[step[0] if step else "gone"] += 1
        cycle = cycle_of(connection, 1)
        assert cycle.outcome == "promoted", cycle.reasons
        assert len(kills) >= 3, kills
        assert len(made.provider.jobs) == 1
        counted = connection.execute(
            """
            select (select count(*) from retrain_cycles), (select count(*) from training_runs),
                   (select count(*) from chat_models), (select count(*) from gate_decisions),
                   (select count(*) from promotions), (select count(*) from dataset_versions),
                   (select count(*) from answer_results where answer is not null)
            """
        ).fetchone()
        assert counted == (1, 1, 1, 1, 1, 1, 2 * (QUESTIONS + 4))
        # Of what was under way when it died, four at a time, the answers are asked for again.
        asked = len(made.chat.requests)
        assert asked <= counted[-1] + 4 * sum(kills.values())


def variables_of(database: Settings, made: School) -> dict[str, str]:
    assert database.database_url is not None
    return {
        "OPENBOOK_HOME": str(database.home),
        "OPENBOOK_DATABASE_URL": database.database_url,
        "OPENBOOK_EMBEDDER": "hashing",
        **environment(made),
    }


def begin(connection: Connection, made: School) -> None:
    wanted = read_retraining(made.spec)
    begin_cycle(connection, wanted, "support", str(made.spec), ANSWER)
    connection.commit()


def work(variables: dict[str, str], log: Path, kill_at: int | None) -> int | None:
    """Take the open cycle's steps in a process, which may be killed; its exit code."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_work, args=(variables, log, kill_at))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def _work(variables: dict[str, str], log: Path, kill_at: int | None) -> None:
    from flows.retrain import step
    from tasks.database import connect
    from tasks.training.cycles import open_cycle
    from tasks.training.hosted.backend import HostedBackend

    for name in [name for name in os.environ if name.startswith(("OPENBOOK_", "OPENAI_"))]:
        del os.environ[name]
    os.environ.update(variables)
    settings_module.current.cache_clear()
    # What was sent has arrived at once, or never will.
    HostedBackend.__init__.__defaults__ = (None, 0.0)  # type: ignore[misc]
    boundaries.watch(
        log, kill_at, Path(variables["OPENBOOK_HOME"]), variables["OPENBOOK_TRAIN_URL"]
    )
    for _ in range(50):
        with connect(settings_module.current()) as connection:
            cycle = open_cycle(connection, ANSWER)
        if cycle is None:
            os._exit(0)
        step.fn(cycle.step, cycle.id)
    os._exit(3)
