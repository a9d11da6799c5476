"""Copies of files of other file systems: one fetch, a limit, kills, damage, changes, and readers of what is put out."""

from __future__ import annotations

import subprocess
import sys
import time

import fsspec
import pytest

from servers import http_server
from sightline.errors import ConfigError, Unreachable
from sightline.files import fetched, urls
from sightline.files.fetched import capacity, held, open_fetched, read_fetched

KB = 1000


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """Ten files of 1 kB in a bucket, a cache with room for three of them, and the names of those that are fetched."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for i in range(10):
        memory.pipe(f"/bucket/{i}.tar", bytes([i]) * KB)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    monkeypatch.setenv(fetched.VARIABLE, "4e-6")
    monkeypatch.setattr(fetched, "WAITS", (0.0, 0.0))
    fetches = list[str]()
    get_file = type(memory).get_file
    monkeypatch.setattr(
        type(memory), "get_file", lambda self, name, *more: (fetches.append(name), get_file(self, name, *more))[1]
    )
    urls.forget("memory://bucket")
    yield memory, fetches
    memory.store.clear()


def url(i: int) -> str:
    return f"memory://bucket/{i}.tar"


def content(i: int) -> bytes:
    with open_fetched(url(i)) as file:
        return file.read()


def new_process(monkeypatch) -> None:
    """Forget what a process remembers."""
    urls.forget("memory://bucket")
    monkeypatch.setattr(fetched, "_used", {})


def test_the_least_recently_used_goes_first_and_an_open_one_does_no_harm(bucket):
    _, fetches = bucket
    assert [content(i)[0] for i in (0, 1, 2, 0)] == [0, 1, 2, 0]
    assert len(fetches) == 3
    with open_fetched(url(1)) as file:
        fetched._used.clear()
        for i in (0, 2, 3):  # 1 is now the one that was used longest ago
            time.sleep(0.01)
            content(i)
        assert not list((fetched.cache_home() / "fetched").glob("*/1.tar"))
        assert file.read() == bytes([1]) * KB
    assert held() <= capacity() == 4 * KB
    assert fetches == ["/bucket/0.tar", "/bucket/1.tar", "/bucket/2.tar", "/bucket/3.tar"]
    assert content(1)[0] == 1
    assert fetches[4:] == ["/bucket/1.tar"]


def test_what_another_process_put_out_is_fetched_again(bucket):
    content(0)
    for folder in list((fetched.cache_home() / "fetched").iterdir()):
        fetched.shutil.rmtree(folder)
    assert content(0)[0] == 0


@pytest.mark.parametrize("damage", ["cut", "zeros", "without a seal"])
def test_a_damaged_copy_is_fetched_again_by_the_next_process(damage, bucket, monkeypatch, capsys):
    _, fetches = bucket
    content(7)
    (copy,) = (fetched.cache_home() / "fetched").glob("*/7.tar")
    if damage == "without a seal":
        (copy.parent / "seal.json").unlink()
    else:
        copy.write_bytes(bytes(KB) if damage == "zeros" else copy.read_bytes()[:500])
    new_process(monkeypatch)
    assert content(7) == bytes([7]) * KB
    assert len(fetches) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_changed_file_is_fetched_again_and_one_that_changes_meanwhile_is_told(bucket, monkeypatch):
    memory, fetches = bucket
    content(0)
    memory.pipe("/bucket/0.tar", b"new" * 100)
    assert len(content(0)) == KB  # of one listing there is one version
    new_process(monkeypatch)
    assert content(0) == b"new" * 100
    assert len(fetches) == 2
    urls.facts_of(url(1))
    memory.pipe("/bucket/1.tar", b"other" * 200)  # of the same size
    with pytest.raises(Unreachable, match="was changed while it was in use"):
        content(1)


def test_a_file_system_that_fails_twice_is_asked_again_and_the_words_name_the_way_out(bucket, monkeypatch):
    memory, _ = bucket

    class NoCredentialsError(Exception):
        pass

    failures: list[Exception] = [TimeoutError("timed out"), ConnectionResetError("reset")]
    get_file = type(memory).get_file

    def failing(self, *arguments):
        if failures:
            raise failures.pop()
        return get_file(self, *arguments)

    monkeypatch.setattr(type(memory), "get_file", failing)
    assert content(0)[0] == 0
    failures += [NoCredentialsError("Unable to locate credentials")] * 3
    with pytest.raises(Unreachable, match=r"memory://bucket/1\.tar: .*Unable to locate credentials.*AWS_ACCESS_KEY_ID"):
        content(1)
    with pytest.raises(FileNotFoundError):
        content(11)


def test_the_limit_is_told_where_it_is_wrong_or_too_small(bucket, monkeypatch):
    monkeypatch.setenv(fetched.VARIABLE, "4e-7")
    with pytest.raises(Unreachable, match=r"has 1e-06 GB, and copies may take 4e-07 GB .*raise SIGHTLINE_FETCHED_GB"):
        content(0)
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv(fetched.VARIABLE, wrong)
        with pytest.raises(ConfigError, match="is no number of GB above 0"):
            content(0)
    monkeypatch.delenv(fetched.VARIABLE)
    assert 0 < capacity() <= fetched.shutil.disk_usage(fetched.cache_home()).free


def test_a_few_reads_of_a_large_file_fetch_ranges_and_more_of_them_the_file(bucket, monkeypatch):
    memory, fetches = bucket
    monkeypatch.setattr(fetched, "REQUEST", 100)
    memory.pipe("/bucket/0.tar", bytes(range(250)) * 4)
    urls.forget(url(0))
    for i in range(fetched.RANGES):
        assert read_fetched(url(0), i, 2) == bytes([i, i + 1])
    assert not fetches
    assert read_fetched(url(0), 20, 2) == bytes([20, 21])
    assert fetches == ["/bucket/0.tar"]
    # A server that knows no ranges sends all.
    monkeypatch.setattr(fetched, "read_url", lambda url, begin, end: memory.cat_file(url))
    assert read_fetched(url(1), 20, 2) == b"\1\1"


READER = """
import random, sys
from sightline.files.fetched import open_fetched
draw = random.Random(int(sys.argv[2]))
for _ in range(10):
    i = draw.randrange(8)
    with open_fetched(f"{sys.argv[1]}/{i}.tar") as file:
        assert file.read() == bytes([i]) * 1000, i
"""


def test_several_processes_share_the_cache_while_others_are_killed(tmp_path, monkeypatch):
    (tmp_path / "files").mkdir()
    for i in range(8):
        (tmp_path / "files" / f"{i}.tar").write_bytes(bytes([i]) * KB)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(fetched.VARIABLE, "4e-6")
    with http_server(tmp_path / "files", pause=0.02) as (root, requests):
        start = lambda seed: subprocess.Popen([sys.executable, "-c", READER, root, str(seed)])  # noqa: E731
        readers = [start(seed) for seed in range(3)]
        while not any(method == "GET" for method, _ in requests):
            time.sleep(0.01)
        time.sleep(0.03)
        readers[2].kill()
        codes = [reader.wait(60) for reader in readers]
        assert codes[:2] == [0, 0]
        assert codes[2] in (0, -9)
        copies = [path for path in (tmp_path / "cache" / "fetched").iterdir() if not path.name.startswith(".")]
        assert all(not fetched.flaw(path) for path in copies)
        # Whatever the killed one left is swept by the next one that fetches.
        for i in range(8):
            with open_fetched(f"{root}/{i}.tar") as file:
                assert file.read() == bytes([i]) * KB
    assert held() <= capacity()
    assert not list((tmp_path / "cache" / "fetched").glob(".building-*"))
