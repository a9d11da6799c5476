"""From shards and from other file systems come the samples, the pixels and the runs of the folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from conftest import save, write_classes
from sightline.config import DataConfig
from sightline.data import UnreadableImage, decode, list_images, list_unlabelled, load_images
from sightline.data.shards import write_shards
from sightline.errors import DataError
from sightline.files import places


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("photos") / "photos", classes=2, each=5)


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "shards"
    made = write_shards(DataConfig(source=str(folder)), out, shard_bytes=8_000)
    assert made.images == 10
    assert made.shards == len(list(out.glob("*.tar"))) > 1
    return out


def facts(listing) -> list[tuple]:
    return [(s.id, s.label, s.style, s.part) for s in listing.samples]


@pytest.mark.parametrize("labels", [True, False])
def test_shards_hold_the_samples_of_the_folder(labels, folder, shards):
    ours, theirs = (list_images(DataConfig(source=str(place)), labels=labels) for place in (shards, folder))
    assert facts(ours) == facts(theirs)
    assert (ours.classes, ours.fingerprint) == (theirs.classes, theirs.fingerprint)
    assert ours.ids is ours.ids  # made once: asking for each would else take the square of their number
    for number in (7, 0, 9, 3):  # in any order
        here, there = ours.samples[number].path, theirs.samples[number].path
        assert np.array_equal(decode(here), decode(there))
        assert places.status_of(here) == places.status_of(there)
    assert facts(list_unlabelled(shards)) == facts(list_unlabelled(folder))


def test_the_pixels_of_the_folder_are_taken(folder, shards):
    said = list[str]()
    first = load_images(DataConfig(source=str(folder), image_size=24), said.append)
    second = load_images(DataConfig(source=str(shards), image_size=24), said.append)
    assert sum("decoding" in line for line in said) == 1
    assert all(np.array_equal(first[i], second[i]) for i in range(len(first)))


def test_webdataset_reads_them(folder, shards):
    rows = []
    for path in sorted(shards.glob("*.tar")):
        with path.open("rb") as file:
            members = webdataset.tariterators.tar_file_expander([{"url": str(path), "stream": file}])
            rows += list(webdataset.tariterators.group_by_keys(members))
    listing = list_images(DataConfig(source=str(folder)))
    assert [(json.loads(row["json"])["id"], int(row["cls"])) for row in rows] == [
        (sample.id, sample.label) for sample in listing.samples
    ]
    assert [row["png"] for row in rows] == [sample.path.read_bytes() for sample in listing.samples]


def test_pretraining_from_shards_is_that_from_the_folder(folder, shards, tmp_path):
    keys = {"backbone": "timm/test_resnet", "epochs": 1, "batch_size": 5, "precision": "32-true", "threads": 1,
            "method.prototypes": 16, "method.hidden": 16, "views.local_crops": 0}  # fmt: skip
    settings = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    script = "import sys; from sightline.cli.main import run\nfor source, out in zip(sys.argv[1:3], sys.argv[3:5]):\n"
    script += "    assert run(['pretrain', source, '--out', out, '--recipe', 'dino-demo', *sys.argv[5:]]) == 0"
    outs = [str(tmp_path / "of-folder"), str(tmp_path / "of-shards")]
    subprocess.run([sys.executable, "-c", script, str(folder), str(shards), *outs, *settings], check=True)
    for name in ("weights.safetensors", "metrics.jsonl"):
        assert Path(outs[0], name).read_bytes() == Path(outs[1], name).read_bytes()


def test_a_shard_that_was_cut_is_told(shards, tmp_path):
    for path in shards.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    last = sorted(tmp_path.glob("*.tar"))[-1]
    last.write_bytes(last.read_bytes()[:600])
    sample = list_images(DataConfig(source=str(tmp_path))).samples[-1]
    with pytest.raises(DataError, match="shorter than its index says"):
        decode(sample.path)


def test_a_full_folder_is_refused(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(DataError, match="is not empty"):
        write_shards(DataConfig(source=str(folder)), tmp_path)


def test_a_url_is_a_folder_of_another_file_system(folder):
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket/photos", recursive=True)
    memory.pipe("/bucket/photos/notes.txt", b"no image")
    ours, theirs = (list_images(DataConfig(source=place)) for place in ("memory://bucket/photos", str(folder)))
    assert facts(ours) == facts(theirs)
    assert (ours.classes, ours.fingerprint) == (theirs.classes, theirs.fingerprint)
    images = load_images(DataConfig(source="memory://bucket/photos", image_size=24))
    assert all(np.array_equal(images[i], decode(theirs.samples[i].path)) for i in range(10))
    again = list_images(DataConfig(source=f"file://{folder}"))
    assert [s.id for s in again.samples] == [s.id for s in theirs.samples]
    assert np.array_equal(decode(again.samples[0].path), decode(theirs.samples[0].path))


def test_a_16_bit_tiff_of_another_file_system_is_read(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = save(tmp_path / "a.tif")
    place = rasterio.Affine(2, 0, 10, 0, -2, 20)
    pixels = np.arange(3 * 20 * 20, dtype=np.uint16).reshape(3, 20, 20)
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=20, count=3, dtype="uint16", transform=place
    ) as file:
        file.write(pixels)
    fsspec.filesystem("memory").pipe("/tiffs/a.tif", path.read_bytes())
    assert np.array_equal(decode(Path("memory://tiffs/a.tif")), decode(path))


@pytest.mark.parametrize(
    ("url", "words"),
    [("memory://nothing/here", "nothing there"), ("nosuch://bucket/photos", "no file system of that name")],
)
def test_a_url_that_leads_nowhere_is_told(url, words):
    with pytest.raises(DataError, match=words):
        list_images(DataConfig(source=url))


def test_the_command_writes_shards(folder, tmp_path):
    command = [sys.executable, "-m", "sightline", "data", "shard", str(folder), "--out", str(tmp_path / "s"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["images"] == 10


def as_parquet(folder: Path, out: Path, *, struct: bool) -> Path:
    """Write the images of class folders as Hugging Face's data sets do, or as plain bytes, three rows a group."""
    samples = list_images(DataConfig(source=str(folder))).samples
    content = [sample.path.read_bytes() for sample in samples]
    images = pa.array([{"bytes": one, "path": s.path.name} for one, s in zip(content, samples, strict=True)])
    features = {"info": {"features": {"label": {"names": ["class0", "class1"], "_type": "ClassLabel"}}}}
    columns = {"id": pa.array([s.id for s in samples]), "image": images if struct else pa.array(content)}
    labels = [s.label for s in samples] if struct else [("class0", "class1")[s.label] for s in samples]
    table = pa.table({**columns, "label": pa.array(labels)})
    metadata = {"huggingface": json.dumps(features)} if struct else None
    pq.write_table(table.replace_schema_metadata(metadata), out, row_group_size=3)
    return out


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_with_image_bytes_holds_the_samples_of_the_folder(struct, folder, shards, tmp_path):
    source = as_parquet(folder, tmp_path / "photos.parquet", struct=struct)
    for place in (source, tmp_path):
        ours, theirs = (list_images(DataConfig(source=str(one))) for one in (place, folder))
        assert facts(ours) == facts(theirs)
        assert (ours.classes, ours.fingerprint) == (theirs.classes, theirs.fingerprint)
    images = load_images(DataConfig(source=str(source), image_size=24))
    assert all(np.array_equal(images[i], decode(theirs.samples[i].path)) for i in range(10))
    assert [s.id for s in list_unlabelled(source).samples] == [s.id for s in theirs.samples]
    assert list_images(DataConfig(source=str(source)), labels=False).classes == ()
    made = write_shards(DataConfig(source=str(source)), tmp_path / "shards")
    assert list_images(DataConfig(source=str(made.folder))).fingerprint == theirs.fingerprint


def test_parquet_without_ids_is_named_by_rows_and_a_wrong_one_is_told(tmp_path):
    path = save(tmp_path / "in" / "a.png")
    pq.write_table(pa.table({"image": [path.read_bytes(), b"no image"]}), tmp_path / "x.parquet")
    listing = list_images(DataConfig(source=str(tmp_path / "x.parquet")))
    assert listing.ids == ["x/000000000", "x/000000001"]
    assert np.array_equal(decode(listing.samples[0].path), decode(path))
    with pytest.raises(UnreadableImage, match="not an image"):
        decode(listing.samples[1].path)
    pq.write_table(pa.table({"image": [path.read_bytes()] * 2, "id": ["a", "a"]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="id a stands more than once"):
        list_images(DataConfig(source=str(tmp_path / "x.parquet")))
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        list_images(DataConfig(source=str(tmp_path / "x.parquet")))
