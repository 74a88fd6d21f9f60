"""When two texts count as the same attribute or option: colour families and fuzzy words (webshop: ``normalize_color``
and ``fuzz.token_set_ratio(...) > 85``)."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.fuzz import token_set_ratio
from rapidfuzz.utils import default_process

#: What a goal asks for: a bare value (human goals) or (group, value) (synthetic goals).
Option = str | tuple[str, str]

_COLOR_WORDS = """
    alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo
    caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream crystal
    dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green grey heather indigo ivory
    ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor
    mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal rust sand
    sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise violet walnut
    wheat white wine yellow
"""
#: A value counts as the first of these that occurs in it; the order is the original's.
COLORS = tuple(_COLOR_WORDS.split())
#: The score is rounded to a whole number (half to even) before it is compared with 85, so 85.5 passes.
_PASSES = 85.5
_LATIN_1 = dict.fromkeys(range(128, 256))


def color_family(option: Option) -> Option:
    """The first colour word that occurs in ``option``, else ``option`` itself.

    In a text a colour occurs as a substring ("ash" in "washed"). In a pair (group, value) only a whole element counts:
    so it is in the original, whose synthetic goals hand pairs to a function made for texts.
    """
    return next((color for color in COLORS if color in option), option)


@lru_cache(maxsize=1 << 16)
def words_of(option: Option) -> str:
    """``option`` as it is compared: Latin-1's upper half dropped, other signs a space, lower-cased.

    A pair becomes Python's text of a tuple, so its group's words count as well.
    """
    return default_process(str(option).translate(_LATIN_1))


@lru_cache(maxsize=1 << 16)
def alike(one: str, other: str) -> bool:
    """True where two texts prepared by :func:`words_of` score more than 85."""
    return token_set_ratio(one, other, score_cutoff=_PASSES) >= _PASSES


@lru_cache(maxsize=1 << 17)
def fulfils(chosen: str, wanted: Option) -> bool:
    """True where the option ``chosen`` counts as ``wanted`` (webshop: ``get_option_reward``)."""
    return alike(words_of(color_family(chosen)), words_of(color_family(wanted)))
