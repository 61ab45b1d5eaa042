"""What a model says of a failure is one of the kinds, or nothing."""

from __future__ import annotations

from threading import Event

import pytest

from tasks.advise.judge import KindJudge
from tasks.settings import Settings
from tests.chat import chat_endpoint

ROW = {"question": "How warm?", "content": "Yo!", "shown": None, "comment": None}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('{"kind": "style"}', "style"),
        ('{"kind": ["style"]}', "unclear"),
        ('{"kind": "angry"}', "unclear"),
        ('["style"]', "unclear"),
        ("style, I think", "unclear"),
    ],
)
def test_a_verdict_is_one_of_the_kinds_or_unclear(said: str, kind: str) -> None:
    with chat_endpoint() as endpoint:
        endpoint.reply = lambda _: said
        judge = KindJudge(Settings(judge_model="judge-1", judge_url=endpoint.url))
        assert judge.tell(ROW, Event()) == kind
