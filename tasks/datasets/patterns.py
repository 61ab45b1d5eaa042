"""Where personal data and secrets stand in a text: one function a class, linear in its length.

Every repetition is bounded and every start is pinned by what may not stand before it, so that no
text makes a search slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

from tasks.datasets.identifiers import (
    NAMED_IDS,
    NATIONAL_IDS,
    card,
    iban,
    iban_length,
    it_fiscal_code,
)

Spans = Iterator[tuple[int, int]]

WALL = "\0\0"
"""What stands before it says nothing of a number behind it."""

_SECRET_MARKS = (
    "sk-", "sk_", "pk-", "pk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "npm_", "hf_", "xox", "AKIA", "ASIA", "AIza", "SG.", "pypi-", "eyJ", "PRIVATE KEY",
)  # fmt: skip
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|(?<![\w-])(?:sk|pk|rk)[-_](?:[a-z]{1,8}[-_]){0,3}[A-Za-z0-9_-]{16,200}"
    r"|(?<!\w)gh[pousr]_[A-Za-z0-9]{36,255}|(?<!\w)github_pat_\w{22,255}"
    r"|(?<!\w)glpat-[\w-]{20,64}|(?<!\w)npm_[A-Za-z0-9]{36}|(?<!\w)hf_[A-Za-z0-9]{30,64}"
    r"|(?<!\w)xox[abeoprs]-[A-Za-z0-9-]{10,250}|(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)"
    r"|(?<!\w)AIza[\w-]{35}|(?<!\w)SG\.[\w-]{16,32}\.[\w-]{16,64}|(?<!\w)pypi-[\w-]{32,255}"
    r"|(?<!\w)eyJ[\w-]{8,4000}\.[\w-]{8,8000}\.[\w-]{8,1000}"
)
_CREDENTIAL_WORDS = (
    "password", "passwort", "kennwort", "passwd", "pwd", "passcode", "mot de passe", "contraseña",
    "clave", "parola d'ordine", "api key", "api_key", "api-key", "apikey", "secret", "token",
    "bearer", "passphrase", "access_key", "accesskey", "private_key", "privatekey",
)  # fmt: skip
_CREDENTIAL = re.compile(
    rf"(?<!\w)(?:{'|'.join(_CREDENTIAL_WORDS)})"
    r"(?:\s{0,3}(?::|=|is:?|ist:?|est:?|es:?|è:?)\s{1,3}|\s{0,3}[:=]\s{0,3}|(?<=bearer)\s{1,3})"
    r"[\"'`]?([^\s\"'`,;\0]{6,200})",
    re.IGNORECASE,
)
_CREDENTIALS = (
    r"password|passwort|kennwort|passwd|pwd|passcode|passphrase|mot de passe|contraseña"
    r"|(?:api|access|private|secret)[ _-]?key|secret|token|bearer"
)
_QUOTED_CREDENTIAL = re.compile(  # {"access_token": "…"}, also within a string of JSON
    rf"(?:{_CREDENTIALS})\\{{0,3}}[\"']\s{{0,3}}[:=]\s{{0,3}}\\{{0,3}}[\"']"
    r"(?:bearer )?([^\s\"'\\\0]{4,400})(?=\\{0,3}[\"']|\0|\Z)",
    re.IGNORECASE,
)
_NAMING_KEY = (
    "(?:full|first|last|given|family|sur|customer|contact|person|holder)[ _-]?name|surname"
    "|vorname|nachname|prénom|prenom|apellidos?|cognome"
)
TELLING_KEY = re.compile(
    rf"(?:{_CREDENTIALS})$|(?:{_NAMING_KEY})$"
    r"|(?<![a-z])(?:tel|phone|telephone|telefon|teléfono|telefono|téléphone|mobile|mobil|móvil|handy"
    r"|cell|cellulare|fax|sms|whatsapp|bsn|burgerservicenummer|sofi|national)s?(?![a-z])"
    r"|(?<=[a-z])(?-i:Phone|Mobile|Fax)",
    re.IGNORECASE,
)
"""Finds keys of JSON that say what their value is."""
_URL_LOGIN = re.compile(r"(?<=://)[^\s/:@\0]{1,64}:[^\s/@\0]{1,128}(?=@)")
_EMAIL_AT = re.compile(r"@| ?[\[(](?:at|arroba|chiocciola)[\])] ?")
_EMAIL_BEFORE = re.compile(r"[\w.+%-]{1,64}$")
_EMAIL_AFTER = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.| ?[\[(](?:dot|punkt|point|punto)[\])] ?)){1,6}"
    r"[^\W\d_]{2,24}(?![\w@])"
)
_IBAN = re.compile(  # from its check digits on, which are rarer than letters
    r"[0-9](?<=[A-Za-z]{2}.)(?<!\w[A-Za-z]{2}.)[0-9](?=[ -]?[A-Za-z0-9])"
)
_CARD = re.compile(r"[0-9](?<![\w+-].)(?<![0-9][.,].)(?:[ -]?[0-9]){12,18}(?![\w-])")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(rf"[0-9](?<![\w.].)[0-9]{{0,2}}(?:\.{_OCTET}){{3}}(?!\w|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_PHONE = re.compile(
    r"[0-9(+](?<![\w.,/:#$€£+-].)(?:(?<=[0-9])|[0-9])(?:[ ./()-]{0,2}[0-9]){6,16}"
    r"(?![\w/%€$£-]|[.,:][0-9])"
)
_PHONE_WORD = re.compile(
    r"phone|tel|call|mobile|cell|fax|sms|text|whats|number|rufnummer|nummer|handy|anruf|erreich"
    r"|mobil|portable|appel|numéro|joind|llam|móvil|número|cell|numero|chiam",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d[./ -]\d{1,2}[./ -]\d{1,2}(?:\D.*)?|\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)?\d\d"
)
_NAMED_ID = re.compile(r"bsn|burgerservice|sofi|national|\bid\b", re.IGNORECASE)
_SIX_DIGITS = re.compile(r"[0-9](?:[ .+-]?[A-Za-z]?[0-9]){5}")
"""All that identifies a person here holds them, with no more than this between."""

_CAP = r"[A-ZÀ-ÖØ-Þ][\w'\u2019.-]{0,30}"
_ANY = r"[\w'\u2019.-]{1,30}"
_TOWN = rf"(?:,? {{0,2}}(?:[A-Z]{{1,2}}-)?[0-9]{{5}} {_CAP}(?: {_CAP}){{0,2}})?"
_NUMBER_FIRST = re.compile(
    # 12 Harbour View Road, Apt 4, Boston, MA 02110 · 221B Baker Street, London NW1 6XE
    r"[0-9](?<![\w.,].)[0-9]{0,4}(?:[A-Za-z]? (?:(?:N|S|E|W|North|South|East|West)\.? )?"
    rf"(?:(?:{_CAP}|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,4}}?"
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Way|Court|Place|Square|Terrace|Parkway|Highway|Row|"
    r"Crescent|Close|Gardens|Circle|Alley|Plaza|Real|(?:St|Ave|Rd|Blvd|Ln|Dr|Ct|Pl|Sq|Pkwy|Hwy)\b\.?)"
    r"(?!\w)(?:,? (?:Apt|Suite|Ste|Unit|Flat|#) ?\.?#?\w{1,6}| #\w{1,6})?"
    rf"(?:,? {_CAP}(?: {_CAP}){{0,2}},? (?:[A-Z]{{2}} [0-9]{{5}}(?:-[0-9]{{4}})?|"
    r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}))?"
    # 14 bis, rue de la Paix, 75002 Paris
    r"|(?: ?(?:bis|ter))?,? (?:rue|avenue|av\.|boulevard|bd|place|chemin|allée|"
    rf"impasse|quai|cours|square) (?:(?:de|du|des|la|le|les|l'|d'|aux?) ?){{0,3}}{_CAP}"
    rf"(?: (?:de|du|des|la|le|{_CAP})){{0,4}}{_TOWN})"
)
_GERMAN = ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer")
_GERMAN_NUMBER = re.compile("[0-9](?:" + "|".join(rf"(?<={one[1:]} .)" for one in _GERMAN) + ")")
_GERMAN_STREET = re.compile(  # Lange Gasse 7, 80331 München · Hauptstr. 12a
    rf"(?<!\w)(?:(?:{_CAP} ){{0,2}}?[A-ZÄÖÜ][\w-]{{0,30}}?(?:{'|'.join(map(re.escape, _GERMAN))})"
    rf"|{_CAP}[ -](?:{'|'.join(re.escape(one.capitalize()) for one in _GERMAN)}))"
    rf" [0-9]{{1,4}} ?[a-h]?(?!\w){_TOWN}"
)
_SOUTHERN = (
    "Calle", "C/", "Avenida", "Avda", "Plaza", "Paseo", "Carrer", "Camino", "Ronda", "Via", "Viale",
    "Piazza", "Corso", "Largo", "Vicolo",
)  # fmt: skip
_SOUTHERN_STREET = re.compile(  # Calle Mayor, 5, 28013 Madrid · Via Garibaldi 12, 20121 Milano
    rf"(?<!\w)(?:{'|'.join((*_SOUTHERN, *(one.lower() for one in _SOUTHERN)))})\.?"
    rf" (?:(?:de|del|della|dei|la|las|los|el|di|d') ?){{0,3}}{_CAP}(?: {_ANY}){{0,4}}?"
    rf",? (?:n[.ºo°]{{1,2}} ?)?[0-9]{{1,4}}(?!\w){_TOWN}"
)
_SOUTHERN_MARKS = tuple(f"{one} " for one in (*_SOUTHERN, "Avda.", *map(str.lower, _SOUTHERN)))
_BOX = re.compile(r"P(?<!\w.)\.? ?O\.? Box [0-9]{1,6}(?!\w)")

_INTRODUCTIONS = (
    "my name is", "my name's", "i am called", "mein name ist", "ich heiße", "ich bin herr",
    "ich bin frau", "je m'appelle", "je m\u2019appelle", "mon nom est", "me llamo", "mi nombre es",
    "mi chiamo", "il mio nome è",
)  # fmt: skip
_FULL_NAME = (
    rf" {{1,2}}(?:(?:Dr|Prof)\. )?((?:{_CAP})(?: (?:(?:von|van|de|der|del|della|di|da|la|le|ter|"
    rf"zu) ){{0,2}}{_CAP}){{0,3}})"
)
_INTRODUCED = re.compile(rf"(?<!\w)(?i:{'|'.join(_INTRODUCTIONS)}){_FULL_NAME}")
_ADDRESSED = re.compile(
    r"[MDPSHFd](?<!\w.)(?:r\.?|rs\.?|s\.?|x\.|rof\.|ra\.|me\b|lle\b|ig\.|ott\.|errn?\b|rau\b|"
    rf"onsieur|adame|eñora?|ignora?|ear)(?<=Mr|Mx|Dr|Sr|rs|Ms|of|ra|me|le|ig|tt|rr|rn|au|ur|or|ar|.\.)"
    rf"{_FULL_NAME}"
)
_LABELLED = re.compile(  # Full name: Ana García · {"first_name": "Ana"}
    rf"(?<![^\W_])(?i:{_NAMING_KEY})\\{{0,3}}[\"']?\s{{0,3}}[:=] {{0,3}}\\{{0,3}}[\"']?"
    + _FULL_NAME.removeprefix(" {1,2}")
)
_LABELS = ("name", "nom", "apellido")
_NOT_A_NAME = frozenset((
    "sir", "madam", "team", "customer", "support", "all", "colleagues", "friends", "sirs",
    "herren", "damen", "the", "a", "an", "not", "there", "your", "our", "my", "it", "what", "how",
    "why", "where", "who", "which", "that", "this", "just", "for", "about", "from", "to", "is",
))  # fmt: skip


def _secrets(text: str) -> Spans:
    if any(mark in text for mark in _SECRET_MARKS):
        yield from (match.span() for match in _SECRET.finditer(text))
    lower = text.lower()
    if any(word in lower for word in _CREDENTIAL_WORDS):
        yield from (match.span(1) for match in _CREDENTIAL.finditer(text) if _mixed(match[1]))
        yield from (match.span(1) for match in _QUOTED_CREDENTIAL.finditer(text))
    if "://" in text:
        yield from (match.span() for match in _URL_LOGIN.finditer(text))


def _mixed(value: str) -> bool:
    """Whether it looks like a secret and not like a word: of several kinds of characters."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return sum(any(map(kind, value.rstrip(".!?"))) for kind in kinds) >= 2


