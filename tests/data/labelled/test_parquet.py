"""Which Parquet files are a source, what their rows are, and how often they are read."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sightline.config import DataConfig
from sightline.data import ImageSet, list_images, list_unlabelled
from sightline.data.shards import write_shards
from sightline.errors import DataError
from sightline.files import parquet_rows
from sightline.files.places import read_place, status_of


def png(value: int = 0) -> bytes:
    file = BytesIO()
    Image.new("L", (4, 4), value).save(file, "PNG")
    return file.getvalue()


def write(path: Path, count: int = 2, *, rows: int | None = None, **columns: Any) -> Path:
    """Write images, `rows` a group, with other columns beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": [png(i) for i in range(count)], **columns}), path, row_group_size=rows)
    return path


def opened(path: Path, **options: Any) -> ImageSet:
    return list_images(DataConfig(source=str(path), **options))


@pytest.fixture
def groups(monkeypatch) -> list[tuple[Any, int]]:
    """Row groups in the order in which they are read."""
    read, values = list[tuple[Any, int]](), parquet_rows._values
    monkeypatch.setattr(
        parquet_rows, "_values", lambda file, group: (read.append((file, group)), values(file, group))[1]
    )
    return read


def test_image_files_stay_the_data_set_beside_parquet(tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(png())
    write(tmp_path / "a.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for layout in ("auto", "classes"):
        listing = opened(tmp_path, layout=layout)
        assert (listing.ids, listing.classes) == (["cat/1.png", "dog/1.png"], ("cat", "dog"))
        assert listing.said() == [
            f"{tmp_path}: passed over 2 Parquet file beside image files; give the file itself to take its images "
            "(a.parquet, broken.parquet)"
        ]
    assert list_unlabelled(tmp_path).ids == listing.ids
    assert opened(tmp_path / "a.parquet").ids == ["a/000000000", "a/000000001"]
    with pytest.raises(DataError, match=r"a\.parquet: layout csv is none of Parquet; leave layout out"):
        opened(tmp_path / "a.parquet", layout="csv")


def test_files_with_images_are_taken_wherever_they_stand(tmp_path):
    pq.write_table(pa.table({"features": [1.0]}), tmp_path / "a.parquet")
    for name in ("b", "c"):
        write(tmp_path / f"{name}.parquet", 1)
    (tmp_path / "._b.parquet").write_bytes(b"a note of macOS")
    listing = opened(tmp_path)
    assert listing.ids == ["b/000000000", "c/000000000"]
    assert "1 file of no image (.parquet) (a.parquet)" in map(str, listing.passed)
    with pytest.raises(DataError, match="has no STYLE/CLASS folders"):
        opened(tmp_path, style="art")
    with pytest.raises(DataError, match="no images found as layout 'folder'"):
        opened(tmp_path, layout="folder")
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"d\.parquet: cannot be read as Parquet"):
        opened(tmp_path)
    with pytest.raises(DataError, match=r"a\.parquet: no column of image bytes \(features\); name it image"):
        opened(tmp_path / "a.parquet")


def test_names_of_files_are_parts_as_names_of_folders_are(tmp_path):
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        write(tmp_path / "data" / f"{name}.parquet", 1)
    assert [s.part for s in opened(tmp_path).samples] == ["train", "train", "val"]
    write(tmp_path / "data" / "Test.parquet", 1)
    write(tmp_path / "data" / "extra.parquet", 1, split=["train"])
    write(tmp_path / "data" / "unsupervised-00000-of-00001.parquet", 1)
    parts = {sample.id.partition("/")[0]: sample.part for sample in opened(tmp_path).samples}
    assert parts["Test"] == "test"
    assert parts["extra"] == "train"
    assert parts["unsupervised-00000-of-00001"] == ""
    # One part alone divides nothing: it is split as usual.
    assert [s.part for s in opened(tmp_path / "data" / "Test.parquet").samples] == [""]


def test_an_empty_label_is_none(tmp_path):
    listing = opened(write(tmp_path / "a.parquet", 4, label=["", "cat", None, " "]))
    assert listing.classes == ("cat",)
    assert listing.labels.tolist() == [-1, 0, -1, -1]


def test_an_id_that_stands_twice_names_both_places_and_the_way_out(tmp_path):
    for name, ids in (("a", ["x", "y"]), ("b", ["z", "w"]), ("c", ["v", "z"])):
        write(tmp_path / f"{name}.parquet", id=ids)
    with pytest.raises(
        DataError, match=r"c\.parquet: id z .*in row 1 and in row 0 of .*b\.parquet; .*leave the column"
    ):
        opened(tmp_path)


def test_a_group_is_read_in_pieces_that_an_array_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "PIECE", 1)
    path = write(tmp_path / "a.parquet", 5)
    assert [read_place(sample.path) for sample in opened(path).samples] == [png(i) for i in range(5)]
    assert parquet_rows._group(path, path.stat().st_mtime_ns, 0).num_chunks == 5


def test_sizes_of_many_files_are_read_once(tmp_path, groups):
    for number in range(40):
        write(tmp_path / f"{number:02d}.parquet", 1)
    samples = opened(tmp_path).samples
    sizes = [status_of(sample.path).size for _ in range(2) for sample in samples]
    assert sizes == [len(png())] * 80
    assert len(groups) == 40


def test_shards_of_parquet_read_each_row_group_once(tmp_path, groups):
    source = write(tmp_path / "a.parquet", 12, rows=2, id=[f"{5 * i % 12:02d}" for i in range(12)])
    made = write_shards(DataConfig(source=str(source)), tmp_path / "shards")
    assert [group for _, group in groups] == [0, 1, 2, 3, 4, 5]
    ours, theirs = opened(made.folder), opened(source)
    assert ours.ids == theirs.ids == [f"{i:02d}" for i in range(12)]
    assert ours.fingerprint == theirs.fingerprint
    assert all(read_place(a.path) == read_place(b.path) for a, b in zip(ours.samples, theirs.samples, strict=True))
