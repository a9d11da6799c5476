"""Sessions of browsers, which expire, and a cache of bounded size."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Session:
    """One browser.

    Attributes:
        key: unique, and no secret.
        used: when it last asked for something, by the clock of its `Sessions`.
        uploads: ids of its uploads, oldest first.
        ticket: number of its newest prompt; a waiting call with a lower one is stale.
        ended: whether it is over, so that an upload still under way is not kept.
        low_res: picture id and low-resolution masks of its last answer, to refine from.
    """

    key: str
    used: float
    uploads: list[str] = field(default_factory=list)
    ticket: int = 0
    ended: bool = False
    low_res: tuple[str, Any] | None = None


class Sessions:
    """Sessions by the hash of their secret, so that looking one up tells nothing by its duration.

    Args:
        idle_seconds: without a request, after which a session ends.
        limit: sessions at a time; beyond it the least used ends.
        on_end: called with each session that ends.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        idle_seconds: float,
        limit: int,
        on_end: Callable[[Session], None] = lambda session: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle, self._limit, self._on_end, self._clock = idle_seconds, limit, on_end, clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # least used first

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self) -> str:
        """Begin a session and return its secret."""
        self.sweep()
        while len(self._sessions) >= self._limit:
            self._on_end(self._sessions.popitem(last=False)[1])
        secret = secrets.token_urlsafe(32)
        self._sessions[_digest(secret)] = Session(secrets.token_hex(8), self._clock())
        return secret

    def find(self, secret: str) -> Session | None:
        """Return the session of a secret and note that it is in use; None where there is none, or it has expired."""
        self.sweep()
        session = self._sessions.get(_digest(secret))
        if session is not None:
            session.used = self._clock()
            self._sessions.move_to_end(_digest(secret))
        return session

    def end_all(self) -> None:
        """End every session."""
        while self._sessions:
            self._on_end(self._sessions.popitem(last=False)[1])

    def sweep(self) -> None:
        """End what has expired."""
        oldest = self._clock() - self._idle
        while self._sessions and next(iter(self._sessions.values())).used < oldest:
            self._on_end(self._sessions.popitem(last=False)[1])


class ByteLRU:
    """Keeps the most recently used values within a number of bytes. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes held."""
        return self._held

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any | None:
        """Return a value, now the most recently used, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: str, value: Any, size: int) -> None:
        """Keep a value of `size` bytes; the least used go until it fits, and one over the limit is not kept."""
        with self._lock:
            self._drop(key)
            while self._values and self._held + size > self.limit:
                self._drop(next(iter(self._values)))
            if size <= self.limit:
                self._values[key] = (value, size)
                self._held += size

    def drop(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if key in self._values:
            self._held -= self._values.pop(key)[1]


def bytes_held(value: Any, depth: int = 4) -> int:
    """Return about how many bytes of arrays or tensors a value holds, in attributes and containers too."""
    if isinstance(size := getattr(value, "nbytes", None), int):
        return size
    if depth == 0:
        return 0
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        slots = [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
        parts = [*getattr(value, "__dict__", {}).values(), *slots]
    return sum(bytes_held(part, depth - 1) for part in parts)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