def _emails(text: str) -> Spans:
    if not ("@" in text or "[" in text or "(" in text):
        return
    for match in _EMAIL_AT.finditer(text):
        before = _EMAIL_BEFORE.search(text, max(0, match.start() - 64), match.start())
        after = _EMAIL_AFTER.match(text, match.end())
        if before and after:
            yield before.start(), after.end()


def _ibans(text: str) -> Spans:
    for match in _IBAN.finditer(text):
        start = end = match.start() - 2
        left = iban_length(text[start : start + 2].upper())
        while left and end < len(text) and (text[end].isalnum() or text[end] in " -"):
            left -= text[end].isalnum()
            end += 1
        if left == 0 and iban(re.sub("[ -]", "", text[start:end])):
            yield start, end


def _cards(text: str) -> Spans:
    for match in _CARD.finditer(text):
        if card(re.sub("[ -]", "", match[0])):
            yield match.span()


def _national_ids(text: str) -> Spans:
    if not _SIX_DIGITS.search(text):
        return
    for pattern, holds in NATIONAL_IDS:
        for match in pattern.finditer(text):
            start = match.start() - 6 * (holds is it_fiscal_code)
            if holds(re.sub("[ .+-]", "", text[start : match.end()])):
                yield start, match.end()
    pattern, holds = NAMED_IDS
    for match in pattern.finditer(text):
        if _NAMED_ID.search(text, _context(text, match.start()), match.start()) and holds(match[0]):
            yield match.span()


