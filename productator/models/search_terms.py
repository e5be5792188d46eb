"""The words of a text, spelt so that every database finds them alike.

A word is a run of letters and digits, without regard to case and accents; Chinese and Japanese, which are
written without spaces, have a word for each sign. What a full-text index would make of the text itself
differs from server to server, leaves out words of one or two letters and its stop words, and knows few
scripts. So it is given words of plain ASCII that none of this touches.
"""

import re
from itertools import pairwise
from unicodedata import category, normalize

# Enough for 450 signs of Chinese; what is beyond cannot be found.
WORDS_LENGTH = 4_096
# Begins every word, and stands nowhere else: what follows it is the beginning of a word. With it no word
# is too short for a full-text index (3) or a stop word.
_MARK = "__"
# A full-text index takes words of up to 84 characters.
_LONGEST = 80
# Letters that are no other letter with an accent, but are typed as one.
_PLAINLY = str.maketrans("łøđ", "lod")
_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W_{_WITHOUT_SPACES}]+")


def spelt(text: str) -> str:
    """All words of a name, for the column that is searched."""
    return " ".join(dict.fromkeys(_words(text)))[:WORDS_LENGTH]


def wanted(text: str) -> list[str]:
    """The words that a search asks for, longest first, without those that the others begin with."""
    words = sorted(set(_words(text)))
    needed = [word for word, following in pairwise([*words, ""]) if not following.startswith(word)]
    return sorted(needed, key=len, reverse=True)


def _words(text: str) -> list[str]:
    return [_MARK + _ascii(word)[:_LONGEST] for word in _WORD.findall(_plain(text))]


def _plain(text: str) -> str:
    """Without accents and case, and with one form of what can be written in several."""
    without_marks = "".join(sign for sign in normalize("NFKD", text) if not category(sign).startswith("M"))
    return normalize("NFC", without_marks.casefold().translate(_PLAINLY))


def _ascii(word: str) -> str:
    # Capitals, which words no longer have, so that no other word is spelt like this.
    return "".join(sign if sign.isascii() else sign.encode().hex().upper() for sign in word)
