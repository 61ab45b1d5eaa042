"""What of an answer's citations stays: that which was shown, and says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.answer.citations import Citations

SHOWN = {
    1: "Turn the shaft by hand\nonce every four weeks.",
    2: "After three years in store, replace the elastomers.",
}


def verified(text: str) -> tuple[str, list[int], int]:
    citations = Citations(SHOWN)
    said = citations.feed(text) + citations.finish()
    return said, citations.cited, citations.removed


@pytest.mark.parametrize(
    ("text", "said", "cited", "removed"),
    [
        ("Every four weeks [1].", "Every four weeks [1].", [1], 0),
        ("Both [2, 1].", "Both [2][1].", [2, 1], 0),
        ("Both [1-2].", "Both [1][2].", [1, 2], 0),
        ("Wide 【2】.", "Wide [2].", [2], 0),
        ("Again [1] and [1].", "Again [1] and [1].", [1], 0),
        ("Made up [3].", "Made up.", [], 1),
        ("Half right [1, 9].", "Half right [1].", [1], 1),
        ("A year [1999] too.", "A year too.", [], 1),
        ("In code `a[3]` it stays [2].", "In code `a[3]` it stays [2].", [2], 0),
        ("```\na = [3]\n```\nSo [9] [2].", "```\na = [3]\n```\nSo [2].", [2], 1),
        ("Press ` now.\nMade up [99], true [1].", "Press ` now.\nMade up, true [1].", [1], 1),
        ("Made up [12345].", "Made up.", [], 1),
        (
            'A 3" pipe, the shaft of it, and a 5" flange [1].',
            'A 3" pipe, the shaft of it, and a 5" flange [1].',
            [1],
            0,
        ),
        ("A [note], and [", "A [note], and [", [], 0),
        ("## A heading [1]", "## A heading [1]", [1], 0),
        (
            'It says "turn the shaft by hand once" [1].',
            'It says "turn the shaft by hand once" [1].',
            [1],
            0,
        ),
        (
            'It says "turn the shaft every single day" [1].',
            'It says "turn the shaft every single day".',
            [],
            1,
        ),
        (
            'Words of the one, "replace the elastomers after", are not the other\'s [1].',
            'Words of the one, "replace the elastomers after", are not the other\'s.',
            [],
            1,
        ),
        ('A "pump" is a term [2].', 'A "pump" is a term [2].', [2], 0),
        (
            "##begin_quote##Turn the shaft by hand once every four weeks.##end_quote## "
            "##Answer: Monthly, nearly.",
            "“Turn the shaft by hand once every four weeks.” [1] \n Monthly, nearly.",
            [1],
            0,
        ),
        (
            "“Turn the shaft by hand once every four weeks.” [2]\nMonthly.",
            "“Turn the shaft by hand once every four weeks.” [1]\nMonthly.",
            [1],
            1,
        ),
        (
            "“Turn the shaft by hand once every four weeks.”\nMonthly.",
            "“Turn the shaft by hand once every four weeks.” [1]\nMonthly.",
            [1],
            0,
        ),
        (
            "“Turn the shaft by hand once every four weeks”. [1] So monthly.",
            "“Turn the shaft by hand once every four weeks”. [1] So monthly.",
            [1],
            0,
        ),
        (
            "“Turn the shaft by hand every single day.”",
            "“Turn the shaft by hand every single day.”",
            [],
            0,
        ),
        ("##begin_quote##Never turn it.##end_quote##", "“Never turn it.”", [], 1),
    ],
)
def test_citations_are_verified(text: str, said: str, cited: list[int], removed: int) -> None:
    assert verified(text) == (said, cited, removed)


@given(
    st.lists(
        st.sampled_from(
            ["The shaft", " ", "[1]", "[", "]", "2", " [3]", ", ", "9", "##", "#", "`", '"',
             "“", "”", "After three years in store", "##begin_quote##", "replace the elastomers",
             "##end_quote##", "【1】", "\n"]
        )
    ),
    st.integers(1, 9),
)  # fmt: skip
def test_it_does_not_matter_in_which_pieces_an_answer_comes(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole = verified(text)
    citations = Citations(SHOWN)
    pieces = [citations.feed(text[at : at + size]) for at in range(0, len(text), size)]
    said = "".join([*pieces, citations.finish()])
    assert (said, citations.cited, citations.removed) == whole
    assert citations.text == said
