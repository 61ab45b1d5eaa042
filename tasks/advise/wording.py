"""What a text says, by its words: content, numbers, denials; and the form that it has.

Words are compared in one case and one way to write each character. What carries no fact is left
out: articles, prepositions, pronouns, forms of to be and to have, courtesies. Negations, words that
restrict, and number words are kept, however short they are.
"""

from __future__ import annotations

import json
import re
import unicodedata

_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W_]+")
_NOT = re.compile(r"n['\u2019]t\b|(?<=\bcan)not\b")
_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EMPTY = _words(
    """
    a an the this that these those and or of to in on at by for from with as into about it its
    he she him her his they them their we us our you your i me my is are was were be been being
    am has have had having do does did done so then there here which who whom whose what when
    where how s re ve ll d m ca wo yes true well just now also very please kindly thanks thank
    hello hi hey yo dear sir madam mr mrs ms customer welcome regards sincerely best sorry sure
    ok okay mate guys
    der die das den dem des ein eine einen einem einer eines und oder von zu zum zur im an am
    auf bei beim für mit aus als es er sie ihn ihm ihr ihre ihren ihrer wir uns unser ich mich
    mir mein du dich dir dein ist sind war waren sein wird werden hat haben hatte so dann da
    hier ja bitte danke gern gerne hallo sehr geehrte geehrter damen herren herr frau liebe
    lieber freundlichen grüßen
    le la les un une des du de et ou à au aux dans sur par pour avec il elle ils elles nous vous
    je tu est sont était être a ont avait oui merci bonjour madame monsieur cher chère
    el los las una unos unas del y o en con al se su sus es era ser ha han sí gracias hola
    lo gli i uno di del della e da per che si sono sì grazie ciao gentile signore signora
    """
)
_DENIALS = _words(
    """
    not no nor never none nothing nobody neither without except unless only false cannot
    nicht kein keine keinen keinem keiner keines nie niemals nichts niemand ohne außer nur nein
    falsch
    non ne pas jamais rien personne sans sauf seulement
    nunca nada nadie sin salvo solo sólo niente nessuno senza tranne soltanto
    """
)
_NUMBERS = _words(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty
    ninety hundred thousand million first second third half twice
    null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig
    fünfzig hundert tausend halb doppelt
    deux trois quatre cinq sept huit neuf dix vingt trente cent mille
    dos tres cuatro cinco seis siete ocho nueve diez cien
    tre quattro cinque sette otto nove dieci cento
    """
)


def content(text: str) -> frozenset[str]:
    """The words that carry what a text says, whatever their length."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return frozenset(_WORD.findall(_NOT.sub(" not", _MARK.sub(" ", plain)))) - _EMPTY


def decisive(words: frozenset[str]) -> frozenset[str]:
    """Those of some words that make another statement alone: numbers and denials."""
    return frozenset(w for w in words if w in _DENIALS | _NUMBERS or any(map(str.isdigit, w)))


def denials(words: frozenset[str]) -> frozenset[str]:
    """Those of some words that deny or restrict."""
    return words & _DENIALS


def shape(text: str) -> tuple[bool, ...]:
    """Which forms a text has: JSON, a code block, a table, a list, headings."""
    try:
        is_json = isinstance(json.loads(text), dict | list)
    except ValueError:
        is_json = False
    return (
        is_json,
        "```" in text,
        bool(re.search(r"^\s*\|.*\|\s*$", text, re.MULTILINE)),
        bool(re.search(r"^\s*(?:[-*•]|\d+[.)])\s", text, re.MULTILINE)),
        bool(re.search(r"^#{1,6}\s", text, re.MULTILINE)),
    )
