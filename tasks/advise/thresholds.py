"""Where each criterion turns, and who says so."""

from __future__ import annotations

from typing import NamedTuple


class Threshold(NamedTuple):
    """A limit with its source; `--assume` overrides it by name."""

    value: float
    source: str


_OURS = "Openbook's own, a rule of thumb"

THRESHOLDS = {
    "window_share": Threshold(
        0.5,
        "room is needed for instructions, history and the answer; models find less in a full window"
        " (LaRA, arXiv 2502.09977)",
    ),
    "changed_a_month": Threshold(
        0.05, "each change empties the provider's cache and outdates what was trained: " + _OURS
    ),
    "other_readers": Threshold(
        0.0, "one text for all readers cannot be filtered by their rights"
    ),
    "cited_answers": Threshold(
        0.5, "a citation is checked against the passages that were shown (RAFT, arXiv 2403.10131)"
    ),
    "least_recall": Threshold(
        0.8, "an answer is no better than the passages it stands on (Contextual Retrieval,"
        " Anthropic 2024); the limit is " + _OURS
    ),
    "oracle_gap": Threshold(
        0.1, "what answers gain when they are shown the expected sources is lost by retrieval"
    ),
    "failing_answers": Threshold(0.05, "below it there is little to win: " + _OURS),
    "least_failures": Threshold(
        20.0, "fewer tell no share: with 20 the 95 % interval of a half is 30 to 70 %"
    ),
    "knowledge_failures": Threshold(
        0.3, "retrieval brings facts better than training does (Ovadia et al., arXiv 2312.05934)"
    ),
    "behaviour_failures": Threshold(
        0.3, "training teaches form, tone and how passages are used, hardly facts (Ovadia et al.,"
        " arXiv 2312.05934; RAFT, arXiv 2403.10131)"
    ),
    "least_examples": Threshold(
        100.0, "OpenAI takes 10 and sees improvements from 50 to 100; LIMA (arXiv 2305.11206) has"
        " 1,000"
    ),
    "approved_examples": Threshold(
        0.2, "what nobody approved or corrected may teach the failures themselves: " + _OURS
    ),
    "least_people": Threshold(5.0, "fewer users teach their own habits: " + _OURS),
    "long_context_cost": Threshold(2.0, "times the price of retrieval over a year: " + _OURS),
}  # fmt: skip
