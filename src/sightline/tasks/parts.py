"""One part of a data set, block by block: decoded ahead, computed in batches, written, and never done twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.data import ImageSet, Sample
from sightline.data.images.cache import in_order
from sightline.engine import Progress
from sightline.errors import DataError
from sightline.runs.outputs import PartDone
from sightline.runs.parts import Part, open_part, unread_line

NOTHING = pa.table({"id": pa.array([], pa.string())})  # a block none of whose images could be read
# Samples and their pixels, each uint8 (H, W, C) → columns of pyarrow arrays, a value a sample.
Rows = Callable[[Sequence[Sample], list[np.ndarray]], Mapping[str, Any]]


def members(listing: ImageSet, part: Part) -> list[Sample]:
    """Return the samples of a part, in their order."""
    return [sample for sample in listing.samples if part.holds(sample.id)]


def do_part(
    out: Path,
    part: Part,
    samples: Sequence[Sample],
    inputs: Mapping[str, Any],
    *,
    decode: Callable[[Sample], np.ndarray | str],
    rows: Rows,
    batch_size: int,
    max_bad_fraction: float,
    way_out: str = "",
    progress: Progress,
    what: str,
) -> PartDone:
    """Do what of a part is not done yet.

    Args:
        out: the folder of all parts.
        part: which.
        samples: of the part.
        inputs: what the rows are made of, JSON.
        decode: sample → pixels, or why there are none; called by threads.
        rows: samples and their pixels → columns, each of as many values; "id" is added.
        batch_size: images at a time; a block begins a batch, so that batches are the same after a kill.
        max_bad_fraction: of images that cannot be read, in all of the part, that is put up with.
        way_out: what else ends the message of too many.
        progress: told how far it is.
        what: is done, for the progress.

    Raises:
        DataError: more unreadable images than that, or the folder is of other inputs. What is done stays.
        RunError: another process does this part.
    """
    with open_part(out, part, len(samples), inputs) as folder:
        left = [block for block in range(folder.blocks) if not folder.is_done(block)]
        queue = [sample for block in left for sample in samples[slice(*folder.span(block))]]
        done = len(samples) - len(queue)
        progress.start(f"{what}, part {part.number} of {part.count}", len(samples), done, str(folder.path), "image", 1)
        with closing(in_order(queue, decode)) as stream:
            for block in left:
                begin, end = folder.span(block)
                tables: list[pa.Table] = []
                unread: list[Mapping[str, str]] = []
                for first in range(begin, end, batch_size):
                    batch = list(islice(stream, min(batch_size, end - first)))
                    good = [(sample, pixels) for sample, pixels in batch if not isinstance(pixels, str)]
                    unread += [{"id": sample.id, "reason": why} for sample, why in batch if isinstance(why, str)]
                    if good:
                        ids = pa.array([sample.id for sample, _ in good], pa.string())
                        columns = rows([sample for sample, _ in good], [pixels for _, pixels in good])
                        tables.append(pa.table({"id": ids, **columns}))
                    done += len(batch)
                    progress.advance(done, "")
                bad = [*folder.bad, *unread]
                if len(bad) > max_bad_fraction * len(samples):
                    # Before the block is listed: the same command ends in the same way.
                    progress.stop()
                    raise DataError(
                        f"{folder.path}: {len(bad)} of its {len(samples)} images cannot be read, over the "
                        f"{max_bad_fraction:.1%} allowed: {'; '.join(entry['reason'] for entry in bad[:5])}. Repair "
                        f"them, remove the folder, and start again{way_out}"
                    )
                folder.write(block, pa.concat_tables(tables or [NOTHING]), unread)
        progress.stop()
        if line := unread_line(folder.path, folder.bad):
            progress.say(line)
        return PartDone(path=folder.path, images=len(samples), bad=len(folder.bad))
