"""Checks that tell an identifying number from any other: check digits, lengths, ranges."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27,
    "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "XK": 20,
}  # fmt: skip


def luhn(digits: str) -> bool:
    """Whether the last digit is ISO/IEC 7812's check digit of the others."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character)
        if place % 2:
            value = value * 2 - 9 * (value > 4)
        total += value
    return total % 10 == 0


def card(digits: str) -> bool:
    """A payment card's number: 13 to 19 digits of a network's range, with its check digit."""
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn(digits)


def iban_length(country: str) -> int | None:
    """How many characters that country's account numbers have; None for no such country."""
    return _IBAN_LENGTHS.get(country)


def iban(text: str) -> bool:
    """ISO 13616: the length of its country, and 1 as the remainder by 97. Without spaces."""
    if len(text) != _IBAN_LENGTHS.get(text[:2].upper()) or not text.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def us_ssn(d: str) -> bool:
    """United States: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000"


def de_tax_id(d: str) -> bool:
    """Germany's Steuer-ID: ISO 7064 mod 11,10, not beginning with 0, one digit repeated."""
    if len(d) != 11 or d[0] == "0" or not 8 <= len(set(d[:10])) <= 9:
        return False
    product = 10
    for character in d[:10]:
        product = ((int(character) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(d[10])


def fr_nir(d: str) -> bool:
    """France's NIR: sex, year, month, department, commune, order, and a key of 97."""
    number = d[:13].replace("2A", "19").replace("2B", "18")
    return (
        len(d) == 15
        and number.isdigit()
        and d[0] in "12"
        and (1 <= int(d[3:5]) <= 12 or int(d[3:5]) >= 20)
        and 97 - int(number) % 97 == int(d[13:])
    )


def es_dni(text: str) -> bool:
    """Spain's DNI and NIE: a letter by the remainder of 23."""
    number = text[:8].upper().translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[8].upper()


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
         6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def it_fiscal_code(text: str) -> bool:
    """Italy's codice fiscale: a letter by the weights of the places."""
    code = text.upper()
    total = sum(_ODD[c] for c in code[:15:2])
    total += sum(int(c) if c.isdigit() else ord(c) - 65 for c in code[1:15:2])
    return chr(65 + total % 26) == code[15]


def nl_bsn(d: str) -> bool:
    """The Netherlands' BSN: the test of eleven."""
    return len(d) == 9 and _weighted(d, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and int(d) > 0


def be_number(d: str) -> bool:
    """Belgium's national number: a key of 97, of people born from 2000 with a 2 before it."""
    return len(d) == 11 and any(
        97 - int(century + d[:9]) % 97 == int(d[9:]) for century in ("", "2")
    )


def pl_pesel(d: str) -> bool:
    """Poland's PESEL: a date of birth and a weighted digit."""
    return (
        len(d) == 11
        and _is_day(int(d[2:4]) % 20, int(d[4:6]))
        and _weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    )


def br_cpf(d: str) -> bool:
    """Brazil's CPF: two digits by remainders of 11."""
    if len(d) != 11 or len(set(d)) == 1:
        return False
    first = _weighted(d, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = _weighted(d, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return d[9:] == f"{first}{second}"


def se_personal_number(d: str) -> bool:
    """Sweden's personnummer: a date of birth and Luhn's digit over the last ten."""
    d = d[-10:]
    return _is_day(int(d[2:4]), int(d[4:6]) % 60) and luhn(d)


def ch_ahv(d: str) -> bool:
    """Switzerland's AHV number: 756 and the check digit of EAN-13."""
    return d.startswith("756") and _weighted(d, (1, 3) * 6 + (1,)) % 10 == 0


def _is_day(month: int, day: int) -> bool:
    try:
        date(2000, month, day)
    except ValueError:
        return False
    return True


NATIONAL_IDS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(r"[0-9](?<![\w-].)[0-9]{2}[- ][0-9]{2}[- ][0-9]{4}(?![\w-])"), us_ssn),
    (re.compile(r"[A-CEGHJ-PR-TW-Z](?<!\w.)[A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"
                r"(?!\w)"), lambda _: True),
    (re.compile(r"[12](?<!\w.) ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?"
                r"[0-9]{2}(?!\w)"), fr_nir),
    (re.compile(r"[XYZxyz0-9](?<!\w.)-?[0-9]{7}-?[A-Za-z](?!\w)"), es_dni),
    (re.compile(r"[0-9](?<=[A-Za-z]{6}.)[0-9][A-EHLMPR-Ta-ehlmpr-t][0-9]{2}[A-Za-z][0-9]{3}"
                r"[A-Za-z](?!\w)"), it_fiscal_code),
    (re.compile(r"7(?<![\w.].)56[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}(?!\w)"), ch_ahv),
    (re.compile(r"[0-9](?<![\w.].)[0-9]\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}(?!\w)"), be_number),
    (re.compile(r"[0-9](?<![\w.].)[0-9]{2}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?!\w)"), br_cpf),
    (re.compile(r"[0-9](?<![\w-].)[0-9]{5}(?:[0-9]{2})?[-+][0-9]{4}(?![\w-])"), se_personal_number),
    (re.compile(r"[0-9](?<![\w+.-].)[0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}(?![\w-])"),
     lambda d: de_tax_id(d) or pl_pesel(d) or be_number(d) or br_cpf(d)),
)  # fmt: skip
"""How each is written, and the check of what remains without spaces, dots and hyphens: United
States, United Kingdom, France, Spain, Italy, Switzerland, Belgium, Brazil, Sweden, and numbers of
eleven digits: Germany, Poland, Belgium, Brazil.

A pattern begins with a set of characters and only then looks at what stands before: Python skips
fast to the next character of a set. Italy's begins at its seventh character."""
NAMED_IDS = (re.compile(r"[0-9](?<!\w.)[0-9]{8}(?!\w)"), nl_bsn)
"""Nine bare digits are the Netherlands' only where the text says BSN or the like before them."""
