"""The levels that intervals, tests and verdicts go by, and the words that name them: no text types one by hand."""

from __future__ import annotations

from fractions import Fraction

CONFIDENCE = 0.95  # of every interval
SIGNIFICANCE = 0.05  # below it a corrected p decides
POWER = 0.8  # by convention (Cohen 1988)
DECIDING_SEEDS = 3  # of an arm: with fewer the variance between seeds is a guess, and no verdict is given

NARROW = "\u202f"  # narrow no-break space, between a number and its unit
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def percent_of(share: float) -> str:
    """Return 0.95 as "95 %", with as many digits as it has."""
    return f"{100 * share:g}{NARROW}%"


def studies_of(power: float) -> str:
    """Return 0.8 as "four studies of five"."""
    part = Fraction(power).limit_denominator(len(NUMBERS) - 1)
    return f"{NUMBERS[part.numerator]} studies of {NUMBERS[part.denominator]}"


INTERVAL = f"{percent_of(CONFIDENCE)} interval"  # as columns and sentences call it
