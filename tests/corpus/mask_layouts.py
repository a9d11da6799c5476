"""Layouts of images with masks: folders, names, annotations of other programs, and which part each image is in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from conftest import save
from corpus.case import Case, Refused
from sightline.config import DataConfig, SegmentDataConfig
from sightline.data import holds_masks, list_images, list_pairs, load_masks
from sightline.run_lengths import encode_rle, run_lengths

SECTION = "Layouts of masks"
SIDE = 24
INNER = np.zeros((SIDE, SIDE), bool)
INNER[6:12, 8:18] = True
CORNERS = [[8.0, 6.0], [18.0, 6.0], [18.0, 12.0], [8.0, 12.0]]
FLAT = [value for corner in CORNERS for value in corner]
RELATIVE = " ".join(str(value / SIDE) for value in FLAT)


def tree(*names: str, **files: str) -> Callable[[Path], None]:
    """Return what writes files below data/: masks where a name says so, pictures else, and texts."""

    def make(folder: Path) -> None:
        for i, name in enumerate(names):
            path = folder / "data" / name
            words = name.lower().replace("_", "/").replace("-", "/").replace(".", "/").split("/")
            if set(words) & {"masks", "mask", "labels", "label", "gt", "seg", "annotations", "segmentationclass"}:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(INNER.astype(np.uint8) * 255).save(path)
            else:
                save(path, i, SIDE)
        for name, text in files.items():
            path = folder / "data" / name.replace("__", "/").replace("_txt", ".txt").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return make


def pairs(layout: str = "auto", below: str = "data") -> Callable[[Path], list[str]]:
    """Return what tells each image with its mask, and its part."""

    def look(folder: Path) -> list[str]:
        root = folder / below
        listing = list_pairs(SegmentDataConfig.build({"source": str(root), "layout": layout}))
        short = lambda path: path.relative_to(root).as_posix()  # noqa: E731
        return [f"{short(p.image)} {short(p.mask)}" + (f" {p.part}" if p.part else "") for p in listing.pairs]

    return look


def drawn(layout: str = "auto") -> Callable[[Path], str]:
    """Return what tells the classes of annotations and the pixels of each in the first image."""

    def look(folder: Path) -> str:
        images = load_masks(SegmentDataConfig.build({"source": str(folder / "data"), "layout": layout}), split=False)
        mask = images.mask(0)
        counts = np.bincount(mask.ravel(), minlength=256)
        told = [f"{name} {counts[i]}" for i, name in enumerate(images.palette.classes)]
        return ", ".join(told) + (f", ignored {counts[255]}" if counts[255] else "")

    return look


def unlabelled(folder: Path) -> list[str]:
    """Return the images that pretraining takes."""
    return list_images(DataConfig(source=str(folder / "data"))).ids


def has_masks(folder: Path) -> bool:
    return holds_masks(SegmentDataConfig(source=str(folder / "data")))


def coco(
    *segmentations: Any, path: str = "annotations/instances.json", name: str = "a.jpg", **changes: Any
) -> Callable[[Path], None]:
    """Return what writes one image and COCO's annotations of it, of the categories car, road, …"""

    def make(folder: Path) -> None:
        save(folder / "data" / "images" / "a.jpg", 0, SIDE)
        categories = [
            {"id": 10 * i + 10, "name": ("car", "road", "tree")[i]} for i in range(max(1, len(segmentations)))
        ]
        content = {
            "images": [{"id": 1, "file_name": name, "width": SIDE, "height": SIDE}],
            "categories": categories,
            "annotations": [
                {"id": i, "image_id": 1, "category_id": 10 * i + 10, "iscrowd": 0, "segmentation": segmentation}
                for i, segmentation in enumerate(segmentations)
            ],
        } | changes
        file = folder / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))

    return make


def yolo(*lines: str, names: str = "names: [car, road]\n") -> Callable[[Path], None]:
    return tree(
        "images/a.jpg", "images/b.jpg", labels__a_txt="\n".join(lines), **({"data_yaml": names} if names else {})
    )


def labelme(*shapes: Any, also: tuple[str, ...] = ()) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in ("a.jpg", *also):
            save(folder / "data" / name, 0, SIDE)
        content = {"version": "5.0.1", "flags": {}, "imagePath": "a.jpg", "imageData": None, "shapes": list(shapes)}
        (folder / "data" / "a.json").write_text(json.dumps(content))

    return make