def _context(text: str, at: int) -> int:
    """Where what may say of which kind a number is begins before it."""
    wall = text.rfind(WALL, max(0, at - 40), at)
    return max(0, at - 40) if wall < 0 else wall


def _addresses_of_machines(text: str) -> Spans:
    if "." in text:
        yield from (match.span() for match in _IPV4.finditer(text))
    if "::" in text or text.count(":") > 4:
        for match in _IPV6.finditer(text):
            try:
                IPv6Address(match[0])
            except ValueError:
                continue
            if len(match[0]) > 4:
                yield match.span()


def _phones(text: str) -> Spans:
    for match in _PHONE.finditer(text):
        number = match[0]
        digits = sum(map(str.isdigit, number))
        before = text[_context(text, match.start()) : match.start()]
        groups = re.split(r"\D+", number.strip("()+"))
        international = number.startswith(("+", "00")) and digits >= 8
        written = len(groups) >= 2 and (
            [len(group) for group in groups] in ([3, 3, 4], [1, 3, 3, 4])
            or (number[0] in "0(" and 9 <= digits <= 13)
            or (number[0] in "6789" and [len(group) for group in groups] == [3, 3, 3])
        )
        named = 7 <= digits <= 13 and bool(_PHONE_WORD.search(before))
        if (international or written or named) and not _DATE.fullmatch(number):
            yield match.span()


