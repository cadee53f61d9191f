# ruff: noqa: E501
"""Text layers that are ciphers, and languages that are not."""

import random
import string

import pytest

from riskscan.ai_service.reading.legibility import is_cipher

# article 1 of the Universal Declaration of Human Rights
LANGUAGES = {
    "English": "All human beings are born free and equal in dignity and rights. They are endowed with reason and"
    " conscience and should act towards one another in a spirit of brotherhood.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen"
    " begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et"
    " de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "Finnish": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu järki"
    " ja omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä.",
    "Polish": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni"
    " rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve"
    " birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
    "Indonesian": "Semua orang dilahirkan merdeka dan mempunyai martabat dan hak-hak yang sama. Mereka dikaruniai"
    " akal dan hati nurani dan hendaknya bergaul satu sama lain dalam semangat persaudaraan.",
    "Hungarian": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és"
    " lelkiismerettel bírván, egymással szemben testvéri szellemben kell hogy viseltessenek.",
    "Khmer": "មនុស្សទាំងអស់ កើតមកមានសេរីភាព និងសមភាព ក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិ។",
    "numbers": "12.5 % 1,300,000 EUR 4/5/2026 " * 9,
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_are_legible(language: str) -> None:
    assert not is_cipher(LANGUAGES[language])


@pytest.mark.parametrize("shift", [1, 3, 7, 16, 23, 25])
def test_letters_that_are_shifted_are_a_cipher(shift: int) -> None:
    letters = string.ascii_lowercase
    table = str.maketrans(letters, letters[shift:] + letters[:shift])
    assert is_cipher(LANGUAGES["English"].lower().translate(table))


def test_letters_that_are_exchanged_are_a_cipher() -> None:
    shuffled = list(string.ascii_lowercase)
    random.Random(4).shuffle(shuffled)
    table = str.maketrans(string.ascii_lowercase, "".join(shuffled))
    assert is_cipher(LANGUAGES["English"].lower().translate(table))


def test_the_numbers_of_glyphs_are_a_cipher() -> None:
    assert is_cipher("".join(chr(max(32, ord(letter) - 29)) for letter in LANGUAGES["English"]))
    assert is_cipher("(cid:12)(cid:7)(cid:99) (cid:3)(cid:41)")
    assert is_cipher("\ue012\ue044\ue01f \ue100\uf0aa")


def test_bullets_of_symbol_fonts_are_no_cipher() -> None:
    assert not is_cipher("\uf0b7 Buy a boat\n\uf0b7 Sell the boat")
