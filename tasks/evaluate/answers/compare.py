"""Two examinations judged answer by answer; each verdict is kept as it comes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

from psycopg import Connection

from tasks.database import query
from tasks.errors import Fatal, OpenbookError
from tasks.evaluate.answers.judge import Judged, Pair

_AT_ONCE = 4

Compare = Callable[[Pair, Event], Judged]


def compare_answers(
    connection: Connection, evaluation: int, other: int, judge: str, compare: Compare
) -> dict[str, str]:
    """Let a judge of that name compare what it has not compared yet; the reasons of what failed.

    A question that one of both has no answer to is not compared, and a comparison that fails is no
    verdict: neither counts as a win. Raises Fatal when no request can succeed, and keeps what came.
    """
    about = {"evaluation": evaluation, "other": other, "judge": judge}
    with connection.transaction():
        rows = connection.execute(query("verdict_pairs"), about).fetchall()
    failed: dict[str, str] = {}
    fatal: Fatal | None = None
    stop = Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {pool.submit(compare, Pair(*row), stop): str(row[0]) for row in rows}
        for future in as_completed(asked):
            item = asked[future]
            if future.cancelled():
                continue
            try:
                judged = future.result()
            except Fatal as error:
                fatal = fatal or error
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                continue
            except OpenbookError as error:
                failed[item] = error.message
                continue
            with connection.transaction():
                connection.execute(
                    query("verdict_store"),
                    {**about, "item": item, "verdict": judged.verdict, "reason": judged.reason},
                )
    if fatal is not None:
        raise fatal
    return failed
