"""An evaluation's page holds its figures, and a picture that any browser draws."""

from __future__ import annotations

import base64
import re

import numpy as np
from lxml import etree

from tasks.evaluate.exam import Exam, Question
from tasks.evaluate.measures import MEASURES, Outcome
from tasks.evaluate.page import markdown
from tasks.evaluate.results import evaluation


def test_the_page_shows_each_mode_in_a_table_and_in_an_embedded_picture() -> None:
    exam = Exam("sea", "default", (Question("a", {"x": 1}),))
    outcomes = {
        mode: Outcome({name: np.array([value]) for name in MEASURES}, np.array([3.0]))
        for mode, value in (("keyword", 0.25), ("<dense>", 0.5))
    }
    page = markdown(evaluation(exam, outcomes, model="m", reranker="off"))
    assert "| keyword | 0.250 [0.250, 0.250] |" in page
    picture = re.search(r"data:image/svg\+xml;base64,([\w+/=]+)\)", page)
    assert picture
    svg = etree.fromstring(base64.b64decode(picture[1]))
    texts = [text for text in svg.itertext() if text]
    assert texts[-4:] == ["keyword", "0.250", "<dense>", "0.500"]
