"""`sightline embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.cli.common import Json, Merge, Out, PartOption, PathOrName, check_source, show
from sightline.cli.ending import embed_answer, end, end_part, say
from sightline.cli.flags import config_flags, run_layer
from sightline.config import EmbedConfig, from_environment, resolve
from sightline.errors import ConfigError
from sightline.runs.artifacts import EMBEDDING


@config_flags(EmbedConfig, "split", "tsne", "select", "select_by", "data.layout", "data.style", "seed", "device")
def embed(
    run: Path,
    data: PathOrName,
    /,
    *,
    out: Out,
    flags: dict[str, Any],
    part: PartOption = None,
    merge: Merge = False,
    as_json: Json = False,
) -> None:
    """Write penultimate features of a run as parquet, with k-NN accuracy where there are labels.

    Of millions of images: --part 1/4 to --part 4/4, each a process anywhere, then --merge.

    With --select also select.csv: which images to label next.

    Example: sightline embed runs/dino demo/objects --out embeddings --tsne

    Parameters
    ----------
    run
        Folder of a finished pretrain or classify run.
    data
        Images, with or without labels.
    """
    from sightline.runs import RunFolder
    from sightline.runs.parts import Part
    from sightline.runs.verbs import able_kind

    if part is not None and merge:
        raise ConfigError("--part and --merge: a part is done, or all are merged; give one of them")
    layer = run_layer(data, flags) | {"run": str(run)}
    config = resolve(EmbedConfig, environment=from_environment(), flags=layer)
    able_kind(RunFolder.open(run), "embed")
    check_source(data)
    from sightline.tasks.embed import embed as run_embed
    from sightline.tasks.embed import embed_part

    if part is not None:
        done = embed_part(config, out, Part.parse(part))
        if as_json:
            show([{"out": str(out), "images": done.images, "unreadable": done.bad}], as_json=True)
        else:
            end_part(done)
        return
    quality = run_embed(config, out, merge=merge)
    if as_json:
        show([{"out": str(out), **quality.to_dict()}], as_json=True)
        return
    say(*embed_answer(quality))
    end({"features": out / EMBEDDING}, ("serve", out))
