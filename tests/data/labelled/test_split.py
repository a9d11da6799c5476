from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.config import SplitConfig
from sightline.data import ImageSet, Sample, split
from sightline.errors import DataError


def labelled(each: int, styles: tuple[str, ...] = ("art", "photo"), classes: int = 3) -> ImageSet:
    samples = [
        Sample(f"{style}/{label}/{i}.png", Path("x"), label, style)
        for style in styles
        for label in range(classes)
        for i in range(each)
    ]
    return ImageSet("set", tuple(samples), tuple(f"c{i}" for i in range(classes)))


def test_parts_cover_all_once_and_are_stratified() -> None:
    data = labelled(20)
    parts = split(data, SplitConfig(val=0.15, test=0.25))
    joined = np.concatenate([parts.train, parts.val, parts.test])
    assert sorted(joined.tolist()) == list(range(len(data)))
    for part, count in ((parts.val, 3), (parts.test, 5)):
        strata = [(data.samples[i].label, data.samples[i].style) for i in part]
        assert {strata.count(stratum) for stratum in set(strata)} == {count}
        assert len(set(strata)) == 6


def test_file_order_does_not_matter_but_the_seed_does() -> None:
    data = labelled(20)
    order = np.random.default_rng(0).permutation(len(data))
    parts = split(data, SplitConfig()).to_dict()
    shuffled = split(replace(data, samples=tuple(data.samples[i] for i in order)), SplitConfig()).to_dict()
    assert {k: set(v) for k, v in parts.items()} == {k: set(v) for k, v in shuffled.items()}
    assert set(split(data, SplitConfig(seed=1)).to_dict()["test"]) != set(parts["test"])


def test_a_class_too_small_for_a_part_is_named() -> None:
    with pytest.raises(DataError, match=r"the val part has no sample of c0, c1, c2; .*raise data.split.val"):
        split(labelled(3, styles=("",)), SplitConfig())


def test_without_labels_and_without_parts() -> None:
    data = ImageSet("set", tuple(Sample(f"{i}.png", Path("x")) for i in range(10)))
    parts = split(data, SplitConfig(val=0, test=0.2))
    assert (len(parts.train), len(parts.val), len(parts.test)) == (8, 0, 2)
