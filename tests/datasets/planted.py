"""Personal data planted in sentences of five languages, all made up; and clean sentences."""

from __future__ import annotations

IBANS = (
    "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606",
    "ES91 2100 0418 4502 0005 1332", "IT60X0542811101000000123456", "NL91ABNA0417164300",
)  # fmt: skip
CARDS = (
    "4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009", "6011000000000004",
    "3530111333300000", "4012888888881881",
)  # fmt: skip
NATIONAL_IDS = {
    "en": ("078-05-1120", "AB 12 34 56 C"),
    "de": ("86095742719", "65 929 970 489", "756.9217.0769.85"),
    "fr": ("1 84 12 76 451 089 46", "85.07.30-033.28"),
    "es": ("12345678Z", "X1234567L"),
    "it": ("RSSMRA85T10A562S",),
}
EMAILS = (
    "ana.lopez+news@mail.example.com", "jürgen@müller-gmbh.example.de", "m.rossi@posta.example.it",
    "JEAN_PIERRE@EXAMPLE.FR", "info [at] example [dot] org", "x@sub.domain.example.co.uk",
)  # fmt: skip
SECRETS = (
    "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x", "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAIOSFODNN7EXAMPLE", "xoxb-123456789012-abcdefghijkl",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
)  # fmt: skip
IPS = ("192.168.17.4", "10.0.0.255", "2001:db8:85a3::8a2e:370:7334", "203.0.113.9")
PHONES = {
    "en": ("+1 (408) 247-8880", "408-247-8880", "020 7946 0958", "+44 20 7946 0958"),
    "de": ("+49 89 1234567", "0171 2345678", "(030) 901820"),
    "fr": ("06 12 34 56 78", "+33 6 12 34 56 78", "01.42.68.53.00"),
    "es": ("+34 612 345 678", "912 345 678"),
    "it": ("+39 06 6982 4567", "347 123 4567"),
}
ADDRESSES = {
    "en": ("221B Baker Street, London NW1 6XE", "12 Harbour View Road, Apt 4", "P.O. Box 812"),
    "de": ("Hauptstraße 12a, 80331 München", "Lange Gasse 7", "Am Alten Platz 3"),
    "fr": ("14 bis, rue de la Paix, 75002 Paris", "8 avenue des Champs", "3 place Bellecour"),
    "es": ("Calle Mayor, 5, 28013 Madrid", "Avda. de la Constitución 22", "Plaza España n.º 3"),
    "it": ("Via Garibaldi 12, 20121 Milano", "Piazza del Duomo 1", "Corso Vittorio Emanuele 40"),
}
NAMES = {
    "en": ("My name is {}.", "Dear Mrs. {},"),
    "de": ("Ich heiße {}.", "Sehr geehrte Frau {},"),
    "fr": ("Je m'appelle {}.", "Bonjour Madame {},"),
    "es": ("Me llamo {}.", "Estimada Señora {}:"),
    "it": ("Mi chiamo {}.", "Gentile Signora {},"),
}
PEOPLE = ("Ingrid Halvorsen", "Marie-Claire Dubois", "Ana García López", "Giulia de Santis")
FREE_NAMES = {
    "en": "I spoke to {} about it yesterday.", "de": "Gestern habe ich mit {} gesprochen.",
    "fr": "Hier, j'ai parlé avec {}.", "es": "Ayer hablé con {} sobre esto.",
    "it": "Ieri ho parlato con {} di questo.",
}  # fmt: skip
CARRIERS = {
    "en": ("Please use {} for this.", "I can be reached at {}, thank you.", "It is {}"),
    "de": ("Bitte nehmen Sie {} dafür.", "Meine Angabe lautet {}, danke.", "Hier: {}"),
    "fr": ("Utilisez {} pour cela.", "C'est {}, merci.", "Voici : {}"),
    "es": ("Use {} para eso.", "Es {}, gracias.", "Aquí: {}"),
    "it": ("Usi {} per questo.", "Ecco {}, grazie.", "Questo: {}"),
}
CLEAN = (
    "The meeting is on 2019-03-01 at 11:30 in room 1204, order 20190301.",
    "Version 1.2.3 costs $1,234,567.89, 12.5 % less than in 2024.",
    "Error 404 in line 1234567 of build 2026.11.21, see section 3.4.5.6b.",
    "In 1984 wurden 1.250.000 Stück verkauft, am Ring, auf dem Weg nach Hause.",
    "Le 14 juillet 1789, à 15 heures, il y avait 954 hommes sur la place.",
    "El tren de las 18:45 llega a las 20:10 al andén 3; son 25,40 euros.",
    "Alle 9:30 prende la via più breve; costa 12 euro e dura 45 minuti.",
    "The password must have eight characters and the token expires in 30 days.",
    "This is the first of three steps; my name for it is the slow lane.",
    "Take 2 of 10 and mix 250 ml with 1500 g, ratio 4:3, between 10:00 and 12:00.",
)


def planted() -> list[tuple[str, str, str]]:
    """The class, the value and a sentence that holds it, in each language."""
    found = []
    for language, carriers in CARRIERS.items():
        classes = {
            "email": EMAILS, "iban": IBANS, "card": CARDS, "secret": SECRETS, "ip": IPS,
            "national_id": NATIONAL_IDS[language], "phone": PHONES[language],
            "address": ADDRESSES[language],
        }  # fmt: skip
        for name, values in classes.items():
            found += [
                (name, value, carrier.format(value)) for value in values for carrier in carriers
            ]
        found += [
            ("name", person, carrier.format(person))
            for person in PEOPLE
            for carrier in NAMES[language]
        ]
    return found


def free_names() -> list[tuple[str, str]]:
    """Names that nothing introduces, and their sentences: what only an NER model could find."""
    return [(person, one.format(person)) for one in FREE_NAMES.values() for person in PEOPLE]
