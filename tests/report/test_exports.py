"""Tables for other programs, and two studies on one page."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from fake_study import write_study

from sightline.errors import RunError
from sightline.files.atomic import write_text
from sightline.report import write
from sightline.report.exports import escaped, study_files
from sightline.runs import StudyFolder


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("studies") / "one", missing=("B", "D", "E"))


def test_tables_hold_the_numbers_of_the_result_as_they_are(study_folder: Path, tmp_path: Path):
    result = StudyFolder(study_folder).result
    for name, text in study_files(result).items():
        write_text(tmp_path / "tables" / name, text)
    with (tmp_path / "tables" / "arms.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["A", "B", "C", "D", "E"]
    assert float(rows["C"]["mean"]) == result["C"].value
    assert tuple(map(float, rows["C"]["seeds"].split())) == result["C"].done.seeds
    assert (rows["B"]["mean"], rows["B"]["status"]) == ("", "not run")
    with (tmp_path / "tables" / "comparisons.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    (comparison,) = result.comparisons
    assert (row["a"], row["b"], row["verdict"]) == ("C", "A", comparison.verdict)
    assert (float(row["difference"]), float(row["p"])) == (comparison.difference, comparison.p)
    for name, numbers in (("arms", 5), ("comparisons", 1)):
        lines = (tmp_path / "tables" / f"{name}.tex").read_text(encoding="utf-8").splitlines()
        body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
        assert len(body) == numbers
        cells = {len(re.findall(r"(?<!\\)&", line)) for line in lines if line.endswith(r"\\")}
        assert len(cells) == 1


def test_latex_sets_names_as_they_stand():
    assert escaped("house <&> 5 % a_b\\") == r"house \textless{}\&\textgreater{} 5 \% a\_b\textbackslash{}"


def test_two_studies_stand_side_by_side_with_what_both_have(study_folder: Path, tmp_path: Path):
    other = tmp_path / "two"
    shutil.copytree(study_folder, other, ignore=shutil.ignore_patterns("runs", "figures"))
    content = (other / "result.json").read_text(encoding="utf-8")
    second = StudyFolder(other).result
    write_text(other / "result.json", content.replace('"arm": "E"', '"arm": "F"'))
    page, text, *further = write(study_folder, tmp_path / "both", other)
    assert [path.name for path in further] == ["arms-beside.tex"]
    shown = re.sub("[\u00a0\u202f]", " ", text.read_text(encoding="utf-8"))
    assert "photos, 64 px (one)" in shown
    assert "photos, 64 px (two)" in shown
    assert shown.count(f"{100 * second['C'].value:.1f} % (") == 2
    assert "Only in photos, 64 px (one): E." in shown
    assert "Only in photos, 64 px (two): F." in shown
    assert f"{100 * second.comparisons[0].difference:+.1f} (" in shown
    assert "the same (" in shown
    assert page.is_file()
    with pytest.raises(RunError, match="holds no study"):
        write(study_folder, tmp_path / "x", study_folder / "runs" / "C-0")
