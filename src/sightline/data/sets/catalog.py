"""Data sets by name: what they are, where they come from, on what terms, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.data.sets.demo import VERSION, write_demo
from sightline.errors import DataError, nearest
from sightline.files.homes import at_home, data_home
from sightline.files.places import url_of


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Attributes:
        url: where it is.
        digest: "sha256:…" or "md5:…", as the publisher gives it.
    """

    url: str
    digest: str


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    Attributes:
        about: one line.
        licence: as far as the publisher states it.
        archives: to download; () where a person must fetch it.
        by_hand: what a person must do, where terms must be accepted first.
        page: where that is done.
        inside: the folder or CSV of the unpacked set that is opened.
        conversion: what turns the unpacked files into images that can be opened, a name of `convert.CONVERSIONS`.
    """

    about: str
    licence: str
    archives: tuple[Archive, ...] = ()
    by_hand: str = ""
    page: str = ""
    inside: str = ""
    conversion: str = ""


# The digests are the publishers' own where they give one, else those that torchvision pins.
CATALOG: dict[str, Entry] = {
    "mini-imagenet": Entry(
        "38,400 training images of 84 px, 64 classes (Vinyals et al. 2016; split of Ravi and Larochelle 2017)",
        "ImageNet's terms: non-commercial research",
        by_hand="accept ImageNet's terms, and make the 64 training classes from your copy, as class folders",
        page="https://www.image-net.org/download.php (the split: https://github.com/twitter-research/meta-learning-lstm)",
    ),
    "office-home": Entry(
        "15,500 images, 65 classes in 4 styles (Venkateswara et al. 2017)",
        "non-commercial research and education",
        by_hand="fill in the request form on the page of the data set; it comes as STYLE/CLASS folders",
        page="https://www.hemanthdv.org/officeHomeDataset.html",
    ),
    "deepglobe-landcover": Entry(
        "803 satellite tiles of 2448 px with masks of 7 classes (Demir et al. 2018)",
        "the DeepGlobe challenge's terms: research and education",
        by_hand="accept the challenge's terms on its page; it comes as NNNN_sat.jpg with NNNN_mask.png",
        page="http://deepglobe.org/challenge.html",
    ),
    "cifar-10": Entry(
        "60,000 pictures of 32 px, 10 classes (Krizhevsky 2009); opens the 50,000 of the training part",
        "none stated; free for research by custom, the report is to be cited",
        (
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        inside="train",
        conversion="cifar-10",
    ),
    "eurosat": Entry(
        "27,000 satellite pictures of 64 px, 10 classes of land use (Helber et al. 2019)",
        "MIT",
        (
            Archive(
                "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
                "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                "md5:c8fa014336c82ac7804f0398fcb19387",
            ),
        ),
        inside="2750",
    ),
    "imagenette": Entry(
        "13,000 photographs of 160 px, 10 easy classes of ImageNet (Howard 2019); opens the training part",
        "ImageNet's terms: non-commercial research",
        (
            Archive(
                "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
                "md5:e793b78cc4c9e9a4ccc0c1155377a412",
            ),
        ),
        inside="imagenette2-160/train",
    ),
    "stl10": Entry(
        "100,000 unlabelled and 13,000 labelled photographs of 96 px (Coates et al. 2011)",
        "ImageNet's terms: non-commercial research",
        (Archive("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "md5:91f7769df0f17e558f3565bffb0c7dfb"),),
        inside="unlabelled",
        conversion="stl10",
    ),
    "oxford-iiit-pet": Entry(
        "7,349 photographs of 37 breeds of cats and dogs (Parkhi et al. 2012)",
        "CC BY-SA 4.0",
        (
            Archive(
                "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c"
            ),
        ),
        inside="labels.csv",
        conversion="pets",
    ),
    "flowers-102": Entry(
        "8,189 photographs of 102 kinds of flowers (Nilsback and Zisserman 2008)",
        "research; images by their photographers",
        (
            Archive(
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
                "md5:52808999861908f626f3c1f4e79d11fa",
            ),
        ),
        inside="jpg",
    ),
}
# `demo` alone is the labelled pictures, which every verb can use.
DEMO = {
    "demo": "objects",
    "demo/unlabelled": "unlabelled",
    "demo/pool": "pool.csv",
    "demo/objects": "objects",
    "demo/landcover": "landcover",
}


def demo_home() -> Path:
    """Return where the demo's pictures are, once they are made: each version of them in a folder of its own."""
    return data_home() / f"demo-{VERSION}"


def find(source: str) -> Path:
    """Return the path that a source means: itself, or a named data set; the demo is made on first use.

    Raises:
        DataError: a known name that was not fetched yet, or neither a path nor a name.
    """
    path = at_home(source)
    if url_of(source) or path.exists():
        return path
    if source in DEMO:
        home = demo_home()
        if not (home / "pool.csv").is_file():
            try:
                write_demo(home)
            except DataError:
                if not (home / "pool.csv").is_file():  # not another process that was faster
                    raise
        return home / DEMO[source]
    if source in CATALOG:
        home = data_home() / source
        if home.is_dir():
            return home / CATALOG[source].inside
        if CATALOG[source].by_hand:
            raise DataError(f"data.source = {source!r}: not here. {by_hand_text(source)}")
        raise DataError(f"data.source = {source!r}: not fetched yet; run `sightline data fetch {source}`")
    names = [*DEMO, *CATALOG]
    raise DataError(
        f"data.source = {source!r}: no such folder or file, and no data set of that name.{nearest(source, names)} "
        f"Known names: {', '.join(names)}"
    )


def by_hand_text(name: str) -> str:
    """Return how a data set is got whose terms a person must accept, and the folder that it goes to."""
    entry = CATALOG[name]
    return f"{entry.about}. By hand: {entry.by_hand}. Page: {entry.page}. Then put the files under {data_home() / name}"


def catalog_rows() -> list[dict[str, Any]]:
    """Return one row a known data set, for a table."""
    return [
        {
            "name": name,
            "about": entry.about,
            "licence": entry.licence,
            "how": "by hand" if entry.by_hand else "downloads by itself",
            "here": "yes" if (data_home() / name).is_dir() else "no",
        }
        for name, entry in CATALOG.items()
    ]
