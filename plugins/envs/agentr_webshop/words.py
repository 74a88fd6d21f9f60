"""Words of a text by the rules of Unicode (UAX #29, emoji of UTS #51), as Lucene's StandardTokenizer finds them.

A word is a run of letters, digits and underscores with a letter or digit in it. A colon, dot or apostrophe between two
letters joins them, a comma, semicolon, dot or apostrophe between two digits does so too, and nothing joins a letter to
a digit across a sign. Ideographs and Hiragana stand alone, runs of Katakana and of South-East Asian letters are words
of their own, and so is an emoji. The code points are those of Unicode 12.1; Hebrew's quotation marks inside words and
the digits and letters of ancient scripts beyond U+FFFF are the only rules left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

#: Lucene cuts longer words into pieces of this length.
LONGEST = 255

#: Looking back for an underscore keeps a search linear in a long run of them, which is no word.
_ASCII = re.compile(
    r"""(?<!_)_*[^\W_]\w* (?: (?: (?<=[a-zA-Z])[:.'](?=[a-zA-Z]) | (?<=[0-9])[.,;'](?=[0-9]) ) \w+ )*""",
    re.ASCII | re.VERBOSE,
)

# Contents of character classes. What Python's \w calls a letter or digit and is none here:
_NUMBERS = (
    "\xb2\xb3\xb9\xbc-\xbe\u09f4-\u09f9\u0b72-\u0b77\u0bf0-\u0bf2\u0c78-\u0c7e\u0d58-\u0d5e\u0d70-\u0d78\u0f2a-\u0f33"
    "\u1369-\u137c\u17f0-\u17f9\u2070\u2074-\u2079\u2080-\u2089\u2150-\u215f\u2189\u2460-\u249b\u24ea-\u24ff"
    "\u2776-\u2793\u2cfd\u3006\u3192-\u3195\u3220-\u3229\u3248-\u324f\u3251-\u325f\u3280-\u3289\u32b1-\u32bf"
    "\ua830-\ua835\uff9e\uff9f\U0001f100-\U0001f10c"
)
_SOUTH_EAST = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f"
    "\u1780-\u17d3\u17d7\u17dc\u17dd\u1950-\u1974\u1980-\u19c9\u19da\u19de\u19df\u1a20-\u1a5e\u1a60-\u1a7c"
    "\u1aa0-\u1aad\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaac2\uaadb-\uaadf"
)
_SINGLE = (  # Han and Hiragana
    "\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3007\u3021-\u3029\u3038-\u303a\u3041-\u3096\u309d-\u309f\u3400-\u4db5"
    "\u4e00-\u9fef\uf900-\ufa6d\ufa70-\ufad9\U0001b001-\U0001b11e\U0001b150-\U0001b152\U00020000-\U0002fa1d"
)
_KATAKANA = (
    "\u3031-\u3035\u309b\u309c\u30a0-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u32d0-\u32fe\u3300-\u3357\uff66-\uff9d"
    "\U0001b000\U0001b164-\U0001b167"
)
# ... and what is a letter and not in \w:
_LETTERS_TOO = (
    "\u02c2-\u02c5\u02d2-\u02d7\u02de\u02df\u02ed\u02ef-\u02ff\u055b\u055c\u055e\u05f3\u24b6-\u24e9\ua720\ua721"
    "\ua789\ua78a\uab5b\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"
)
_JOINS_LETTERS = ":.'\xb7\u0387\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
_JOINS_DIGITS = (
    ",;.'\u037e\u0589\u060c\u060d\u066c\u07f8\u2018\u2019\u2024\u2044\ufe10\ufe14\ufe50\ufe52\ufe54\uff07\uff0c"
    "\uff0e\uff1b"
)
_UNDERSCORES = "_\u202f\u203f\u2040\u2054\ufe33\ufe34\ufe4d-\ufe4f\uff3f"
_EMOJI = (
    "\xa9\xae\u203c\u2049\u2122\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf\u23e9-\u23f3\u23f8-\u23fa"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714"
    "\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27a1"
    "\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f0ff"
    "\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f16f\U0001f18e\U0001f191-\U0001f19a\U0001f1ad-\U0001f1e5"
    "\U0001f200-\U0001f20f\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f23c-\U0001f23f\U0001f249-\U0001f53d"
    "\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f\U0001f7d5-\U0001f7ff\U0001f80c-\U0001f80f"
    "\U0001f848-\U0001f84f\U0001f85a-\U0001f85f\U0001f888-\U0001f88f\U0001f8ae-\U0001f8ff\U0001f90c-\U0001f93a"
    "\U0001f93c-\U0001f945\U0001f947-\U0001fffd"
)
_FLAG = "\U0001f1e6-\U0001f1ff"


def words(text: str) -> list[str]:
    """The words of ``text`` in order, in its own letter case."""
    found: list[str] = (_ASCII if text.isascii() else _unicode()).findall(text)
    if len(text) > LONGEST and any(len(word) > LONGEST for word in found):
        return [word[at : at + LONGEST] for word in found for at in range(0, len(word), LONGEST)]
    return found


@cache
def _unicode() -> re.Pattern[str]:
    """The pattern for any text; it is built when the first text beyond ASCII comes."""
    x = f"[{_extend()}]"
    letters = rf"(?:(?:[^\W\d_{_NUMBERS}{_SOUTH_EAST}{_SINGLE}{_KATAKANA}]|[{_LETTERS_TOO}])+{x}*)+"
    digits = rf"(?:[\d\u066b]+{x}*)+"
    joined = (
        f"(?:{letters}(?:[{_JOINS_LETTERS}]{x}*{letters})*|{digits}(?:[{_JOINS_DIGITS}]{x}*{digits})*)+",
        f"(?:[{_KATAKANA}]{x}*)+",
    )
    part, line = "(?:" + "|".join(joined) + ")", f"(?:[{_UNDERSCORES}]{x}*)"
    marks = rf"(?:(?!\ufe0f|\u20e3){x})*"
    emoji = rf"[{_EMOJI}](?:(?!\ufe0f){x})*\ufe0f?"  # nothing but a joiner comes after the emoji variation selector
    return re.compile(
        rf"(?<![{_UNDERSCORES}]){line}*{part}(?:{line}+{part})*{line}*"
        rf"|[{_SINGLE}]{x}*"
        rf"|\u200d?{emoji}(?:(?:(?<=\u200d)|\u200d){emoji})*"
        rf"|[{_FLAG}]{x}*[{_FLAG}]{x}*"
        rf"|[#*]{marks}\ufe0f?\u20e3{marks}"
        rf"|(?:[{_SOUTH_EAST}]{x}*)+"
    )


def _extend() -> str:
    """Marks and format characters, which belong to the character before them."""
    planes = (range(0xAD, 0xAE), range(0x300, 0xD800), range(0xFB00, 0x10000))
    marks = (chr(code) for plane in planes for code in plane if _is_mark(chr(code)))
    return "".join(marks) + "\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0001-\U000e01ef"


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf") and char != "\u200b"