def project(state: str, **changes: Any) -> Callable[[Path], None]:
    """Return what writes a project of the page at data/, of one picture that is at pictures/."""

    def make(folder: Path) -> None:
        save(folder / "pictures" / "a.jpg", 0, SIDE)
        settings = {"format": "sightline-project", "version": 1, "pictures": "../pictures"}
        settings["classes"] = [{"value": 1, "name": "car", "color": "#3478d4"}]
        item = {"id": "first", "value": 1, "mask": encode_rle(INNER)}
        work = {"version": 1, "picture": "a.jpg", "width": SIDE, "height": SIDE, "state": state, "objects": [item]}
        (folder / "data" / "objects").mkdir(parents=True)
        (folder / "data" / "project.json").write_text(json.dumps(settings))
        (folder / "data" / "objects" / "a.jpg.json").write_text(json.dumps(work | changes))

    return make


def shape(label: Any, kind: str = "polygon", points: Any = CORNERS, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, **more}


def case(name: str, make: Callable[[Path], object], expected: Any, look: Any = None, says: str = "") -> Case:
    return Case(name, make, look or pairs(), expected, SECTION, says)


CAR = "background 516, car 60"
MORE = tuple(f"{c}.jpg" for c in "abcdef")

CASES = [
    # -- folders
    *(
        case(f"{images} and {masks}", tree(f"{images}/a.jpg", f"{masks}/a.png"), [f"{images}/a.jpg {masks}/a.png"])
        for images, masks in (
            ("images", "masks"),
            ("imgs", "masks"),
            ("img", "mask"),
            ("image", "label"),
            ("Images", "Masks"),
            ("IMAGES", "LABELS"),
            ("images", "labels"),
            ("images", "annotations"),
            ("images", "gt"),
            ("JPEGImages", "SegmentationClass"),
        )
    ),
    *(
        case(
            f"images and masks named {end}",
            tree("images/a.jpg", f"masks/a{end}.png"),
            [f"images/a.jpg masks/a{end}.png"],
        )
        for end in ("_mask", "-mask", "_label", "_labels", "_gt", "_seg", "_MASK")
    ),
    case(
        "DeepGlobe's names in folders",
        tree("images/1_sat.jpg", "masks/1_mask.png"),
        ["images/1_sat.jpg masks/1_mask.png"],
    ),
    case(
        "an image named as a mask is",
        tree("images/a_mask.jpg", "masks/a_mask.png"),
        ["images/a_mask.jpg masks/a_mask.png"],
    ),
    case(
        "parts inside", tree("images/train/a.jpg", "masks/train/a.png"), ["images/train/a.jpg masks/train/a.png train"]
    ),
    *(
        case(
            f"{part} outside",
            tree(f"{part}/images/a.jpg", f"{part}/masks/a.png"),
            [f"{part}/images/a.jpg {part}/masks/a.png {name}"],
        )
        for part, name in (
            ("train", "train"),
            ("Training", "train"),
            ("val", "val"),
            ("valid", "val"),
            ("validation", "val"),
            ("Test", "test"),
            ("train2017", "train"),
            ("val2017", "val"),
        )
    ),
    case(
        "one name in two parts",
        tree("train/images/a.jpg", "train/masks/a.png", "val/images/a.jpg", "val/masks/a.png"),
        ["train/images/a.jpg train/masks/a.png train", "val/images/a.jpg val/masks/a.png val"],
    ),
    case(
        "below a folder named masks",
        tree("masks/set/images/a.jpg", "masks/set/masks/a.png"),
        ["images/a.jpg masks/a.png"],
        pairs(below="data/masks/set"),
        "Folders above the source do not count.",
    ),
    case(
        "below a folder named images",
        tree("images/set/images/a.jpg", "images/set/masks/a.png"),
        ["images/a.jpg masks/a.png"],
        pairs(below="data/images/set"),
    ),
    case(
        "folders named images twice",
        tree("images/set/images/a.jpg", "images/set/masks/a.png"),
        ["images/set/images/a.jpg images/set/masks/a.png"],
    ),
    case(
        "two images of one name",
        tree("images/a.jpg", "images/a.png", "masks/a.png"),
        Refused("images/a.jpg, images/a.png", "masks/a.png"),
    ),
    case(
        "two masks of one image",
        tree("images/a.jpg", "masks/a.png", "masks/a_mask.png"),
        Refused("two masks", "masks/a.png", "masks/a_mask.png"),
    ),
    case("masks in two folders", tree("images/a.jpg", "masks/a.png", "gt/a.png"), Refused("two masks", "gt/a.png")),
    case(
        "an image without a mask",
        tree("images/a.jpg", "images/b.jpg", "masks/a.png"),
        Refused("no mask for images/b.jpg"),
    ),
    case(
        "a mask without an image",
        tree("images/a.jpg", "masks/a.png", "masks/b.png"),
        Refused("no image for masks/b.png"),
    ),
    case(
        "VOC's images without masks",
        tree("JPEGImages/a.jpg", "JPEGImages/b.jpg", "SegmentationClass/a.png"),
        ["JPEGImages/a.jpg SegmentationClass/a.png"],
        says="In Pascal VOC only some images have a mask.",
    ),
    case(
        "VOC's lists",
        tree(
            "JPEGImages/a.jpg",
            "JPEGImages/b.jpg",
            "SegmentationClass/a.png",
            "SegmentationClass/b.png",
            ImageSets__Segmentation__train_txt="a\n",
            ImageSets__Segmentation__val_txt="b\n",
        ),
        ["JPEGImages/a.jpg SegmentationClass/a.png train", "JPEGImages/b.jpg SegmentationClass/b.png val"],
    ),
    # -- beside
    case("DeepGlobe", tree("1_sat.jpg", "1_mask.png"), ["1_sat.jpg 1_mask.png"]),
    case("DeepGlobe in parts", tree("train/1_sat.jpg", "train/1_mask.png"), ["train/1_sat.jpg train/1_mask.png train"]),
    *(
        case(f"beside the image {end}", tree("a.jpg", f"a{end}.png"), [f"a.jpg a{end}.png"])
        for end in ("_mask", "-mask", "_label", "_labels", "_gt", "_seg", "_Mask")
    ),
    case("beside, two images", tree("a.jpg", "a.png", "a_mask.png"), Refused("a.jpg, a.png", "a_mask.png")),
    case("DeepGlobe, two images", tree("3_sat.jpg", "3_sat.png", "3_mask.png"), Refused("3_sat.jpg, 3_sat.png")),
    case("one file named as a mask", tree(*MORE, "a_mask.png"), Refused("no images with masks")),
    case("no masks", tree("a.jpg", "b.jpg"), Refused("no images with masks", "masks/")),
    case(
        "pairs asked for, folders there", tree("images/a.jpg", "masks/a.png"), Refused("layout = pairs"), pairs("pairs")
    ),
    case("folders asked for", tree("images/a.jpg", "masks/a.png"), ["images/a.jpg masks/a.png"], pairs("folders")),
    # -- pretraining
    case(
        "images of folders",
        tree("images/a.jpg", "masks/a.png"),
        ["images/a.jpg"],
        unlabelled,
        "Without labels: the images.",
    ),
    case("images of DeepGlobe", tree("train/1_sat.jpg", "train/1_mask.png"), ["train/1_sat.jpg"], unlabelled),
    case("images with masks beside", tree("a.jpg", "a_mask.png"), ["a.jpg"], unlabelled),
    case(
        "images, few with masks",
        tree("images/a.jpg", "images/b.jpg", "masks/a.png"),
        ["images/a.jpg", "images/b.jpg"],
        unlabelled,
    ),
    case("photographs, one named as a mask", tree(*MORE, "a_mask.png"), [*sorted((*MORE, "a_mask.png"))], unlabelled),
    case("class folders stay", tree("cat/1.jpg", "dog/1.jpg"), False, has_masks),
    # -- COCO
    case("COCO polygons", coco([FLAT]), CAR, drawn(), "Polygons of COCO."),
    case("COCO, a flat polygon", coco(FLAT), CAR, drawn()),
    case("COCO run lengths", coco(encode_rle(INNER)), CAR, drawn()),
    case("COCO plain run lengths", coco({"size": [SIDE, SIDE], "counts": run_lengths(INNER)}), CAR, drawn()),
    case(
        "COCO, two categories",
        coco([FLAT], [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]]),
        "background 500, car 60, road 16",
        drawn(),
    ),
    case(
        "COCO, a small object on a large one",
        coco([[0, 0, 24, 0, 24, 24, 0, 24]], [FLAT]),
        "background 0, car 516, road 60",
        drawn(),
    ),
    case("COCO without objects", coco(), "background 576, car 0", drawn()),
    case("COCO beside the images", coco([FLAT], path="images/_annotations.coco.json"), CAR, drawn()),
    case("COCO above the images", coco([FLAT], path="result.json", name="images/a.jpg"), CAR, drawn()),
    case("COCO with a Windows path", coco([FLAT], path="result.json", name="images\\a.jpg"), CAR, drawn()),
    case("COCO asked for", coco([FLAT]), CAR, drawn("coco")),
    case(
        "COCO of a part",
        coco([FLAT], path="annotations/instances_val2017.json"),
        ["images/a.jpg annotations/instances_val2017.json val"],
    ),
    case(
        "COCO, boxes alone",
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 10, "bbox": [1, 2, 3, 4]}]),
        Refused("boxes"),
    ),
    case("COCO, an image not there", coco([FLAT], name="b.jpg"), Refused("b.jpg", "not there")),
    case("COCO, an odd polygon", coco([[1.0, 2.0, 3.0]]), Refused("three points"), drawn()),
    case("COCO, a far polygon", coco([[0, 0, 1e9, 0, 1e9, 1e9]]), Refused("far from its image"), drawn()),
    case("COCO, words for numbers", coco([["a", "b", "c", "d", "e", "f"]]), Refused("expected numbers"), drawn()),
    case("COCO, short run lengths", coco({"size": [SIDE, SIDE], "counts": [3, 4]}), Refused("run lengths"), drawn()),
    case("COCO, run lengths of another size", coco({"size": [2, 2], "counts": [4]}), Refused("size [2, 2]"), drawn()),
    case("COCO, an unknown category", coco([FLAT], categories=[{"id": 3, "name": "x"}]), Refused("category 10")),
    case("COCO, a category without a name", coco([FLAT], categories=[{"id": 10}]), Refused("categories[0]", "name")),
    case(
        "COCO of another size",
        coco([FLAT], images=[{"id": 1, "file_name": "a.jpg", "width": 12, "height": 12}]),
        Refused("24×24", "12×12"),
        drawn(),
    ),
    # -- YOLO
    case("YOLO", yolo(f"0 {RELATIVE}"), "background 516, car 60, road 0", drawn(), "Polygons of YOLO."),
    case("YOLO, class 1", yolo(f"1 {RELATIVE}"), "background 516, car 0, road 60", drawn()),
    case("YOLO, names by number", yolo(f"0 {RELATIVE}", names="names:\n  0: car\n"), CAR, drawn()),
    case("YOLO, no names", yolo(f"0 {RELATIVE}", names=""), "background 516, class 0 60", drawn()),
    case("YOLO, no objects", yolo("", names="names: [car]\n"), "background 576, car 0", drawn()),
    case("YOLO, boxes", yolo("0 0.5 0.5 0.1 0.1"), Refused("line 1", "box")),
    case("YOLO, a class too high", yolo(f"2 {RELATIVE}"), Refused("class 2", "2 classes")),
    case("YOLO, words", yolo("car 1 2 3 4 5 6"), Refused("line 1", "numbers")),
    case("YOLO, an odd line", yolo("0 0.1 0.2 0.3 0.4 0.5 0.6 0.7"), Refused("line 1", "three points")),
    case("YOLO, broken names", yolo(f"0 {RELATIVE}", names="names: [car"), Refused("data.yaml", "YAML")),
    case(
        "YOLO, a name that is none", yolo(f"0 {RELATIVE}", names='names: ["\\UFFFFFFFF"]'), Refused("data.yaml", "YAML")
    ),
    # -- labelme
    case("labelme", labelme(shape("car")), CAR, drawn(), "Shapes of labelme."),
    case("labelme, a rectangle", labelme(shape("car", "rectangle", [[8, 6], [18, 12]])), CAR, drawn()),
    case("labelme, a circle", labelme(shape("car", "circle", [[12, 12], [12, 14]])), "background 563, car 13", drawn()),
    case("labelme, a line beside", labelme(shape("car"), shape("car", "line", [[0, 0], [5, 5]])), CAR, drawn()),
    case("labelme, ignored", labelme(shape("__ignore__")), "background 516, ignored 60", drawn()),
    case("labelme without shapes", labelme(), "background 576", drawn()),
    case("labelme, an image without", labelme(shape("car"), also=("b.jpg",)), Refused("no annotation for b.jpg")),
    case(
        "labelme, two points",
        labelme(shape("car", points=[[1, 2], [3, 4]])),
        Refused("shape 0", "three points"),
        drawn(),
    ),
    case("labelme, no label", labelme(shape(None)), Refused("shape 0 has no label")),
    case(
        "labelme, a broken mask",
        labelme(shape("car", "mask", [[1, 1], [3, 3]], mask="!!")),
        Refused("no picture"),
        drawn(),
    ),
    # -- projects of the page
    case("project, a picture that is done", project("done"), CAR, drawn(), "A project of `sightline serve`."),
    case("project, a picture that is begun", project("begun"), "background 0, car 60, ignored 516", drawn()),
    case("project, all skipped", project("skipped"), Refused("no picture of this project is begun or done")),
    case("project, of a later version", project("done", version=2), Refused("a.jpg.json", "install a newer one")),
    case("project, an object of another size", project("done", width=12), Refused("another size"), drawn()),
    case("project, a size that is none", project("done", width=10**9), Refused("over the limit"), drawn()),
]
