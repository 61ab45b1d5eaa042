"""A second model is bought once, however often the buying is killed, and readers notice nothing."""

from __future__ import annotations

from itertools import count

import pytest

from flows import reembed as reembed_flow
from tasks.ingest import embed
from tests.faults import folder
from tests.faults.conftest import Copies, Lab

_STRIDE = 80
_IN_EVERY_RUN = 10
_SECOND = "text-embedding-3-small@64"
_ENVIRONMENT = {"OPENBOOK_EMBEDDING_DIMENSIONS": "64"}


def in_small_slices() -> None:
    """Let this process commit four texts at a time."""
    embed._SLICE = 4
    reembed_flow._TEXTS_AT_ONCE = 4


def covered(lab: Lab) -> set[str]:
    """The texts that have a vector under the second model."""
    with lab.connect() as connection:
        rows = connection.execute(
            "select concat_ws(E'\\n', title, section, body) from passages p where exists"
            " (select from embeddings e join models m on m.id = e.model_id"
            " where m.name = %s and e.sha256 = p.sha256)",
            [_SECOND],
        ).fetchall()
    return {text for (text,) in rows}


@pytest.mark.parametrize(
    "share",
    [
        share if share == _IN_EVERY_RUN else pytest.param(share, marks=pytest.mark.faults)
        for share in range(_STRIDE)
    ],
)
def test_what_a_killed_reembedding_bought_is_kept_and_the_next_one_carries_on(
    share: int, lab: Lab, copies: Copies
) -> None:
    folder.begin(lab.drop)
    assert lab.ingest().error is None, lab.output()
    lab.settle()
    kills = 0
    for kill_at in count(share + 1, _STRIDE):
        if not _kill_and_carry_on(lab.on(copies.fresh()), kill_at):
            break
        kills += 1
    assert kills


def _kill_and_carry_on(lab: Lab, kill_at: int) -> bool:
    """Kill a reembedding at its boundary of that number; False if it has fewer."""
    lab.endpoint.requests.clear()
    job = {"flow": "reembed", "environment": _ENVIRONMENT, "prepare": in_small_slices}
    killed = lab.ingest(kill_at=kill_at, **job)
    if not killed.killed:
        assert killed.error is None, lab.output()
        return False
    lab.settle()
    lab.assert_sound()
    kept = covered(lab)
    lost = set(lab.endpoint.texts_answered) - kept
    assert lost <= set(lab.endpoint.requests[-1].texts if lab.endpoint.requests else ())
    lab.endpoint.requests.clear()
    outcome = lab.ingest(**job)
    assert outcome.error is None, lab.output()
    assert outcome.reports[0]["lacking"] == 0
    bought = lab.endpoint.texts_answered
    assert len(bought) == len(set(bought)), "a text was bought twice by one run"
    assert not kept & set(bought), "what was kept was bought again"
    assert kept | set(bought) == lab.stored()
    with lab.connect() as connection:
        serving = connection.execute("select name from models where serving").fetchall()
    assert serving == [("text-embedding-3-small",)]
    lab.assert_sound("at rest")
    return True
