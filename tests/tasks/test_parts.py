"""Parts of a data set: rows and order of the unbroken run, each image once, whatever is killed."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from conftest import save, write_classes
from sightline.config import ClassifyConfig, DataConfig, EmbedConfig, resolve
from sightline.data.shards import write_shards
from sightline.engine import NoProgress
from sightline.errors import ConfigError, DataError, RunError
from sightline.runs import parts
from sightline.runs.parts import Part
from sightline.tasks.classify import classify, predict
from sightline.tasks.embed import embed, embed_part

KILLED_IMAGES = 6000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = write_classes(tmp_path_factory.mktemp("photos") / "photos", classes=2, each=15)
    (made / "class0" / "damaged.png").write_bytes(b"no image")
    return made


@pytest.fixture(scope="module")
def run(class_folder, tmp_path_factory):
    keys = {"backbone": "timm/test_resnet", "input_size": 24, "epochs": 1, "batch_size": 8, "device": "cpu"}
    config = resolve(ClassifyConfig, file={"data": {"source": str(class_folder)}}, flags=keys)
    return classify(config, tmp_path_factory.mktemp("runs") / "c", progress=NoProgress())


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 8)


def config_of(run, source: Path, **keys: object) -> EmbedConfig:
    data = {"source": str(source), "max_bad_fraction": 0.2}
    return EmbedConfig.build({"run": str(run.path), "data": data, "device": "cpu", "batch_size": 4}, keys)


def features_of(out: Path) -> np.ndarray:
    return np.stack(pq.read_table(out / "embedding.parquet")["features"].to_numpy())


def test_parts_by_ids_are_disjoint_and_whole():
    ids = [f"a/{i}.png" for i in range(1000)]
    held = [[id_ for id_ in ids if Part(i, 3).holds(id_)] for i in (1, 2, 3)]
    assert sorted(id_ for one in held for id_ in one) == sorted(ids)
    assert all(280 < len(one) < 390 for one in held)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_part_is_told(text):
    with pytest.raises(ConfigError, match="is no part; give I/N"):
        Part.parse(text)


def test_merged_parts_are_the_unbroken_run(run, folder, tmp_path, monkeypatch):
    embed(config_of(run, folder), tmp_path / "whole", progress=NoProgress())
    out, config = tmp_path / "parts", config_of(run, folder)
    with pytest.raises(DataError, match="holds no parts"):
        embed(config, out, merge=True, progress=NoProgress())
    embed_part(config, out, Part(1, 2), progress=NoProgress())
    with pytest.raises(DataError, match="1 of 2 parts are missing; run --part 2/2"):
        embed(config, out, merge=True, progress=NoProgress())
    # Ends after its first block; what it had written and not listed is made again.
    write = parts.PartFolder.write
    done = list[int]()

    def stopping(self, block, table, bad):
        if done:
            raise KeyboardInterrupt
        done.append(block)
        write(self, block, table, bad)

    with monkeypatch.context() as patch:
        patch.setattr(parts.PartFolder, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            embed_part(config, out, Part(2, 2), progress=NoProgress())
    path = out / "parts" / "2-of-2"
    assert sorted(file.name for file in path.iterdir()) == ["000000.parquet", "manifest.json"]
    first = (path / "000000.parquet").stat().st_mtime_ns
    with pytest.raises(DataError, match=r"1 of 2 blocks are not done; run it again with --part 2/2"):
        embed(config, out, merge=True, progress=NoProgress())
    (path / "000001.parquet").write_bytes(b"half")
    assert embed_part(config, out, Part(2, 2), progress=NoProgress()).bad + 1 in (1, 2)
    assert (path / "000000.parquet").stat().st_mtime_ns == first
    embed(config, out, merge=True, progress=NoProgress())
    whole, merged = (pq.read_table(tmp_path / name / "embedding.parquet") for name in ("whole", "parts"))
    assert merged["id"].to_pylist() == whole["id"].to_pylist()
    assert merged["label"].to_pylist() == whole["label"].to_pylist()
    assert len(merged) == 30
    np.testing.assert_allclose(features_of(out), features_of(tmp_path / "whole"), rtol=1e-5, atol=1e-6)
    assert yaml.safe_load((out / "config.yaml").read_text()) == yaml.safe_load(
        (tmp_path / "whole" / "config.yaml").read_text()
    )


def test_parts_of_other_inputs_or_damaged_ones_are_refused(run, folder, class_folder, tmp_path):
    config = config_of(run, folder)
    for number in (1, 2):
        embed_part(config, tmp_path, Part(number, 2), progress=NoProgress())
    with pytest.raises(DataError, match=r"is of other inputs \(data, images changed\)"):
        embed_part(config_of(run, class_folder), tmp_path, Part(1, 2), progress=NoProgress())
    with parts.locked(tmp_path / "parts" / "1-of-2" / ".lock", "it"), pytest.raises(RunError, match="is in use by"):
        embed_part(config, tmp_path, Part(1, 2), progress=NoProgress())
    with pytest.raises(ConfigError, match="parts are of all images"):
        embed_part(config_of(run, folder, split="train"), tmp_path, Part(1, 2), progress=NoProgress())
    (tmp_path / "parts" / "2-of-2" / "000000.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"000000.parquet: is gone or damaged"):
        embed(config, tmp_path, merge=True, progress=NoProgress())


def test_too_many_unreadable_images_are_too_many_the_second_time_too(run, folder, tmp_path):
    damaged = tmp_path / "damaged"
    for number in range(20):
        (damaged / "class0").mkdir(parents=True, exist_ok=True)
        (damaged / "class0" / f"{number}.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(DataError, match=r"over the 20\.0% allowed: .*, or raise data\.max_bad"):
            embed_part(config_of(run, damaged), tmp_path, Part(1, 1), progress=NoProgress())
    config = config_of(run, damaged, data={"source": str(damaged), "max_bad_fraction": 1.0})
    assert embed_part(config, tmp_path, Part(1, 1), progress=NoProgress()).bad == 20
    with pytest.raises(DataError, match=r"none of 20 images could be read; why stands in each manifest\.json"):
        embed(config, tmp_path, merge=True, progress=NoProgress())
    embed_part(config_of(run, folder), tmp_path / "two", Part(1, 2), progress=NoProgress())
    embed_part(config_of(run, folder), tmp_path / "two", Part(1, 3), progress=NoProgress())
    with pytest.raises(DataError, match=r"holds parts of 2 and of 3; remove .*\*-of-2 for example"):
        embed(config_of(run, folder), tmp_path / "two", merge=True, progress=NoProgress())


def test_a_classifier_names_images_in_parts(run, folder, tmp_path):
    good = tmp_path / "good"
    for path in folder.rglob("class*/[0-9]*.png"):
        (good / path.parent.name).mkdir(parents=True, exist_ok=True)
        (good / path.parent.name / path.name).write_bytes(path.read_bytes())
    whole, merged = tmp_path / "whole.csv", tmp_path / "out" / "merged.csv"
    predict(run.path, good, whole, device="cpu", probabilities=True)
    assert sum(predict(run.path, good, merged, device="cpu", part=f"{i}/3").images for i in (1, 2, 3)) == 30
    assert not merged.exists()
    predict(run.path, good, merged, device="cpu", probabilities=True, merge=True)
    ours, theirs = (list(csv.reader(path.read_text().splitlines())) for path in (merged, whole))
    assert [row[:3] for row in ours] == [row[:3] for row in theirs]
    values = [np.array([row[3:] for row in rows[1:]], float) for rows in (ours, theirs)]
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="is written beside the CSV that out names"):
        predict(run.path, good, None, device="cpu", part="1/2")


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_two_parts_with_kills_are_the_unbroken_parts(run, tmp_path):
    """uv run pytest -n 0 -m slow tests/tasks/test_parts.py"""
    for i in range(KILLED_IMAGES):
        save(tmp_path / "photos" / f"{i % 10}" / f"{i:06d}.png", i, 16)
    shards = tmp_path / "shards"
    write_shards(DataConfig(source=str(tmp_path / "photos"), layout="folder"), shards, shard_bytes=1_000_000)
    script = "import sys; from sightline.runs import parts; parts.BLOCK = 256\n"
    script += "from sightline.cli.main import run; sys.exit(run(sys.argv[1:]))"

    def command(out: Path, *more: str) -> list[str]:
        return [
            sys.executable,
            "-c",
            script,
            "embed",
            str(run.path),
            str(shards),
            "--out",
            str(out),
            "--device",
            "cpu",
            *more,
        ]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    kills, draw = 0, random.Random(0)
    for part in ("1/2", "2/2"):
        subprocess.run(command(tmp_path / "whole", "--part", part), check=True, env=environment)
        while True:
            folder = tmp_path / "broken" / "parts" / f"{part[0]}-of-2"
            before = len(list(folder.glob("*.parquet")))
            child = subprocess.Popen(command(tmp_path / "broken", "--part", part), env=environment)
            # Only a process that has written a block is killed, so that the work comes to its end.
            while child.poll() is None and len(list(folder.glob("*.parquet"))) <= before:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 0.5))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                kills += 1
            if child.wait() == 0:
                break
    print(f"{kills} kills")
    assert kills >= 4
    for name in ("whole", "broken"):
        subprocess.run(command(tmp_path / name, "--merge"), check=True, env=environment)
    whole, broken = (pq.read_table(tmp_path / name / "embedding.parquet") for name in ("whole", "broken"))
    assert broken.equals(whole)
    assert len(whole) == len(set(whole["id"].to_pylist())) == KILLED_IMAGES
