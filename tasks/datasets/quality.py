"""What a conversation's own words say of its worth."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_APOSTROPHE = "['\u2019]"
_CANNOT = rf"(?:can(?:no|{_APOSTROPHE})t|won{_APOSTROPHE}t|am (?:not able|unable))"
_REFUSAL = re.compile(
    rf"\b(?:i{_APOSTROPHE}?m (?:very |really )?(?:sorry|afraid)[,.]? (?:but )?(?:i|that) {_CANNOT}"
    rf"|i (?:{_CANNOT}) (?:to )?(?:help|assist|provide|comply|fulfil|answer|do that|discuss)"
    r"|as an ai(?: language)? model|against my "
    r"(?:guidelines|policy)"
    r"|(?:das|dabei|damit) kann ich (?:leider )?nicht|ich kann (?:ihnen |dir )?(?:dabei|damit|das) "
    r"(?:leider )?nicht|als ki-"
    r"|je ne (?:peux|suis) pas (?:vous aider|en mesure|répondre|fournir)|en tant qu.ia\b"
    r"|no puedo (?:ayudar|proporcionar|responder|cumplir)|como (?:un )?modelo de (?:ia|lenguaje)"
    r"|non posso (?:aiutar|fornire|rispondere)|in quanto (?:ia|modello))",
    re.IGNORECASE,
)
_REFUSAL_STARTS_WITHIN = 240
_ERROR = re.compile(
    r"\A\s*(?:\{\s*\"(?:error|errors|exception)\"\s*:\s*(?!null|false|\[\]|\"\")|error\b\s*[:(]|"
    r"traceback \(most recent|(?:http )?5\d\d (?:internal|bad gateway|service))",
    re.IGNORECASE,
)


def refuses(answer: str) -> bool:
    """Whether an answer declines to answer (English, German, French, Spanish, Italian)."""
    return bool(_REFUSAL.search(answer[:_REFUSAL_STARTS_WITHIN]))


def flags(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which of refusal and error hold for a conversation's messages.

    `refusal`: the last answer declines to answer (English, German, French, Spanish, Italian).
    `error`: a tool's last result, or an answer, is an error message.
    """
    found = []
    answers = [one for one in messages if one["role"] == "assistant" and one.get("content")]
    if answers and refuses(str(answers[-1]["content"])):
        found.append("refusal")
    results = [one for one in messages if one["role"] == "tool"]
    if any(_ERROR.search(str(one.get("content") or "")) for one in [*answers, *results[-1:]]):
        found.append("error")
    return found
