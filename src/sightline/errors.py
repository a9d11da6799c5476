"""The errors that Sightline raises on purpose, and the exit code of each group.

SightlineError
├── UserError            wrong use or wrong input: exit code 2, no traceback
│   ├── ConfigError      a key, value or flag that breaks a rule
│   ├── DataError        images, labels or splits that cannot be used as asked
│   │   └── Unreachable  another file system that does not answer, or says no
│   ├── WeightsError     a checkpoint that cannot be read or does not fit
│   └── RunError         a run folder that is missing, unfinished, or of another kind
├── NotAvailable         something this machine cannot have now (network, extra, hub): the arm is "not run"
└── TrainingFailed       a run that started and broke: exit code 1
    ├── NonFinite        a loss or a gradient that is not a number
    └── OutOfMemory      memory of the machine or the device that ran out
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SightlineError(Exception):
    """The root of everything Sightline raises on purpose."""

    exit_code = 1


class UserError(SightlineError):
    """Wrong use or wrong input; the message names the thing, the value, the rule and the way out."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration key, value or flag that breaks a rule."""


class DataError(UserError):
    """Images, labels or splits that cannot be used as asked."""


class Unreachable(DataError):
    """A file of another file system that cannot be read now: no damage of the file, to be remembered."""


class WeightsError(UserError):
    """A checkpoint that cannot be read, or does not fit the model."""


class RunError(UserError):
    """A run folder that is missing, unfinished, damaged, or of another kind than needed."""


class NotAvailable(SightlineError):
    """Something this machine cannot have now, for example published weights without a network."""


class TrainingFailed(SightlineError):
    """A run that started and broke."""


class NonFinite(TrainingFailed):
    """A loss or gradient became NaN or infinite; names the quantity and the step."""


class OutOfMemory(TrainingFailed):
    """Memory of the machine or the device ran out; names the batch size, and what takes less."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest of `choices`, or "" when none is near."""
    match = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" Did you mean '{match[0]}'?" if match else ""


def extra_commands(extra: str) -> str:
    """Return the commands that bring an extra of Sightline, as a message gives them."""
    return f"`uv sync --extra {extra}` or `pip install 'sightline[{extra}]'`"
