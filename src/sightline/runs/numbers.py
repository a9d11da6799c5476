"""Numbers as a reader expects them in text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sightline.confidence import NARROW

NBSP = "\u00a0"  # between the parts of "n = 140"
NO_VALUE = "–"
SMALL_P = 0.001


def percent(value: float, digits: int = 1) -> str:
    """Return 0.5412 as "54.1 %", NaN as "–"."""
    return NO_VALUE if math.isnan(value) else f"{100 * value:.{digits}f}{NARROW}%"


def signed(value: float, digits: int) -> str:
    """Return "+3.2" or "−0.4", with a minus sign as printers set it, 0 without a sign, NaN as "–"."""
    if math.isnan(value):
        return NO_VALUE
    text = f"{value:+.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def p_value(p: float) -> str:
    """Return "p = 0.012" or "p < 0.001"."""
    if p < SMALL_P:
        return f"p{NBSP}<{NBSP}{SMALL_P:g}"
    return f"p{NBSP}={NBSP}{p:.{3 if p < 0.1 else 2}f}"


def count(value: float) -> str:
    """Return 38400 as "38 400", with narrow no-break spaces."""
    return f"{value:,.0f}".replace(",", NARROW)


def size_text(size: float) -> str:
    """Return bytes as "0.5 kB", "12 kB", "3.4 MB" or "2.1 GB"."""
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:.{0 if size >= 10 else 1}f} {unit}"


def duration(seconds: float) -> str:
    """Return "42 s", "7 min 05 s" or "2 h 10 min"."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plain(value: Any) -> str:
    """Return a configuration value or a result as a reader expects it."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " – ".join(plain(item) for item in value)
    return str(value)
