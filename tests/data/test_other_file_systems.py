"""Shards and Parquet files behind URLs: the samples, pixels and runs of the folder, each file fetched once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from test_shards import as_parquet, facts

from conftest import save, write_classes
from servers import http_server, s3_server
from sightline.config import DataConfig
from sightline.data import decode, list_images, list_unlabelled, load_images
from sightline.data.images import cache
from sightline.data.shards import write_shards
from sightline.errors import DataError, Unreachable
from sightline.files import fetched
from sightline.files.places import status_of

KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}

KEYS_OF_RUNS = {"backbone": "timm/test_resnet", "epochs": 2, "batch_size": 4, "precision": "32-true", "threads": 1,
                "method.prototypes": 16, "method.hidden": 16, "views.local_crops": 0}  # fmt: skip
SETTINGS = [part for key, value in KEYS_OF_RUNS.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_classes(tmp_path_factory.mktemp("photos") / "photos", classes=2, each=5)


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory) -> Path:
    return write_shards(
        DataConfig(source=str(folder)), tmp_path_factory.mktemp("shards") / "shards", shard_bytes=8_000
    ).folder


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetched, "WAITS", (0.0, 0.0))
    return tmp_path / "cache"


def same_as_the_folder(source: str, folder: Path) -> None:
    ours, theirs = (list_images(DataConfig(source=place)) for place in (source, str(folder)))
    assert facts(ours) == facts(theirs)
    assert (ours.classes, ours.fingerprint) == (theirs.classes, theirs.fingerprint)
    assert facts(list_unlabelled(Path(source))) == facts(list_unlabelled(folder))
    for number in (7, 0, 9):
        assert np.array_equal(decode(ours.samples[number].path), decode(theirs.samples[number].path))


def test_shards_and_parquet_by_http_are_the_folder_and_fetched_once(folder, shards, own_cache, tmp_path):
    shutil.copytree(shards, tmp_path / "site" / "shards")
    as_parquet(folder, tmp_path / "site" / "photos.parquet", struct=True)
    shutil.copytree(folder, tmp_path / "site" / "photos")
    with http_server(tmp_path / "site") as (root, requests):
        for source in ("shards", "photos.parquet", "photos"):
            same_as_the_folder(f"{root}/{source}", folder)
        images = load_images(DataConfig(source=f"{root}/shards", image_size=24))
        assert all(np.array_equal(images[i], decode(sample.path)) for i, sample in enumerate(images.listing.samples))
        gets = [path for method, path in requests if method == "GET" and "/photos/" not in path]
        whole = [f"/shards/{path.name}" for path in sorted(shards.iterdir())]
        assert sorted(gets) == sorted([*whole, "/photos.parquet"])
        with pytest.raises(DataError, match="nothing there"):
            list_images(DataConfig(source=f"{root}/nowhere"))
    with pytest.raises(Unreachable, match=r"cannot be reached \(.*; see to its name and to the network"):
        list_images(DataConfig(source=f"{root}/shards"))


def test_decoding_reads_each_shard_once_however_little_room_there_is(tmp_path, own_cache, monkeypatch):
    """Ids in another order than the files: whoever reads by ids would fetch a shard for nearly each image."""
    names = [save(tmp_path / "in" / f"{i}.jpg", i) for i in range(24)]
    table = "id,filename\n" + "".join(f"{i * 7 % 24:02d},{path.name}\n" for i, path in enumerate(names))
    (tmp_path / "in" / "list.csv").write_text(table)
    made = write_shards(DataConfig(source=str(tmp_path / "in" / "list.csv")), tmp_path / "shards", shard_bytes=6_000)
    largest = max(path.stat().st_size for path in made.folder.iterdir())
    assert made.shards > 6
    theirs = load_images(DataConfig(source=str(made.folder), image_size=24))
    pixels = [theirs[i].copy() for i in range(24)]
    monkeypatch.setattr(cache, "AHEAD", 4)  # fewer than two shards hold, as it is of any real ones
    monkeypatch.setenv(fetched.VARIABLE, str(5 * largest / 1e9))
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "another"))
    with http_server(tmp_path / "shards") as (root, requests):
        ours = load_images(DataConfig(source=root, image_size=24))
        gets = [path for method, path in requests if method == "GET" and path.endswith(".tar")]
        assert sorted(gets) == sorted(set(gets))
        assert len(gets) == made.shards
    assert ours.listing.ids == theirs.listing.ids != sorted(ours.listing.ids, key=lambda id_: int(id_) * 7 % 24)
    assert all(np.array_equal(ours[i], pixels[i]) for i in range(24))


def test_the_next_shard_is_fetched_ahead(shards, own_cache, tmp_path):
    with http_server(shards) as (root, requests):
        decode(list_images(DataConfig(source=root)).samples[0].path)
        with fetched._ahead:  # once the thread has ended
            pass
        assert [path for method, path in requests if method == "GET"] == [
            "/index.parquet", "/000000.tar", "/000001.tar"
        ]  # fmt: skip


def test_a_file_system_that_is_gone_is_no_damage_of_images(shards, own_cache):
    with http_server(shards) as (root, _):
        sample = list_images(DataConfig(source=root)).samples[-1]
        assert status_of(sample.path).size
    with pytest.raises(Unreachable, match="cannot be reached"):
        decode(sample.path)


@pytest.fixture
def bucket(shards, folder, monkeypatch, own_cache, tmp_path):
    """s3://photos/shards on a server of this machine; yields what is asked of it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with s3_server() as (address, requests):
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        s3 = fsspec.filesystem("s3", skip_instance_cache=True)
        type(s3).clear_instance_cache()
        s3.makedirs("photos", exist_ok=True)
        for path in shards.iterdir():
            s3.pipe(f"photos/shards/{path.name}", path.read_bytes())
        requests.clear()
        yield requests
        type(s3).clear_instance_cache()


