"""A run as it would be without some of its test samples."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.runs.artifacts import COUNTS
from sightline.runs.folder import RunFolder


class CleanRun(RunFolder):
    """A finished run whose outputs on some test samples are passed over, for any metric to be computed without them."""

    def __init__(self, run: RunFolder, without: Collection[str]) -> None:
        super().__init__(run.path)
        self._without = without

    def predictions(self) -> pa.Table:
        """Return predictions.parquet without these samples."""
        table = super().predictions()
        gone = pa.array(sorted(self._without), pa.string())
        return table.filter(pc.invert(pc.is_in(table["id"], value_set=gone)))  # pyright: ignore[reportAttributeAccessIssue]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file; of counts without these samples."""
        arrays = super().arrays(name)
        if name != COUNTS:
            return arrays
        kept = ~np.isin(arrays["ids"], sorted(self._without))
        return {key: values[kept] if len(values) == len(kept) else values for key, values in arrays.items()}
