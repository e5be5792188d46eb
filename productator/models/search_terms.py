"""Search terms: the words of a text, encoded so that every database finds the same rows.

A word is a run of letters and digits, without case and accents. Chinese and Japanese have no spaces, so
there each character is a word. A full-text index of the text itself would differ from server to server, leave
out words of one or two letters and stop words, and know few scripts. Terms are plain ASCII, which no server
changes.
"""

import re
from itertools import pairwise
from unicodedata import category, normalize

# Enough for 450 Chinese characters; terms beyond it cannot be found.
TERMS_LENGTH = 4_096
# Begins every term, and occurs nowhere else, so that it marks the beginning of a word. With it no term is too
# short for a full-text index (3 characters), and none is a stop word.
_MARK = "__"
# A full-text index takes words of up to 84 characters.
_LONGEST = 80
# Unicode does not decompose these letters into a letter and an accent, but people type the plain letter.
_PLAINLY = str.maketrans("łøđ", "lod")
_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W_{_WITHOUT_SPACES}]+")


def index_terms(text: str) -> str:
    """All terms of a name, for the column that a search reads."""
    return " ".join(dict.fromkeys(_terms(text)))[:TERMS_LENGTH]


def query_terms(text: str) -> list[str]:
    """The terms of a search, longest first, without those that another one begins with."""
    terms = sorted(set(_terms(text)))
    needed = [term for term, following in pairwise([*terms, ""]) if not following.startswith(term)]
    return sorted(needed, key=len, reverse=True)


def _terms(text: str) -> list[str]:
    return [_MARK + _ascii(word)[:_LONGEST] for word in _WORD.findall(_plain(text))]


def _plain(text: str) -> str:
    """Without accents and case, and in one form where Unicode has several."""
    if text.isascii():
        # As most texts are: looking at each character takes longer than all else.
        return text.lower()
    without_marks = "".join(each for each in normalize("NFKD", text) if not category(each).startswith("M"))
    return normalize("NFC", without_marks.casefold().translate(_PLAINLY))


def _ascii(word: str) -> str:
    if word.isascii():
        return word
    # Hexadecimal in capitals: the words have no capitals left, so no two words have the same term.
    return "".join(each if each.isascii() else each.encode().hex().upper() for each in word)
