"""What an answer was shown and cites, against the documents that hold what it should say."""

from __future__ import annotations

from collections.abc import Set

from tasks.records import Answer


def retrieval_recall(answer: Answer, sources: Set[str]) -> float | None:
    """The share of the expected documents of which a passage was shown; None: none is expected."""
    if not sources:
        return None
    return len(_shown(answer) & sources) / len(sources)


def citation_precision(answer: Answer, sources: Set[str]) -> float | None:
    """The share of the citations that are of an expected document; None: it cites nothing.

    A citation of what was not shown counts as a wrong one.
    """
    made = len(answer.cited) + answer.removed_citations
    if not sources or not made:
        return None
    paths = {hit.chunk_id: hit.path for hit in answer.passages}
    return sum(paths.get(chunk_id) in sources for chunk_id in answer.cited) / made


def citation_recall(answer: Answer, sources: Set[str]) -> float | None:
    """The share of the expected documents among those shown that it cites; None: none was shown."""
    shown = _shown(answer) & sources
    return len(cited_paths(answer) & shown) / len(shown) if shown else None


def cited_paths(answer: Answer) -> set[str]:
    """The documents that it cites."""
    return {hit.path for hit in answer.passages if hit.chunk_id in answer.cited}


def _shown(answer: Answer) -> set[str]:
    return {hit.path for hit in answer.passages}
