from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_study import CLASSES, WARNING, write_classify, write_samples, write_study

from sightline.errors import RunError
from sightline.report import write
from sightline.runs import RunFolder

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Checks that elements nest, and collects what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose reference could not be had and whose pretraining gave a warning. Read only."""
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("out")
    write(study_folder, out)
    return Page((out / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_no_address_and_no_script(page: Page):
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
        assert "http" not in (attributes.get("style") or "")


def test_the_page_can_be_read_aloud(page: Page):
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert all(image["alt"] for image in page.all("img"))
    assert all(figure["role"] == "img" and figure["aria-label"] for figure in page.all("svg"))
    assert len(page.all("caption")) == len(page.all("table")) > 5
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    anchors = [str(a["href"])[1:] for a in page.all("a")]
    assert set(anchors) <= set(ids)


def test_every_figure_of_the_answer_is_in_the_result(page: Page, study_folder: Path):
    result = json.loads((study_folder / "result.json").read_text())
    pair = next(c for c in result["comparisons"] if (c["a"], c["b"]) == ("C", "A"))
    arms = {arm["arm"]: arm for arm in result["arms"]}
    text = re.sub(r"[\u00a0\u202f]", " ", page.text)
    assert f"{100 * arms['C']['mean']:.1f} % against {100 * arms['A']['mean']:.1f} %" in text
    assert f"{100 * pair['difference']:+.1f} percentage points" in text
    assert f"(95 % interval {100 * pair['low']:+.1f} to {100 * pair['high']:+.1f}" in text
    assert "n = 140 test images, 3 seeds" in text


def test_what_did_not_run_is_said_with_its_reason(page: Page):
    assert "cannot be given: B (reference weights, all trained) is not run" in page.text
    # The reason once, for all arms that have it; and weights that no arm used are not listed.
    assert page.text.count("dino-resnet50 could not be loaded") == 1
    assert "B, D not run: dino-resnet50 could not be loaded" in page.text
    assert "Reference weights of" not in page.text


def test_the_map_can_be_colored_by_style_and_tables_fit_the_column(page: Page, study_folder: Path, tmp_path: Path):
    choices = [a for a in page.all("input") if a["type"] == "radio"]
    assert [("checked" in a, a["id"]) for a in choices] == [(True, "choice-tsne"), (False, "choice-tsne-style")]
    assert {a["for"] for a in page.all("label")} == {a["id"] for a in choices}
    write(study_folder, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8").replace("\u202f", " ")
    assert "(figures/tsne.png)" in text
    assert "(figures/tsne-style.png)" in text
    # Wider tables scroll, and were cut on paper: what arms scored and what they cost are two.
    assert "| Arm | Setting | Mean | 95 % interval | Seeds | Spread | n |" in text
    assert "| Arm | Time | Images seen |" in text


def test_warnings_are_named(page: Page):
    assert WARNING in page.text
    assert "Pretraining gave 1 warning" in page.text


def test_hostile_names_stay_text(page: Page):
    assert CLASSES[5] in page.text
    assert len(page.all("you")) == 0


def test_same_files_same_bytes(study_folder: Path, tmp_path: Path):
    first, second = ([p.read_bytes() for p in write(study_folder, tmp_path / name)] for name in ("a", "b"))
    assert first == second


def test_only_files_are_needed_and_none_changed(study_folder: Path, tmp_path: Path):
    copy = tmp_path / "study"
    shutil.copytree(study_folder, copy)
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    written = write(copy, tmp_path / "page.html")
    assert written[:2] == [tmp_path / "page.html", tmp_path / "page.md"]
    assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before


def test_markdown_links_to_files_that_are_there(study_folder: Path, tmp_path: Path):
    write(study_folder, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(links) >= 6
    assert all((tmp_path / link).is_file() for link in links)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block


def test_a_study_with_all_arms_and_no_pictures(tmp_path: Path):
    folder = write_study(tmp_path / "study", missing=(), warnings=())
    (folder / "figures" / "samples.png").unlink()
    (folder / "embedding.parquet").unlink()
    page = Page(write(folder)[0].read_text(encoding="utf-8"))
    assert "Arms without a result" not in page.text
    assert "the run provides no thumbnails" in page.text
    assert "No collapse and no plateau" in page.text


def test_a_study_in_which_nothing_ran(tmp_path: Path):
    folder = write_study(tmp_path / "study", missing=("A", "B", "C", "D", "E"))
    shutil.rmtree(folder / "runs")
    page = Page(write(folder)[0].read_text(encoding="utf-8"))
    assert page.text.count("Cannot be said") == 3
    assert "This study pretrained nothing." in page.text


def test_pages_of_single_runs(study_folder: Path, tmp_path: Path):
    text = write(study_folder / "runs" / "pretrain", tmp_path / "p")[0].read_text(encoding="utf-8")
    assert WARNING in Page(text).text
    page = Page(write(study_folder / "runs" / "C-0", tmp_path / "c")[0].read_text(encoding="utf-8"))
    accuracy = RunFolder.open(study_folder / "runs" / "C-0").result()["accuracy"]["value"]
    assert f"{100 * accuracy:.1f}\u202f%" in page.text
    assert "test/0000.jpg" in page.text


def test_a_failed_run_has_a_page_too(tmp_path: Path):
    run = write_classify(tmp_path / "run", 0, 0.5, "all")
    (run.path / "result.json").unlink()
    (run.path / "predictions.parquet").unlink()
    run.fail("the loss is not finite at step 3")
    page = Page(write(run.path)[0].read_text(encoding="utf-8"))
    assert "the loss is not finite at step 3" in page.text


def test_what_a_run_did_without_is_told_by_its_page_and_its_study(tmp_path: Path):
    folder = write_study(tmp_path / "study")
    run = RunFolder.open(folder / "runs" / "C-0")
    run.write_note("features", "OSError: no space left", "details")
    run.amend({})
    for page in (write(folder)[0], write(run.path, tmp_path / "c")[0]):
        assert "features: OSError: no space left (details in notes/features.txt)" in Page(page.read_text("utf-8")).text


def test_other_folders_are_refused(tmp_path: Path):
    with pytest.raises(RunError, match="neither a study"):
        write(tmp_path)
    (tmp_path / "study.yaml").write_text("name: x\n")
    with pytest.raises(RunError, match=r"result\.json: no such file"):
        write(tmp_path)


@pytest.mark.parametrize("number", [1, 5, 6, 7])
def test_a_contact_sheet_of_any_size_is_cut_as_it_was_laid_out(study_folder: Path, tmp_path: Path, number: int):
    folder = tmp_path / "study"
    shutil.copytree(study_folder, folder)
    write_samples(folder, number)
    page = Page(write(folder)[0].read_text(encoding="utf-8"))
    tiles = [image for image in page.all("img") if (image["src"] or "").startswith("data:image/jpeg")]
    assert len(tiles) == number


def test_reporting_loads_no_torch():
    code = "import sys, sightline.report, sightline.figures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
