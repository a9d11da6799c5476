"""Copy a study's result, report and figures to docs/results/, with the names of data in place of this machine's paths.

    uv run python benchmarks/publish_study.py STUDY docs/results/NAME --name /data/pacs=PACS --name /runs=runs

Numbers are not touched. Pictures of the data are not copied: publish studies that say `show_samples: false`. Of watched
tiles only what the networks drew is copied, to masks/, without the tile and its truth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sightline.files.atomic import write_bytes, write_text
from sightline.report import write
from sightline.runs.mask_history import MaskHistory


def copy_masks(index: Path, out: Path) -> list[Path]:
    """Copy the masks of a run's watched tiles, named after tile and epoch."""
    copied = []
    for watched in MaskHistory.read(index).images:
        for stage in watched.stages:
            copied.append(out / f"{Path(watched.name).stem}-epoch-{stage.epoch}.png")
            write_bytes(copied[-1], (index.parent / stage.mask).read_bytes())
    return copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--name", action="append", default=[], metavar="PATH=NAME", help="may be repeated, longest first"
    )
    arguments = parser.parse_args()
    if (arguments.study / "figures" / "samples.png").is_file():
        sys.exit(f"{arguments.study}: shows pictures of its data; run it with `show_samples: false`")
    written = write(arguments.study, arguments.out)
    for run in sorted((arguments.study / "runs").glob("*/progress/progress.json")):
        written += copy_masks(run, arguments.out / "masks" / run.parent.parent.name)
    texts = [path for path in written if path.suffix in (".html", ".md")]
    for name in ("result.json", "study.yaml"):
        texts.append(arguments.out / name)
        write_text(texts[-1], (arguments.study / name).read_text(encoding="utf-8"))
    for path in texts:
        text = path.read_text(encoding="utf-8")
        for pair in arguments.name:
            old, _, new = pair.partition("=")
            text = text.replace(old, new)
        write_text(path, text)
    print("\n".join(str(path) for path in [*written, *texts[-2:]]))


if __name__ == "__main__":
    main()
