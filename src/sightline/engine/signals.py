"""Ctrl-C and SIGTERM end a run between two steps, with a checkpoint, instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

from sightline.runs.info import GOES_ON

HANDLED = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """A context in which the first signal only asks to stop, and is answered at once; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere (a notebook's worker, a test) signals stay as they are.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in HANDLED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.asked:
            raise KeyboardInterrupt(f"{GOES_ON} from the last checkpoint, if there is one")
        self.asked = True
        # The signal may have come in the midst of another line, whose writer cannot be entered twice.
        with contextlib.suppress(RuntimeError):
            print("\nstopping after this step; again to abort", file=sys.stderr, flush=True)
