"""When what search found is not worth asking a model about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.answer.enough import is_enough
from tasks.records import Hit
from tasks.settings import Settings

HIT = Hit(1, 0.3, "a.md", None, None, None, "Sea.", "s", 1, 1, 1, 1, 1)
LOW = replace(HIT, score=0.2)


@pytest.mark.parametrize(
    ("hits", "enough"), [([], False), ([LOW], False), ([LOW, HIT], True), ([HIT], True)]
)
def test_a_low_score_under_the_default_embedder_is_not_enough(
    hits: list[Hit], enough: bool
) -> None:
    assert is_enough(Settings(), hits) is enough


@pytest.mark.parametrize(
    ("settings", "hit"),
    [
        (Settings(embedder="openai"), LOW),
        (Settings(), replace(LOW, dense_rank=None)),
    ],
)
def test_scores_on_another_scale_decide_nothing(settings: Settings, hit: Hit) -> None:
    assert is_enough(settings, [hit])
    assert not is_enough(settings, [])
