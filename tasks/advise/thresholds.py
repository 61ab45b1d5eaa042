"""Where each criterion turns, and who says so.

The papers give the direction: what favours one strategy over another. None of them gives the number
at which an installation should turn; where a source says so, the limit is a rule of thumb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Threshold(NamedTuple):
    """A limit with its source; `--assume` overrides it by name."""

    value: float
    source: str


_OURS = "the limit is Openbook's own, a rule of thumb"

THRESHOLDS = {
    "window_share": Threshold(
        0.5, "room is needed for instructions, history and the answer, and which of long context"
        " and retrieval answers better depends on the context's length, the model and the task"
        " (LaRA, arXiv 2502.09977); " + _OURS
    ),
    "changed_a_month": Threshold(
        0.05, "each change empties the provider's cache and outdates what was trained; " + _OURS
    ),
    "other_readers": Threshold(
        0.0, "one text for all readers cannot be filtered by their rights"
    ),
    "cited_questions": Threshold(
        0.5, "a citation is checked against passages that were shown, and a prompt or a tuned model"
        " alone shows none; " + _OURS
    ),
    "least_recall": Threshold(
        0.8, "an answer is no better than the passages it stands on (Contextual Retrieval,"
        " Anthropic 2024); " + _OURS
    ),
    "oracle_gap": Threshold(
        0.1, "what answers gain when they are shown the expected sources is lost by retrieval; "
        + _OURS
    ),
    "failing_answers": Threshold(0.05, "below it there is little to win; " + _OURS),
    "least_failures": Threshold(
        20.0, "with 20 the 95 % interval of a half is 30 to 70 %; " + _OURS
    ),
    "knowledge_failures": Threshold(
        0.3, "retrieval brought facts better than unsupervised fine-tuning did (Ovadia et al.,"
        " arXiv 2312.05934); " + _OURS
    ),
    "behaviour_failures": Threshold(
        0.3, "training on few good answers teaches form and tone (LIMA, arXiv 2305.11206), and how"
        " passages are used (RAFT, arXiv 2403.10131); " + _OURS
    ),
    "least_examples": Threshold(
        100.0, "OpenAI's guide takes 10 and sees improvements from 50 to 100; LIMA"
        " (arXiv 2305.11206) has 1,000"
    ),
    "approved_examples": Threshold(
        0.2, "what nobody approved or corrected may teach the failures themselves; " + _OURS
    ),
    "least_people": Threshold(5.0, "fewer users teach their own habits; " + _OURS),
    "long_context_cost": Threshold(2.0, "times the price of retrieval over a year; " + _OURS),
}  # fmt: skip

SHARES = frozenset(
    {
        "window_share", "other_readers", "cited_questions", "least_recall", "oracle_gap",
        "failing_answers", "knowledge_failures", "behaviour_failures", "approved_examples",
    }
)  # fmt: skip
"""Those that are parts of a whole: from 0 to 1."""


def limits(given: Mapping[str, float]) -> dict[str, Threshold]:
    """The thresholds that hold: what was given, else Openbook's."""
    return {
        name: Threshold(given[name], "given") if name in given else threshold
        for name, threshold in THRESHOLDS.items()
    }
