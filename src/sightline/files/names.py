"""Names of files as text: printable for every name that a disk can hold, and compared as people read them."""

from __future__ import annotations

import re
import unicodedata

# Bytes that are no UTF-8, which Python keeps as lone surrogates, and control characters.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPE = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}")


def printable(name: str) -> str:
    r"""Return a name that can be printed, hashed and written as JSON; another name gives another text.

    A byte that is no UTF-8, or a control character, becomes \xHH. A name that holds such text, or both, has its
    backslashes doubled, so that nothing is lost.
    """
    if not _UNPRINTABLE.search(name) and not _ESCAPE.search(name):
        return name
    return _UNPRINTABLE.sub(lambda match: _escaped(ord(match[0])), name.replace("\\", "\\\\"))


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps byte 0x80 to 0xFF
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def composed(name: str) -> str:
    """Return a name with its accents composed (NFC): macOS keeps é as e with an accent, others as one letter."""
    return unicodedata.normalize("NFC", name)
