"""Tables and lists of images, as Excel, Windows, pandas and graders write them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import save
from corpus.case import Case, Refused
from sightline.config import DataConfig, SplitConfig
from sightline.data import list_images, split
from sightline.data.labelled.listing import list_unlabelled

TABLE = "data/t.csv"
ROWS = {"0": "im0.jpg/a", "1": "im1.jpg/b"}


def listed(folder: Path, name: str = TABLE, **options: Any) -> Any:
    return list_images(DataConfig(source=str(folder / name), **options))


def rows(folder: Path) -> dict[str, str]:
    """Return id → file/label, as training reads the table."""
    listing = listed(folder)
    labels = [listing.classes[s.label] if s.label >= 0 else "" for s in listing.samples]
    return {
        s.id: f"{s.path.relative_to(folder / 'data').as_posix()}/{label}"
        for s, label in zip(listing.samples, labels, strict=True)
    }


def notes(folder: Path) -> list[str]:
    return list(listed(folder).notes)


def parts(folder: Path) -> dict[str, list[str]]:
    return split(listed(folder), SplitConfig(val=0.0, test=0.0)).to_dict()


def unclear(folder: Path) -> str:
    return listed(folder).unclear


def named(name: str = TABLE, root: str | None = None) -> Callable[[Path], list[tuple[str, str]]]:
    """Return (id, filename) as `predict` reads them."""
    return lambda folder: [
        (sample.id, sample.filename)
        for sample in list_unlabelled(folder / name, folder / root if root else None).samples
    ]


def paths(name: str) -> Callable[[Path], list[str]]:
    """Return the files of a list, below data/."""
    return lambda folder: [s.path.relative_to(folder / "data").as_posix() for s in listed(folder, name).samples]


def points(folder: Path) -> dict[str, int]:
    """Return how many points each image of a table of prompts has."""
    from sightline.tasks.prompt.requests import read_prompts  # with torch, which no other line needs

    return {name: len(request.prompts.points) for name, request in read_prompts(folder / TABLE).items()}


def table(
    text: str | bytes, *images: str, encoding: str = "utf-8", name: str = TABLE, also: tuple[str, ...] = ()
) -> Callable[[Path], None]:
    """Return what writes a table, and images below data/: im0.jpg and im1.jpg where none is named."""

    def make(folder: Path) -> None:
        for i, image in enumerate((*(images or ("im0.jpg", "im1.jpg")), *also)):
            save(folder / "data" / image, i, size=4)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))

    return make


def usual(separator: str = ",", end: str = "\n", header: str = "id,filename,label", first: str = "") -> str:
    lines = [header, "0,im0.jpg,a", "1,im1.jpg,b", ""]
    return first + end.join(line.replace(",", separator) for line in lines)


NFC, NFD = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
HEAD = "id,filename,label\n"
FILES = {"im0.jpg": "im0.jpg/a", "im1.jpg": "im1.jpg/b"}


def raw_name(name: bytes) -> Callable[[Path], None]:
    """Return what renames im0.jpg to any bytes."""
    return lambda folder: os.rename(folder / "data/im0.jpg", os.path.join(os.fsencode(folder), b"data", name))


def then(*steps: Callable[[Path], object]) -> Any:
    return lambda folder: [step(folder) for step in steps]


CASES = [
    Case("id, filename, label", table(usual()), rows, ROWS, "CSV"),
    Case("images/ beside the table", table(usual(), "images/im0.jpg", "images/im1.jpg"), rows,
         {"0": "images/im0.jpg/a", "1": "images/im1.jpg/b"}, "CSV"),
    Case("semicolons", table(usual(";")), rows, ROWS, "CSV"),
    Case("tabs", table(usual("\t")), rows, ROWS, "CSV"),
    Case("bars", table(usual("|")), rows, ROWS, "CSV"),
    Case("a .tsv", then(table(usual("\t"), name="data/t.tsv")), lambda f: listed(f, "data/t.tsv").ids, ["0", "1"]),
    Case("Excel's sep=;", table("sep=;\n" + usual(";")), rows, ROWS, "CSV"),
    Case("CRLF", table(usual(end="\r\n")), rows, ROWS),
    Case("CR alone", table(usual(end="\r")), rows, ROWS),
    Case("no line break at the end", table(usual().rstrip()), rows, ROWS),
    Case("empty lines", table(usual().replace("\n", "\n\n")), rows, ROWS),
    Case("empty cells at the end, as Excel leaves them", table(usual() + ",,\n,,\n"), rows, ROWS),
    Case("a separator at the end of rows", table(HEAD + "0,im0.jpg,a,\n1,im1.jpg,b,,\n"), rows, ROWS),
    Case("another case", table(usual(header="ID,FileName,LABEL")), rows, ROWS, "CSV"),
    Case("spaces after the commas", table("id, filename, label\n0, im0.jpg, a\n1, im1.jpg, b\n"), rows, ROWS, "CSV"),
    Case("spaces before them", table("id ,filename ,label\n0 ,im0.jpg ,a\n1 ,im1.jpg ,b\n"), rows, ROWS),
    Case("a label with a space at its end", table(HEAD + "0,im0.jpg,a\n1,im1.jpg,a \n"), rows,
         {"0": "im0.jpg/a", "1": "im1.jpg/a"}, "CSV"),
    Case("is said", table(HEAD + "0,im0.jpg,a\n1,im1.jpg,a \n"), notes,
         ["spaces around the text of 1 rows are left out, the first in line 3"]),
    Case("UTF-8 with its mark", table(usual(), encoding="utf-8-sig"), rows, ROWS, "CSV"),
    Case("UTF-16", table(usual(), encoding="utf-16"), rows, ROWS, "CSV"),
    Case("UTF-16 without its mark", table(usual(), encoding="utf-16-le"), rows, ROWS),
    Case("UTF-16, the other order", table(usual(), encoding="utf-16-be"), rows, ROWS),
    Case("UTF-32", table(usual(), encoding="utf-32"), rows, ROWS),
    Case("UTF-16 with tabs, as Excel saves Unicode text", table(usual("\t"), encoding="utf-16"), rows, ROWS),
    Case("Windows-1252", table(HEAD + "0,ñ.jpg,straße\n", "ñ.jpg", encoding="cp1252"), rows, {"0": "ñ.jpg/straße"},
         "CSV"),
    Case("Windows-1252 is said", table(HEAD + "0,ñ.jpg,a\n", "ñ.jpg", encoding="cp1252"), notes,
         ["read as Windows-1252, for it is no UTF-8; save it as UTF-8 if letters are wrong"]),
    Case("neither of them", table(HEAD.encode() + b"0,\x81.jpg,a\n"), rows, Refused("neither UTF-8 nor", "save it as")),
    Case("half a letter of UTF-16", table(usual().encode("utf-16") + b"\x00"), rows, Refused("no utf-16 text")),
    Case("backslashes", table(HEAD + "0,sub\\im0.jpg,a\n", "sub/im0.jpg"), rows, {"0": "sub/im0.jpg/a"}, "CSV"),
    Case("backslashes and images/", table(HEAD + "0,images\\im0.jpg,a\n", "images/im0.jpg"), rows,
         {"0": "images/im0.jpg/a"}),
    Case("a dot and a slash", table(HEAD + "0,./im0.jpg,a\n"), rows, {"0": "im0.jpg/a"}),
    Case("no id", table("filename,label\nim0.jpg,a\nim1.jpg,b\n"), rows, FILES, "CSV", "the file name is the id"),
    Case("pandas' own first column", table(",filename,label\n0,im0.jpg,a\n1,im1.jpg,b\n"), rows, FILES, "CSV"),
    Case("only file names", table("filename\nim0.jpg\nim1.jpg\n"), rows, {"im0.jpg": "im0.jpg/",
         "im1.jpg": "im1.jpg/"}),
    Case("more columns", table("id,size,filename,label,by\n0,9,im0.jpg,a,me\n1,9,im1.jpg,b,me\n"), rows, ROWS),
    Case("columns in another order", table("label,filename,id\na,im0.jpg,0\nb,im1.jpg,1\n"), rows, ROWS),
    *[Case(f"column {name} for the file", table(usual(header=f"id,{name},label")), rows, ROWS) for name in (
        "file", "file_name", "image", "path", "filepath", "image_path", "image_name", "img",
        "File Name", "file-name", "Image Path")],
    *[Case(f"column {name} for the label", table(usual(header=f"id,filename,{name}")), rows, ROWS) for name in (
        "class", "category", "target", "class_name", "Class Name")],
    Case("an id that is the file, as on Kaggle", table("image_id,label\nim0,a\nim1,b\n"), rows,
         {"im0": "im0.jpg/a", "im1": "im1.jpg/b"}, "CSV"),
    Case("is said so", table("image_id,label\nim0,a\n"), notes,
         ["column image_id is taken for the file names, for there is no column filename"]),
    Case("file names without suffix", table(HEAD + "0,im0,a\n1,im1,b\n"), rows, ROWS, "CSV"),
    Case("that may mean two files", table(HEAD + "0,im0,a\n", also=("im0.png",)), rows,
         Refused("im0 may mean im0.jpg or im0.png")),
    Case("a stem with dots", table(HEAD + "0,im.0,a\n", "im.0.jpg"), rows, {"0": "im.0.jpg/a"}),
    Case("composed in the table, decomposed on the disk", table(HEAD + f"0,{NFC},a\n", NFD), rows, {"0": f"{NFD}/a"},
         "CSV"),
    Case("and the other way round", table(HEAD + f"0,{NFD},a\n", NFC), rows, {"0": f"{NFC}/a"}),
    Case("a folder likewise", table(HEAD + f"0,{NFC}/im0.jpg,a\n", f"{NFD}/im0.jpg"), rows, {"0": f"{NFD}/im0.jpg/a"}),
    Case("both on the disk", table(HEAD + f"0,{NFC},a\n1,{NFD},b\n", NFC, NFD), rows,
         {"0": f"{NFC}/a", "1": f"{NFD}/b"}),
    Case("labels composed and decomposed", table(HEAD + f"0,im0.jpg,{NFC}\n1,im1.jpg,{NFD}\n"),
         lambda f: list(listed(f).classes), [NFC]),
    Case("Windows' names, table and disk", then(table(HEAD.encode() + b"0,\xf1.jpg,a\n"), raw_name(b"\xf1.jpg")),
         lambda f: listed(f).ids, ["0"]),
    Case("a name as our own CSV writes it", then(table(HEAD + "0,\\xf1.jpg,a\n"), raw_name(b"\xf1.jpg")),
         lambda f: listed(f).ids, ["0"]),
    Case("quoted", table('"id","filename","label"\n"0","im0.jpg","a"\n"1","im1.jpg","b"\n'), rows, ROWS, "CSV"),
    Case("a separator in quotes", table(HEAD + '0,"a,b.jpg",a\n', "a,b.jpg"), rows, {"0": "a,b.jpg/a"}),
    Case("quotes in quotes", table(HEAD + '0,im0.jpg,"the ""big"" one"\n'), rows, {"0": 'im0.jpg/the "big" one'}),
    Case("a line break in quotes", table(HEAD + '0,im0.jpg,"a\nb"\n'), rows, {"0": "im0.jpg/a\\x0ab"}),
    Case("an open quote", table(HEAD + '0,im0.jpg,"a\n1,im1.jpg,b\n'), rows, Refused("line 2", "quotation mark")),
    Case("a quote within a text", table(HEAD + '0,im0.jpg,"a"b\n'), rows, Refused("line 2", "quotation mark")),
    Case("a short row", table(HEAD + "0,im0.jpg,a\n1\n"), rows, Refused("line 3: has 1 cells, fewer than the 3"),
         "CSV"),
    Case("a long row", table(HEAD + "0,im0.jpg,a,b\n"), rows, Refused("line 2: has 4 cells, more than the 3"), "CSV"),
    Case("a decimal comma", table(HEAD + "0,im0.jpg,1,5\n"), rows, Refused("line 2", "quote a text")),
    Case("an id twice", table(HEAD + "0,im0.jpg,a\n0,im1.jpg,b\n"), rows, Refused("id given more than once: 0"), "CSV"),
    Case("a file twice, without ids", table("filename,label\nim0.jpg,a\nim0.jpg,b\n"), rows,
         Refused("filename given more than once: im0.jpg")),
    Case("a file under two ids", table(HEAD + "0,im0.jpg,a\n1,im0.jpg,b\n"), rows,
         {"0": "im0.jpg/a", "1": "im0.jpg/b"}),
    Case("a column twice", table("id,filename,id\n0,im0.jpg,1\n"), rows, Refused("column id more than once")),
    Case("a field over 128 kB", table(HEAD + f"0,im0.jpg,{'a' * 140_000}\n"), rows, Refused("line 2", "field larger")),
    Case("a zero byte", table(HEAD + "0,im0\0.jpg,a\n"), rows, Refused("line 2", "zero byte")),
    Case("an image named .csv", table(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(99)), rows, Refused("t.csv")),
    Case("empty", table(""), rows, Refused("is empty", "id,filename,label"), "CSV"),
    Case("only a mark", table(b"\xef\xbb\xbf"), rows, Refused("is empty")),
    Case("only blank lines", table("\n\n \n"), rows, Refused("is empty")),
    Case("a header alone", table(HEAD), rows, Refused("no images found", "a header and no rows"), "CSV"),
    Case("no header", table("0,im0.jpg,a\n1,im1.jpg,b\n"), rows, Refused("no column filename; found 0, im0.jpg, a")),
    Case("an empty file name", table(HEAD + "0,,a\n"), rows, Refused("1 rows have an empty filename, in line 2")),
    Case("an empty id", table(HEAD + ",im0.jpg,a\n"), rows, Refused("1 rows have an empty id, in line 2")),
    Case("one label is empty", table(HEAD + "0,im0.jpg,a\n1,im1.jpg,\n"), rows, Refused("1 rows have an empty label")),
    Case("all labels are empty", table(HEAD + "0,im0.jpg,\n1,im1.jpg,\n"), rows, {"0": "im0.jpg/", "1": "im1.jpg/"}),
    Case("and why", table(HEAD + "0,im0.jpg,\n"), unclear, "column label is empty"),
    Case("no column of labels", table("id,filename\n0,im0.jpg\n"), unclear, "no column label (id, filename)"),
    Case("a file that is not there", table(HEAD + "0,gone.jpg,a\n"), rows, Refused("names 1 files", "gone.jpg")),
    Case("a path from Windows", table(HEAD + "0,C:\\x\\im0.jpg,a\n"), rows, Refused("names 1 files")),
    Case("a name of 300 letters", table(HEAD + f"0,{'x' * 300}.jpg,a\n"), rows, Refused("names 1 files")),
    Case("a folder for a file", table(HEAD + "0,sub,a\n", "sub/im0.jpg"), rows, Refused("names 1 files")),
    Case("a column split", table("filename,label,split\nim0.jpg,a,train\nim1.jpg,a,test\n"), parts,
         {"train": ["im0.jpg"], "val": [], "test": ["im1.jpg"]}, "CSV"),
    Case("other words for the parts",
         table("filename,label,subset\nim0.jpg,a,Training\nim1.jpg,a,VALID\nim2.jpg,a,Test\n",
         "im0.jpg", "im1.jpg", "im2.jpg"), parts, {"train": ["im0.jpg"], "val": ["im1.jpg"], "test": ["im2.jpg"]}),
    Case("an empty part is for training", table("filename,label,split\nim0.jpg,a,\nim1.jpg,a,test\n"), parts,
         {"train": ["im0.jpg"], "val": [], "test": ["im1.jpg"]}),
    Case("a part that is none", table("filename,label,split\nim0.jpg,a,hold\n"), rows,
         Refused("line 2: split = 'hold'; expected train, val or test")),
    Case("no train among the parts", table("filename,label,split\nim0.jpg,a,test\n"), parts, Refused("none of them")),
    Case("predict: ids and names", table("id,filename\n7,im0.jpg\n"), named(), [("7", "im0.jpg")]),
    Case("predict: images/ beside it", table("id,filename\n7,im0.jpg\n", "images/im0.jpg"), named(), [("7",
         "im0.jpg")]),
    Case("predict: --root", table("id,filename\n7,im0.jpg\n", "else/im0.jpg"), named(root="data/else"),
         [("7", "im0.jpg")]),
    Case("predict: not at --root", table("id,filename\n7,im0.jpg\n"), named(root="data/else"),
         Refused("names 1 files")),
    Case("predict: no id", table("file\nim0.jpg\n"), named(), [("im0.jpg", "im0.jpg")]),
    Case("predict: Windows-1252", table("id,filename\n1,ñ.jpg\n", "ñ.jpg", encoding="cp1252"), named(),
         [("1", "ñ.jpg")]),
    Case("predict: a short row", table("id,filename\n1\n"), named(), Refused("line 2: has 1 cells")),
    Case("predict: a header alone", table("id,filename\n"), named(), Refused("a header and no rows")),
    Case("predict: ids twice", table("id,filename\n1,im0.jpg\n1,im1.jpg\n"), named(), Refused("more than once: 1")),
    Case("a list", table("im1.jpg\nim0.jpg\n", name="data/l.txt"), paths("data/l.txt"), ["im0.jpg", "im1.jpg"],
         "Listing"),
    Case("a list with comments", table("# mine\nim0.jpg\n\n", name="data/l.txt"), paths("data/l.txt"), ["im0.jpg"]),
    Case("a list from Windows", table("sub\\im0.jpg\r\n", "sub/im0.jpg", name="data/l.txt", encoding="utf-16"),
         paths("data/l.txt"), ["sub/im0.jpg"]),
    Case("an empty list", table("", name="data/l.txt"), paths("data/l.txt"), Refused("no images found",
         "names no file")),
    Case("a path twice in a list", table("im0.jpg\nim0.jpg\n", name="data/l.txt"), paths("data/l.txt"),
         Refused("path given more than once: im0.jpg")),
    Case("an image as a list", table("x"), lambda f: listed(f, "data/im0.jpg").ids, Refused("is one image")),
    Case("a FIFO as a list", then(table("x"), lambda f: os.mkfifo(f / "data/p.jpg")), paths("data/p.jpg"),
         Refused("is no regular file")),
    Case("a FIFO as a table", then(table("x"), lambda f: os.mkfifo(f / "data/p.csv")), paths("data/p.csv"),
         Refused("is no regular file")),
    Case("a film as a list", table(bytes(64), name="data/x.mp4"), paths("data/x.mp4"), Refused("zero byte")),
    Case("prompts", table("image,x,y\nim0.jpg,1,2\nim0.jpg,3,4\n"), points, {"im0.jpg": 2}, "CSV"),
    Case("prompts with semicolons", table("Image; X; Y\nim0.jpg; 1; 2\n"), points, {"im0.jpg": 1}),
    Case("prompts in Windows-1252", table("image,x,y\nñ.png,1,1\n", encoding="cp1252"), points, {"ñ.png": 1}),
    Case("prompts whose rows end early", table("image,x,y,label,text\nim0.jpg,1,2\nim0.jpg,3,4,-\n"), points,
         {"im0.jpg": 2}),
    Case("prompts with a cell too many", table("image,x,y\nim0.jpg,1,2,3\n"), points, Refused("line 2: has 4 cells")),
    Case("prompts with a column too many", table("image,x,y,z\nim0.jpg,1,2,3\n"), points,
         Refused("expected image and")),
]  # fmt: skip
