"""Personal data: found by class in five languages, replaced consistently, in linear time."""

from __future__ import annotations

import json
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.datasets.identifiers import card, iban
from tasks.datasets.redact import find, redact, redact_values
from tasks.datasets.spec import REDACTIONS
from tests.datasets.planted import CLEAN, planted

FLOORS = {
    "secret": 1.0, "email": 1.0, "iban": 1.0, "card": 1.0, "national_id": 1.0, "ip": 1.0,
    "phone": 0.9, "address": 0.9, "name": 0.9,
}  # fmt: skip


@pytest.mark.parametrize("name", REDACTIONS)
def test_of_each_class_at_least_the_stated_share_is_found(name: str) -> None:
    held = [(value, sentence) for kind, value, sentence in planted() if kind == name]
    missed = [
        sentence for value, sentence in held if value.lower() in redact([sentence])[0][0].lower()
    ]
    assert 1 - len(missed) / len(held) >= FLOORS[name], missed


@pytest.mark.parametrize("sentence", CLEAN)
def test_what_is_not_personal_stays(sentence: str) -> None:
    assert redact([sentence]) == ([sentence], {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("card", "4111 1111 1111 1112"), ("iban", "DE89 3704 0044 0532 0130 01"),
        ("national_id", "078-05-0000"), ("national_id", "12345678A"),
        ("national_id", "86095742718"), ("national_id", "RSSMRA85T10A562T"),
        ("national_id", "1 84 12 76 451 089 47"), ("ip", "999.999.999.999"),
    ],
)  # fmt: skip
def test_a_number_that_fails_its_check_is_not_of_its_class(name: str, text: str) -> None:
    assert find(text, [name]) == []


def test_a_value_has_one_placeholder_in_all_messages_however_it_is_written() -> None:
    said = ["Mail A@Example.com or b@example.com", "a@example.com? 4111111111111111"]
    texts, counts = redact([*said, "card 4111-1111-1111-1111"])
    assert texts == ["Mail [EMAIL_1] or [EMAIL_2]", "[EMAIL_1]? [CARD_1]", "card [CARD_1]"]
    assert counts == {"email": 3, "card": 2}


def test_a_name_once_introduced_is_known_everywhere() -> None:
    texts, _ = redact(["Hi, my name is Ingrid Halvorsen.", "Thank you, Ingrid Halvorsen!"])
    assert texts == ["Hi, my name is [NAME_1].", "Thank you, [NAME_1]!"]


def test_a_class_that_is_not_asked_for_stays() -> None:
    assert redact(["a@example.com 10.0.0.1"], ["ip"])[0] == ["a@example.com [IP_1]"]


def test_tool_calls_stay_json_and_numbers_in_them_are_seen() -> None:
    arguments = json.dumps({"card": 4111111111111111, "to": "a@example.com", "n": 3})
    (redacted,), counts = redact_values([arguments], REDACTIONS)
    assert json.loads(redacted) == {"card": "[CARD_1]", "to": "[EMAIL_1]", "n": 3}
    assert counts == {"card": 1, "email": 1}
    assert redact_values(['{"a":  1}'], REDACTIONS)[0] == ['{"a":  1}']


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        ('{"password":"hunter2horse"}', '{"password": "[SECRET_1]"}'),
        ('{"api_key": "9f8e7d6c"}', '{"api_key": "[SECRET_1]"}'),
        ('{"accessToken": "abcdefgh"}', '{"accessToken": "[SECRET_1]"}'),
        ('{"tel": "08912345678"}', '{"tel": "[PHONE_1]"}'),
        ('{"phones": [8912345678]}', '{"phones": ["[PHONE_1]"]}'),
        ('{"homePhone": "8912345678"}', '{"homePhone": "[PHONE_1]"}'),
        ('{"bsn": "111222333"}', '{"bsn": "[NATIONAL_ID_1]"}'),
        ('{"first_name": "Ingrid", "x": "for Ingrid"}',
         '{"first_name": "[NAME_1]", "x": "for [NAME_1]"}'),
        ('{"anna@example.com": {"to": "ANNA@example.com"}}',
         '{"[EMAIL_1]": {"to": "[EMAIL_1]"}}'),
        ('I sent {"password":"hunter2horse"}.', 'I sent {"password":"[SECRET_1]"}.'),
        (r'It said "{\"token\": \"abcdefgh\"}".', r'It said "{\"token\": \"[SECRET_1]\"}".'),
        ("Full name: Ana García", "Full name: [NAME_1]"),
    ],
)  # fmt: skip
def test_what_a_key_says_of_its_value_is_read_with_it_and_keys_are_read_too(
    value: str, redacted: str
) -> None:
    assert redact_values([value], REDACTIONS)[0] == [redacted]


@pytest.mark.parametrize(
    "value",
    [
        '{"order_number":"12345678","tel":null,"seen":12345678}',
        '{"password":"must have eight characters"}',
        '{"properties":{"password":{"type":"string"}},"required":["password","token"]}',
        '{"name":"Pump","max_tokens":12345678,"keyword":"storage"}',
    ],
)
def test_json_without_personal_data_stays_as_it_is(value: str) -> None:
    assert redact_values([value], REDACTIONS) == ([value], {})


def test_a_secret_ends_with_its_text() -> None:
    assert redact(["password: hunter2horse", "Thanks."])[0] == ["password: [SECRET_1]", "Thanks."]


def test_what_is_redacted_twice_does_not_change() -> None:
    texts = [sentence for _, _, sentence in planted()]
    once, _ = redact(texts)
    assert redact(once)[0] == once


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_spans_lie_in_the_text_in_order_and_apart(text: str) -> None:
    spans = find(text)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=60), max_size=5))
@settings(max_examples=100, deadline=None)
def test_as_many_texts_come_back_as_went_in(texts: list[str]) -> None:
    assert len(redact(texts)[0]) == len(texts)


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "1 ", "a.", "a@", "@a.", "1-", "(1", ":", "1:", "A", "Aa ", "DE89 ", "12 A ",
     "-----BEGIN ", "eyJa.", "password ", "Calle A ", "1 A Street ", "sk-a-", "my name is A ",
     "1.1.", "{[", "+1 (", "Dear A b ", "é1 ", "\t1", "A" * 30 + "straße "],
)  # fmt: skip
def test_no_text_makes_the_search_slow(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    started = process_time()
    find(text)
    assert process_time() - started < 5, "a search of 100,000 characters takes milliseconds"


@given(st.integers(10**14, 10**15 - 1))
def test_exactly_one_last_digit_makes_a_card(prefix: int) -> None:
    prefix = int("4" + str(prefix)[1:])
    assert sum(card(f"{prefix}{digit}") for digit in range(10)) == 1


@given(st.integers(0, 10**18 - 1))
def test_exactly_one_pair_of_check_digits_makes_an_iban(account: int) -> None:
    holds = [check for check in range(2, 99) if iban(f"DE{check:02}{account:018}")]
    assert len(holds) == 1
