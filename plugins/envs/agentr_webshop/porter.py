"""Porter's stemmer as Lucene has it (M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980).

A word is C?(VC)^m V?, where C and V are runs of consonants and vowels; the measure m of what stands before a suffix
decides whether the suffix goes. Lucene follows Martin Porter's own later version: ``bli`` -> ``ble`` instead of
``abli`` -> ``able``, ``logi`` -> ``log``, and words of one or two letters are left alone. Any character that is not a
vowel counts as a consonant, digits and signs included.
"""

from __future__ import annotations

from collections.abc import Mapping

_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "logi": "log",
}  # fmt: skip
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = dict.fromkeys(
    ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ou", "ism",
     "ate", "iti", "ous", "ive", "ize"), ""
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a lower-case word."""
    if len(word) <= 2:
        return word
    word = _step_1c(_step_1b(_step_1a(word)))
    word = _replace(word, _STEP_2, 1)
    word = _replace(word, _STEP_3, 1)
    return _step_5(_step_4(word))


def _step_1a(word: str) -> str:
    """Plurals."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _step_1b(word: str) -> str:
    """``-eed``, and ``-ed`` and ``-ing`` behind a vowel, with what they leave put right."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    start = word.removesuffix("ed") if word.endswith("ed") else word.removesuffix("ing")
    if start == word or "v" not in _shape(start):
        return word
    if start.endswith(("at", "bl", "iz")):
        return start + "e"
    if _double_consonant(start):
        return start if start[-1] in "lsz" else start[:-1]
    return start + "e" if _measure(start) == 1 and _short(start) else start


def _step_1c(word: str) -> str:
    """``y`` -> ``i`` behind a vowel."""
    return word[:-1] + "i" if word.endswith("y") and "v" in _shape(word[:-1]) else word


def _step_4(word: str) -> str:
    """Suffixes that go where m > 1; ``-ion`` only behind ``s`` or ``t``, which stay."""
    suffix = _longest(word, _STEP_4)
    if suffix is None:
        return word
    start = word[: -3 if suffix in ("sion", "tion") else -len(suffix)]
    return start if _measure(start) > 1 else word


def _step_5(word: str) -> str:
    """A last ``e``, and one of two last ``l``."""
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _replace(word: str, endings: Mapping[str, str], least: int) -> str:
    suffix = _longest(word, endings)
    if suffix is None or _measure(word[: -len(suffix)]) < least:
        return word
    return word[: -len(suffix)] + endings[suffix]


def _longest(word: str, endings: Mapping[str, str]) -> str | None:
    return next((word[-size:] for size in range(min(7, len(word)), 1, -1) if word[-size:] in endings), None)


def _shape(word: str) -> str:
    """``c`` for each consonant, ``v`` for each vowel; ``y`` is a vowel behind a consonant."""
    shape = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


def _measure(word: str) -> int:
    return _shape(word).count("vc")


def _double_consonant(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _short(word: str) -> bool:
    """Ends in consonant, vowel, consonant, the last one neither ``w``, ``x`` nor ``y``."""
    return _shape(word).endswith("cvc") and word[-1] not in "wxy"
