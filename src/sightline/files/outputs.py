"""The rule for files that a command writes beside a user's own: never onto an input, and no two of one name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sightline.errors import DataError


def check_outputs(outputs: Mapping[Path, Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs that would replace an input. Nothing is written before all of them are known to be safe.

    Args:
        outputs: target → the input that it is made from.
        inputs: every file that is read, whether a target is made from it or not.

    Raises:
        DataError: a target is an input.
    """
    originals = {_place(path): path for path in inputs}
    for target, source in outputs.items():
        if (original := originals.get(_place(target))) is not None:
            raise DataError(
                f"{target}: the output for {source} would replace {original}, which is an input; "
                "nothing was written. Give another --out"
            )


def one_name_each(targets: Iterable[tuple[Path, Path]]) -> dict[Path, Path]:
    """Return target → source of (source, target) pairs.

    Raises:
        DataError: two sources would be written to one target.
    """
    outputs: dict[Path, Path] = {}
    for source, target in targets:
        if (other := outputs.setdefault(target, source)) != source:
            raise DataError(
                f"{other} and {source} would both be written to {target}; nothing was written. "
                "Rename one of them, or give them one by one with another --out each"
            )
    return outputs


def _place(path: Path) -> Path:
    return path.resolve()
