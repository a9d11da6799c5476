"""A share of a data set: of each class in each part, drawn by id, the smaller within the larger."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest

from conftest import write_tiles
from sightline.config import DataConfig, SegmentDataConfig, SplitConfig
from sightline.data import list_images, list_pairs, split, split_pairs


@pytest.mark.parametrize("with_file", [False, True])
def test_a_share_keeps_classes_and_parts_of_the_whole(class_folder, tmp_path, with_file):
    config = DataConfig(source=str(class_folder), split=SplitConfig(val=0.2, test=0.3))
    whole = split(list_images(config), config.split).to_dict()
    if with_file:
        (tmp_path / "split.json").write_text(json.dumps(whole))
        config = config.model_copy(update={"split_file": str(tmp_path / "split.json")})
    small: dict[str, list[str]] = {part: [] for part in whole}
    for share in (0.01, 0.25, 0.5):
        listing = list_images(config.model_copy(update={"share": share}))
        parts = split(listing, config.split, config.split_file).to_dict()
        for part, ids in parts.items():
            assert set(small[part]) <= set(ids) <= set(whole[part])
            every = Counter(name.partition("/")[0] for name in whole[part])
            assert Counter(name.partition("/")[0] for name in ids) == {
                label: math.ceil(share * count) for label, count in every.items()
            }
        small = parts


def test_without_labels_it_is_a_share_of_all(class_folder):
    config = DataConfig(source=str(class_folder), share=0.1)
    assert len(list_images(config, labels=False)) == 6


def test_tiles_stay_in_their_part(tmp_path):
    config = SegmentDataConfig(source=str(write_tiles(tmp_path / "tiles")))
    whole = list_pairs(config)
    parts = {part: {whole.ids[i] for i in members} for part, members in split_pairs(whole, config).items()}
    shared = config.model_copy(update={"share": 0.2})
    listing = list_pairs(shared)
    for part, members in split_pairs(listing, shared).items():
        ids = {listing.ids[i] for i in members}
        assert ids <= parts[part]
        assert len(ids) == math.ceil(0.2 * len(parts[part]))