def _names(text: str) -> Spans:
    """Those that a text introduces or addresses, wherever they stand in it."""
    known = set()
    lower = text.lower()
    patterns = [_ADDRESSED]
    if any(mark in lower for mark in _LABELS) and (":" in text or "=" in text):
        patterns.append(_LABELLED)
    if any(phrase in lower for phrase in _INTRODUCTIONS):
        patterns.append(_INTRODUCED)
    for pattern in patterns:
        for match in pattern.finditer(text):
            name = match[1].rstrip(".'\u2019-")
            if name.lower().partition(" ")[0] not in _NOT_A_NAME:
                known.add(name)
    if known:
        either = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
        yield from (match.span() for match in re.finditer(rf"(?<!\w)(?:{either})(?!\w)", text))


def _streets(text: str) -> Spans:
    patterns = [_NUMBER_FIRST, _BOX]
    if _GERMAN_NUMBER.search(text):
        patterns.append(_GERMAN_STREET)
    if any(mark in text for mark in _SOUTHERN_MARKS):
        patterns.append(_SOUTHERN_STREET)
    for pattern in patterns:
        yield from (match.span() for match in pattern.finditer(text))


CLASSES: dict[str, Callable[[str], Spans]] = {
    "secret": _secrets,
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "national_id": _national_ids,
    "ip": _addresses_of_machines,
    "phone": _phones,
    "address": _streets,
    "name": _names,
}
"""The [start, end) spans of each class, in any order; they may overlap."""
