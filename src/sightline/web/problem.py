"""Error answers of the page: a status and a sentence."""

from __future__ import annotations


class Problem(Exception):
    """An answer that says what is wrong.

    Attributes:
        status: of HTTP.
        message: for the person at the page.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
