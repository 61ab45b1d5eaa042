"""Files of golden questions: YAML, JSON Lines, and lines that judge one document each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import Rejected
from tasks.evaluate.exam import Question
from tasks.evaluate.golden.question import read_question

_YAML = (".yaml", ".yml")
_LINE = 'Write one object a line: {"question": "…", "path": "…", "grade": 1}.'


@dataclass(frozen=True, slots=True)
class Reading:
    """The questions of a file, each once, and what is wrong with each entry that is none."""

    questions: tuple[Question, ...]
    rejected: tuple[Rejected, ...]


def read_questions(file: Path) -> Reading:
    """The questions of a file, which is YAML by its name, else JSON Lines.

    YAML holds a list of questions, or a mapping whose `questions` is one. A line with `path` judges
    one document; a question with several has several such lines. An entry that cannot be used is
    named with file and line and stops no other. Raises Rejected for a file that cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Rejected(f"{file} cannot be read: {error.strerror}", "Name a file.") from None
    except UnicodeDecodeError:
        raise Rejected(f"{file} is no UTF-8", "Store it as UTF-8.") from None
    entries = _from_yaml(file, text) if file.suffix.lower() in _YAML else _from_lines(text)
    questions: dict[str, Question] = {}
    rejected = []
    for number, entry in entries:
        try:
            _add(questions, entry)
        except Rejected as error:
            rejected.append(Rejected(f"{file}, line {number}: {error.message}", error.remedy))
    return Reading(tuple(questions.values()), tuple(rejected))


def _add(questions: dict[str, Question], entry: object) -> None:
    if isinstance(entry, Rejected):
        raise entry
    if not isinstance(entry, dict) or "path" not in entry:
        question = read_question(entry)
        if question.text in questions:
            raise Rejected(f"the question {question.text!r} came before", "Ask each once.")
        questions[question.text] = question
        return
    match entry:
        case {"question": str(text), "path": str(path), **others} if text and path:
            grade = others.get("grade", 1)
        case _:
            grade = None
    if not isinstance(grade, int) or isinstance(grade, bool) or grade < 0:
        raise Rejected(f"it is no judgement: {json.dumps(entry)[:80]}", _LINE)
    known = questions.get(text, Question(text))
    questions[text] = replace(known, grades={**known.grades, path: grade})


def _from_lines(text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, Rejected(f"it is no JSON: {line[:80]!r}", _LINE)


def _from_yaml(file: Path, text: str) -> Iterable[tuple[int, object]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if isinstance(node, yaml.MappingNode):
            named = {key.value: value for key, value in node.value}
            node = named.get("questions")
        if not isinstance(node, yaml.SequenceNode):
            raise Rejected(f"{file} lists no questions", "Write questions: and a list below it.")
        return [(one.start_mark.line + 1, _built(loader, one)) for one in node.value]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}, line {mark.line + 1}" if mark else str(file)
        problem = getattr(error, "problem", None) or error
        raise Rejected(f"{place} is no YAML: {problem}", "Mend it there.") from None
    finally:
        loader.dispose()


def _built(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    return loader.construct_object(node, deep=True)
