"""Whether an answer declines to answer, or says that it cannot know: by its words."""

from __future__ import annotations

import re

from tasks.evaluate.answers.text import folded, without_citations
from tasks.records import Answer

_WITHIN = 300
"""Who declines says so at the beginning."""

_SAID = {
    "en": (
        r"\bi (?:can ?not|cant|could not|couldnt|wont|will not|am unable|am not able|must decline)",
        r"\bim (?:sorry|afraid)\b.{0,20}\b(?:cant|can ?not|wont|unable|not able)",
        r"\bi (?:do not|dont) (?:know|have (?:that|this|any|enough|access))",
        r"\bim (?:not able|unable) to\b",
        r"\b(?:passages?|documents?|sources?|context|text|collection|information)\b.{0,40}"
        r"\b(?:do not|does not|dont|doesnt|did not|didnt)\b.{0,20}"
        r"\b(?:say|state|mention|contain|answer|tell|provide|specify)",
        r"\bno (?:passage|document|source|information|answer)\b.{0,40}"
        r"\b(?:found|says|states|mentions|contains|answers|available)",
        r"\bnothing (?:good enough )?(?:was )?found\b",
        r"\bnot (?:stated|mentioned|specified) in\b",
        r"\bcan ?not be (?:answered|determined)\b|\bthere is no (?:information|mention)\b",
        r"\bas an ai\b|\bagainst my (?:guidelines|policy|policies)\b",
        r"(?:^|\bsorry\W{1,3}(?:but )?|\b(?:i|we) )(?:can ?not|cant|wont|will not|not able to)"
        r" (?:help|assist|comply|provide|share)\b",
    ),
    "de": (
        r"\b(?:kann|darf|werde|möchte) ich\b.{0,40}\bnicht\b",
        r"\bich (?:kann|darf|werde|möchte)\b.{0,40}\bnicht\b",
        r"\bweiß ich nicht\b|\bich weiß (?:es |das )?nicht\b|\bals ki\b",
        r"\b(?:dokumente?n?|quellen?|textstellen?|abschnitten?|unterlagen)\b.{0,30}"
        r"\b(?:sag|nenn|erwähn|enthalt|enthält|beantwort|steh|geh)\w*\b.{0,30}\b(?:nichts?|kein\w*)\b",
        r"\b(?:dokumente?n?|quellen?|textstellen?|abschnitten?|unterlagen)\b.{0,40}"
        r"\b(?:nicht|kein\w*)\b.{0,30}\b(?:genannt|erwähnt|angegeben|enthalten|beantwortet|hervor)",
        r"\bkeine (?:angaben?|informationen|antwort)\b",
    ),
    "fr": (
        r"\bje ne (?:peux|puis|sais|suis)\b.{0,12}\bpas\b|\bje refuse\b|\ben tant quia\b",
        r"\b(?:documents?|passages?|sources?|extraits?)\b.{0,40}\bn(?:e )?"
        r"(?:di|mentionn|contien|précis|répond|indiqu|permet)\w*.{0,12}\bpas\b",
        r"\baucune? (?:information|réponse|document|passage)\b",
    ),
    "es": (
        r"\bno (?:puedo|sé)\b|\bno tengo (?:información|acceso|datos|suficiente|conocimiento)",
        r"\b(?:documentos?|pasajes?|fuentes?)\b.{0,20}\bno "
        r"(?:dice|mencion|contien|indic|especific|respond|proporcion)",
        r"\bno hay información\b|\bcomo (?:un )?modelo de (?:ia|lenguaje)\b",
    ),
    "it": (
        r"\bnon (?:posso|so|sono in grado)\b|\bnon ho (?:informazioni|accesso|dati|abbastanza)",
        r"\b(?:document[oi]|passagg\w+|font[ei])\b.{0,20}\bnon "
        r"(?:dic|menzion|conten|contien|indic|specific|rispond|forni)",
        r"\bnessuna informazione\b|\bin quanto (?:ia|modello)\b",
    ),
    "pt": (
        r"\bnão (?:posso|sei|consigo)\b|\bnão tenho (?:informaç|acesso|dados|como)",
        r"\b(?:documentos?|trechos?|fontes?)\b.{0,20}\bnão "
        r"(?:diz|mencion|cont[eéê]m|indic|especific|respond|fornec)|\bnão há informaç",
    ),
    "nl": (
        r"\b(?:ik kan|kan ik|ik mag|ik weet)\b.{0,40}\bniet\b",
        r"\b(?:documenten|passages|bronnen)\b.{0,30}"
        r"\b(?:vermeld|noem|zeg|bevat|geven|geeft|beantwoord)\w*\b.{0,20}\b(?:niets?|geen)\b",
        r"\b(?:documenten|passages|bronnen)\b.{0,40}\b(?:niet|geen)\b.{0,30}"
        r"\b(?:vermeld|genoemd|beantwoord)|\bgeen informatie\b",
    ),
    "pl": (r"\bnie (?:mogę|wiem|potrafię|jestem w stanie)\b|\bbrak informacji\b",),
    "ru": (
        r"\bя не (?:могу|знаю|буду)\b|\bне могу (?:помочь|ответить)\b",  # noqa: RUF001
        r"\bнет информации\b",  # noqa: RUF001
    ),
    "zh": (r"(?:我|抱歉|对不起).{0,8}(?:无法|不能|不知道)|没有(?:提到|说明|相关信息)",),
    "ja": (
        r"(?:お答え|回答|お手伝い|提供).{0,8}(?:できません|できかねます)|わかりません",
        r"記載(?:が|は)?ありません",
    ),
}
_REFUSAL = re.compile("|".join(rule for rules in _SAID.values() for rule in rules))


def declines(answer: Answer) -> bool:
    """Whether no answer was given: nothing was found to answer from, or its words refuse."""
    return answer.outcome == "nothing found" or refuses(without_citations(answer.text))


def refuses(answer: str) -> bool:
    """Whether the beginning of the answer declines, or says that the answer is not known.

    In English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Chinese and
    Japanese. An answer of no words declines too.
    """
    said = folded(answer).replace("'", "").replace("\u2019", "")
    return not said or _REFUSAL.search(said[:_WITHIN]) is not None