def test_shards_of_s3_are_the_folder_and_what_is_missing_is_named(bucket, folder, shards, monkeypatch):
    same_as_the_folder("s3://photos/shards", folder)
    with fetched._ahead:
        pass
    gets = [path for method, path in bucket if method == "GET" and path.startswith("/photos/shards/")]
    assert len(gets) == len(set(gets)) > 3
    with pytest.raises(DataError, match=r"s3://nosuch/shards: nothing there .*bucket does not exist"):
        list_images(DataConfig(source="s3://nosuch/shards"))
    for name in KEYS:
        monkeypatch.delenv(name)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(Unreachable, match=r"Unable to locate credentials\); give credentials .*AWS_ACCESS_KEY_ID"):
        list_images(DataConfig(source="s3://photos/shards"))


@pytest.mark.slow
def test_pretraining_and_embedding_from_s3_are_those_from_the_folder(bucket, folder, shards, tmp_path):
    script = "import sys; from sightline.cli.main import run\nfor source, out in zip(sys.argv[1:3], sys.argv[3:5]):\n"
    script += "    assert run(['pretrain', source, '--out', out, '--recipe', 'dino-demo', *sys.argv[5:]]) == 0\n"
    script += "    assert run(['embed', out, source, '--out', out + '-features', '--part', '1/1']) == 0"
    outs = [str(tmp_path / "of-bucket"), str(tmp_path / "of-folder")]
    subprocess.run([sys.executable, "-c", script, "s3://photos/shards", str(folder), *outs, *SETTINGS], check=True)
    for name in ("weights.safetensors", "metrics.jsonl"):
        assert Path(outs[0], name).read_bytes() == Path(outs[1], name).read_bytes()
    features = [sorted(Path(f"{out}-features").rglob("*.parquet")) for out in outs]
    assert [path.read_bytes() for path in features[0]] == [path.read_bytes() for path in features[1]] != []
    gets = [path for method, path in bucket if method == "GET" and path.startswith("/photos/shards/")]
    assert sorted(gets) == [f"/photos/shards/{path.name}" for path in sorted(shards.iterdir())]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_pretrain_from_http_as_from_the_folder(folder, shards, tmp_path, monkeypatch):
    command = [sys.executable, "-m", "sightline", "pretrain", "--recipe", "dino-demo", *SETTINGS]
    command += ["--set", "devices=2", "--set", "device=cpu"]
    with http_server(shards) as (root, requests):
        for source, out in ((root, "of-url"), (str(folder), "of-folder")):
            monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / f"cache-{out}"))
            subprocess.run([*command, source, "--out", str(tmp_path / out)], check=True)
        gets = [path for method, path in requests if method == "GET"]
        assert sorted(gets) == [f"/{path.name}" for path in sorted(shards.iterdir())]
    for name in ("weights.safetensors", "metrics.jsonl"):
        assert Path(tmp_path, "of-url", name).read_bytes() == Path(tmp_path, "of-folder", name).read_bytes()
