"""The checks of a golden question, held against an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import regex

from tasks.evaluate.answers.citations import cited_paths
from tasks.evaluate.answers.refusal import declines
from tasks.evaluate.answers.text import folded, without_citations
from tasks.evaluate.exam import Check
from tasks.records import Answer

FORM = ("regex", "json_schema", "must_cite")
"""The kinds that ask for an answer's form rather than for what it says."""

_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
_MATCH_SECONDS = 1.0
"""What takes longer is a pattern that tries the same letters in ever more ways."""
_EDGE = " \t.,;:!?\"'\u201c\u201d\u2018\u2019`*"


def applies(check: Check, answer: Answer) -> bool:
    """Whether the check asks anything: who answers from no documents can cite none."""
    return check.kind != "must_cite" or answer.strategy != "none"


def failure(check: Check, answer: Answer) -> str | None:
    """Why the check fails; None: it holds."""
    said = without_citations(answer.text) if answer.passages else answer.text.strip()
    match check.kind:
        case "json_schema":
            return _schema_failure(check.value, answer.text, bare=True)
        case "must_cite":
            return _citation_failure(check.value, answer)
        case "must_refuse":
            return None if declines(answer) else "it does not refuse"
    return _text_failure(check, said)


def _text_failure(check: Check, said: str) -> str | None:
    texts = [check.value] if isinstance(check.value, str) else check.value
    meant = " or ".join(map(repr, texts))
    match check.kind:
        case "exact":
            held, failed = any(_bare(said) == _bare(text) for text in texts), f"is not {meant}"
        case "contains":
            held, failed = any(_contains(said, text) for text in texts), f"does not contain {meant}"
        case "regex":
            found = [_matches(text, said) for text in texts]
            held = any(found)
            failed = f"does not match {meant}"
            if None in found:
                failed += f", as far as could be told in {_MATCH_SECONDS:g} s: mend the pattern"
        case _:
            held, failed = False, f"meets a check that is not known, {check.kind!r}"
    return None if held else f"it {failed}"


def _matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern stands in the text; None: that was not found out in time."""
    try:
        return regex.search(pattern, text, timeout=_MATCH_SECONDS) is not None
    except TimeoutError:
        return None


def schema_valid(schema: Mapping[str, Any], answer: Answer) -> bool:
    """Whether the JSON of the answer, in a code fence or not, is as the schema demands."""
    return _schema_failure(schema, answer.text, bare=False) is None


def _schema_failure(schema: Mapping[str, Any], said: str, *, bare: bool) -> str | None:
    from jsonschema.exceptions import best_match
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    said = said.strip()
    if not bare and (fenced := _FENCE.match(without_citations(said))):
        said = fenced[1]
    try:
        value = json.loads(said)
    except ValueError:
        try:
            value = json.loads(without_citations(said))
        except ValueError:
            return "it is no JSON, or not JSON alone"
    # An empty registry: nothing is fetched, whatever a schema refers to.
    bounded = extend(validator_for(schema), {"pattern": _pattern_failure})
    validator = bounded(schema, registry=Registry())
    wrong = best_match(validator.iter_errors(value))
    return None if wrong is None else f"its JSON is not as the schema demands: {wrong.message}"


def _pattern_failure(_all: Any, pattern: str, value: object, _schema: Any) -> Iterator[Exception]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"{value[:80]!r} does not match {pattern!r}")


def _citation_failure(value: object, answer: Answer) -> str | None:
    cited = cited_paths(answer)
    if isinstance(value, str):
        return None if value in cited else f"it does not cite {value}"
    return None if cited else "it cites nothing"


def _bare(text: str) -> str:
    return folded(text).strip(_EDGE)


def _contains(said: str, text: str) -> bool:
    """Whether the text stands in what is said; a number not as a part of a longer one."""
    wanted = folded(text)
    before = r"(?<!\d)(?<!\d[.,])" if wanted[0].isdecimal() else ""
    after = r"(?!\d|[.,]\d)" if wanted[-1].isdecimal() else ""
    return re.search(before + re.escape(wanted) + after, folded(said)) is not None
