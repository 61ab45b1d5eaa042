"""What an ingest leaves on Prefect's pages, and tells of: what moved, what it cost, what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from psycopg import Connection

from flows.events import DOCUMENT_PUBLISHED, GOLDEN_FAILED, tell
from flows.pages import cell, key, name_run, table
from flows.server import search_url
from tasks.evaluate.golden.store import lost_questions
from tasks.ingest.runs import Published, Report, Run, Source, published
from tasks.settings import current

_SHOWN = 100
_MOVES = ("new", "changed", "renamed", "deleted")
_FIGURES = ("pending", "embedded", "reused", "usd", "seconds", "unchanged", "chunks", "tokens")


def leave_page(connection: Connection, source: Source, run: Run, report: Report) -> None:
    """Name the run for what it did; where anything moved or is rejected, leave pages and tell.

    A run that found nothing to do leaves no page, so that the history shows what happened.
    """
    moves = {name: getattr(report, name) for name in _MOVES}
    said = [f"{count:,} {name}" for name, count in moves.items() if count]
    said += [f"{len(report.rejected):,} rejected"] * bool(report.rejected)
    said += [f"{report.pending:,} pending"] * bool(report.pending)
    name_run(f"{report.source}: {', '.join(said) or 'nothing new'}")
    if not said:
        return
    figures = report.as_json()
    counts = {name: figures[name] for name in ("seen", *_MOVES)}
    counts |= {"rejected": len(report.rejected), **{name: figures[name] for name in _FIGURES}}
    create_table_artifact(
        key=key("ingest", report.source),
        table=[{**counts, "seconds": round(report.seconds, 1)}],
        description=f"Run {report.run_id} of {report.source}: files, chunks and what they cost",
    )
    create_markdown_artifact(
        key=key("ingest", report.source, "documents"),
        markdown=_documents(published(connection, run.id, _SHOWN), source, report),
        description=f"Documents of {report.source} that the run made searchable",
    )
    create_markdown_artifact(
        key=key("ingest", report.source, "rejected"),
        markdown=_rejected(report),
        description=f"Files of {report.source} that could not be used",
    )
    if any(moves.values()):
        facts = {"embedded": report.embedded, "rejected": len(report.rejected), "usd": report.usd}
        tell(DOCUMENT_PUBLISHED, report.source, run=report.run_id, **moves, **facts)
    if report.deleted or report.renamed:
        for name, questions in lost_questions(connection, run.source_id).items():
            tell(GOLDEN_FAILED, name, questions=questions, source=report.source)


def _documents(documents: Sequence[Published], source: Source, report: Report) -> str:
    if not documents:
        return "No text changed."
    rows = [
        (_link(source, one.path), "new" if one.new else "changed", f"{one.chunks:,}")
        for one in documents
    ]
    text = table(("document", "is", "chunks"), rows)
    more = report.new + report.changed - len(documents)
    cost = f"{report.embedded:,} texts embedded, {report.reused:,} reused, ${report.usd:.2f}"
    return "\n\n".join([text, *([f"… and {more:,} more"] if more > 0 else []), cost])


def _link(source: Source, path: str) -> str:
    """The path; where a search page of ours answers, as a link to what it finds in the document."""
    text = cell(path)
    page = search_url(current())
    if page is None:
        return text
    words = " ".join(re.findall(r"\w+", Path(path).stem.replace("_", " ")))
    asked = {"q": words, "collection": source.collection, "filter": json.dumps({"path": path})}
    label = text.replace("[", "\\[").replace("]", "\\]")
    return f"[{label}]({page}/?{urlencode(asked)})"


def _rejected(report: Report) -> str:
    if not report.rejected:
        return "No file is rejected."
    return table(
        ("file", "reason", "what to do"),
        [map(cell, (one.path, one.reason, one.remedy or "")) for one in report.rejected],
    )
