"""Near-duplicates and overlap: what is found, what is not, and what the clusters keep to."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.datasets.decontaminate import golden_overlap, held_out_share
from tasks.datasets.dedupe import clusters, signatures
from tasks.datasets.words import Words, grams, languages, words

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nprst"]


def text(chooser: random.Random, length: int = 120) -> list[str]:
    return chooser.choices(VOCABULARY, k=length)


def edited(chooser: random.Random, said: list[str], share: float) -> list[str]:
    changed = list(said)
    for place in chooser.sample(range(len(said)), round(share * len(said))):
        changed[place] = chooser.choice(VOCABULARY)
    return changed


def test_planted_near_duplicates_are_found_and_strangers_are_not() -> None:
    chooser = random.Random(3)
    originals = [text(chooser) for _ in range(300)]
    twins = [edited(chooser, said, 0.03) for said in originals]
    strangers = [text(chooser) for _ in range(300)]
    texts = [words([" ".join(said)]) for said in [*originals, *twins, *strangers]]
    label = clusters(signatures(texts), 0.7)
    found = int((label[:300] == label[300:600]).sum())
    assert found >= 294, "at least 98 % of those with 3 % of the words changed"
    assert len(set(label[600:].tolist())) == 300
    assert len(set(label[:300].tolist())) == 300, "no two originals are one"


def shingles(said: Words) -> set[tuple[int, ...]]:
    plain = said[said != 0].tolist()
    return set(zip(plain, plain[1:], plain[2:], strict=False)) or {tuple(plain)}


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3]))
@settings(max_examples=60, deadline=None)
def test_a_signature_estimates_the_jaccard_similarity(seed: int, share: float) -> None:
    chooser = random.Random(seed)
    said = text(chooser, 200)
    one, other = (words([" ".join(each)]) for each in (said, edited(chooser, said, share)))
    signed = signatures([one, other])
    estimate = float((signed[0] == signed[1]).mean())
    true = len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))
    assert abs(estimate - true) < 0.2


def test_the_same_words_have_the_same_signature_whatever_stands_beside_them() -> None:
    chooser = random.Random(5)
    texts = [words([" ".join(text(chooser, length))]) for length in (1, 2, 3, 4, 50)]
    together = signatures(texts)
    for place, one in enumerate(texts):
        assert (signatures([one]) == together[place]).all()
    assert signatures([]).shape == (0, 128)
    assert len(signatures([words([""]), words(["", ""])])) == 2


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40))
def test_equal_rows_are_one_cluster_named_by_its_first(kinds: list[int]) -> None:
    base = signatures([words([f"text number {'abcdef'[kind] * 9} stands alone"]) for kind in kinds])
    label = clusters(base, 0.7)
    for i, j in combinations(range(len(kinds)), 2):
        assert (label[i] == label[j]) == (kinds[i] == kinds[j])
    assert all(kinds[one] == kinds[place] and one <= place for place, one in enumerate(label))


def joined(texts: list[str]) -> tuple[Words, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    said = [words(each.split("|")) for each in texts]
    return np.concatenate(said), np.concatenate(([0], np.cumsum([len(one) for one in said])[:-1]))


LONG = "how often must the shaft of a stored pump be turned by hand in winter"


def test_thirteen_words_of_a_golden_question_contaminate_and_twelve_do_not() -> None:
    twelve = " ".join(LONG.split()[:12])
    flat, starts = joined([f"please say {LONG}", f"please say {twelve} today", "what else"])
    assert golden_overlap(flat, starts, [words([LONG])], 13).tolist() == [0, -1, -1]


def test_a_short_golden_question_is_found_as_a_whole() -> None:
    golden = [words(["Where is the warranty card?"]), words(["Opening hours?"])]
    flat, starts = joined(
        [
            "so where is the warranty card now",
            "where is the card",
            "opening hours",
            "your opening hours",
        ]
    )
    assert golden_overlap(flat, starts, golden, 13).tolist() == [0, -1, 1, -1]


def test_no_n_gram_crosses_a_message() -> None:
    half = LONG.split()
    flat, starts = joined([f"{' '.join(half[:7])}|{' '.join(half[7:])}"])
    assert golden_overlap(flat, starts, [words([LONG])], 13).tolist() == [-1]


def test_no_golden_question_and_no_example_are_no_fault() -> None:
    flat, starts = joined(["a b c"])
    assert golden_overlap(flat, starts, [], 13).tolist() == [-1]
    assert held_out_share(flat, starts, np.array([False]), 13).tolist() == [0.0]
    assert clusters(signatures([]), 0.7).tolist() == []


def test_the_share_of_a_held_out_text_is_measured() -> None:
    chooser = random.Random(9)
    held, own = text(chooser, 40), text(chooser, 40)
    flat, starts = joined([" ".join(held), " ".join(held + own), " ".join(own)])
    shares = held_out_share(flat, starts, np.array([True, False, False]), 13)
    assert shares.tolist() == [0.0, 28 / 68, 0.0]


@given(st.lists(st.text(alphabet="ab |", max_size=30), max_size=4), st.integers(1, 5))
@settings(max_examples=80)
def test_equal_runs_of_words_have_equal_n_grams(texts: list[str], n: int) -> None:
    flat = words(texts)
    hashed = grams(flat, n)
    for i, j in combinations(range(len(flat)), 2):
        one, other = flat[i : i + n], flat[j : j + n]
        whole = len(other) == n and (one != 0).all() and (other != 0).all()
        if whole:
            assert (hashed[i] == hashed[j]) == bool((one == other).all())


def test_the_language_is_told_by_the_commonest_words() -> None:
    told = {
        "en": "What is the price of this and how can I return it, please?",
        "de": "Wie kann ich die Bestellung bitte mit einer Karte bezahlen und was kostet das?",
        "fr": "Je voudrais savoir pour quelle date la commande est prévue, merci.",
        "es": "Quiero saber cuándo llega el pedido porque no lo tengo, gracias.",
        "it": "Vorrei sapere quando arriva il pacco perché non lo ho ancora, grazie.",
    }
    assert languages([words([said]) for said in told.values()]) == list(told)
    assert languages([words([said]) for said in ("zzz", "", told["en"])]) == [None, None, "en"]
    assert languages([]) == []
