"""A whole study, small: five arms, what is skipped, what did not run, and a result whose numbers are the runs'."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from conftest import write_classes
from sightline.errors import ConfigError, RunError
from sightline.report import write
from sightline.runs import RunFolder
from sightline.study import expand, read_study, run_study

PRETRAIN = {
    "backbone": "timm/test_resnet",
    "epochs": 1,
    "batch_size": 12,
    "precision": "32-true",
    "method": {"prototypes": 32, "hidden": 32, "bottleneck": 16},
}


def study_file(folder: Path, **changes) -> Path:
    data = write_classes(folder / "pictures")
    content = {
        "name": "small",
        "seeds": [0, 1],
        "pretrain": {"recipe": "dino-demo", "data": {"source": str(data)}, "set": PRETRAIN},
        "reference": {"name": "a labelled backbone", "supervised": {"epochs": 1}},
        "classify": {
            "data": {"source": str(data)},
            "set": {"input_size": 24, "epochs": 2, "batch_size": 8, "precision": "32-true"},
            "lr_factors": [1],
        },
        "embed_samples": 40,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return run_study(str(study_file(folder)), folder / "out"), folder


def test_every_arm_ran_over_every_seed(finished):
    study, _ = finished
    assert [arm.arm for arm in study.result.arms] == list("ABCDE")
    for arm in study.result.arms:
        assert arm.status == "done"
        assert len(arm.done.seeds) == 2
        assert arm.done.low <= arm.value <= arm.done.high


def test_every_number_is_a_run_s(finished):
    study, _ = finished
    for arm in study.result.arms:
        own = [RunFolder.open(study.path / "runs" / f"{arm.arm}-{seed}").result() for seed in (0, 1)]
        assert list(arm.done.seeds) == [run["accuracy"]["value"] for run in own]
        assert arm.value == arm.accuracy == pytest.approx(sum(arm.done.seeds) / 2)
        assert arm.done.n == own[0]["accuracy"]["n"]


def test_test_images_that_pretraining_saw_are_counted(finished):
    study, _ = finished
    copies = study.result.copies["labelled"]
    assert copies.n == study.result["A"].done.n
    assert copies.unlabelled is not None
    assert len(copies.unlabelled) == copies.n  # it learnt from the labelled folder itself
    assert copies.scores == {}
    text = (write(study.path)[1]).read_text(encoding="utf-8")
    assert f"{copies.n} among the unlabelled images of pretraining" in text


def test_comparisons_are_paired_corrected_and_consistent(finished):
    study, _ = finished
    result = study.result
    assert [(c.a, c.b) for c in result.comparisons] == [("B", "C"), ("C", "A"), ("B", "D"), ("C", "E")]
    for comparison in result.comparisons:
        assert comparison.difference == pytest.approx(result[comparison.a].value - result[comparison.b].value)
        assert comparison.p >= comparison.p_raw
        assert comparison.verdict == "two runs each"


def test_the_map_has_both_epochs_of_the_same_samples(finished):
    study, _ = finished
    embedding = study.result.embedding
    assert embedding is not None
    assert (embedding.first.epoch, embedding.last.epoch) == (1, 2)
    assert embedding.first.n == embedding.last.n == 40
    assert 0 <= embedding.last.trustworthiness <= 1


def test_a_second_call_runs_nothing_and_changes_nothing(finished):
    study, folder = finished
    before = {path: path.stat().st_mtime_ns for path in (study.path / "runs").rglob("weights.safetensors")}
    result = study.result
    again = run_study(str(folder / "study.yaml"), study.path)
    assert again.result == result
    assert before == {path: path.stat().st_mtime_ns for path in (study.path / "runs").rglob("weights.safetensors")}


def test_another_study_does_not_overwrite_it(finished, tmp_path):
    study, _ = finished
    with pytest.raises(RunError, match="other settings"):
        run_study(str(study_file(tmp_path, name="other")), study.path)


def test_seeds_and_arms_are_added_and_nothing_is_run_twice(tmp_path):
    first = run_study(str(study_file(tmp_path, arms=["A"], seeds=[0], embed_arm="A")), tmp_path / "out")
    weights = first.path / "runs" / "A-0" / "weights.safetensors"
    before, value = weights.stat().st_mtime_ns, first.result["A"].done.seeds[0]
    more = run_study(str(study_file(tmp_path, arms=["A", "F"], seeds=[0, 1], embed_arm="A")), first.path).result
    assert weights.stat().st_mtime_ns == before
    assert more["A"].done.seeds[0] == value
    assert [len(more[arm].done.seeds) for arm in ("A", "F")] == [2, 2]
    changed = yaml.safe_load((tmp_path / "study.yaml").read_text())
    changed["classify"]["set"]["epochs"] = 7
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(changed))
    with pytest.raises(RunError, match=r"A-0 \(epochs: 2 there, 7 now\)"):
        run_study(str(tmp_path / "study.yaml"), first.path)


def test_a_folder_without_runs_is_not_refused(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "study.yaml").write_text("name: a try that never ran\n")
    result = run_study(str(study_file(tmp_path, arms=["A"], seeds=[0], embed_arm="A")), out).result
    assert result["A"].status == "done"


def test_the_report_shows_the_numbers(finished):
    study, _ = finished
    written = {path.suffix: path for path in write(study.path)}
    page, text = (written[suffix].read_text() for suffix in (".html", ".md"))
    for arm in study.result.arms:
        assert f"{100 * arm.value:.1f}" in page
        assert f"{100 * arm.value:.1f}" in text
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_without_reference_weights_b_and_d_are_not_run_with_the_reason(tmp_path):
    source = study_file(tmp_path, reference={"weights": "dino-resnet50"}, arms=["A", "B"], seeds=[0], embed_arm="A")
    result = run_study(str(source), tmp_path / "out").result
    assert result["A"].status == "done"
    assert result["B"].status == "not run"
    assert "could not be fetched" in result["B"].reason
    assert "mean" not in result["B"].to_dict()
    with pytest.raises(RunError, match="arm B: has no result, it is not run"):
        _ = result["B"].value


def test_jobs_run_the_same_study(finished, tmp_path):
    study, _ = finished
    source = study_file(tmp_path, arms=["A", "D"])
    parallel = run_study(str(source), tmp_path / "out", jobs=2)
    assert all(arm.status == "done" for arm in parallel.result.arms)
    assert json.loads((parallel.path / "result.json").read_text()) == parallel.result.to_dict()
    del study


def test_only_runs_what_was_asked_for(tmp_path):
    source = study_file(tmp_path, seeds=[0])
    result = run_study(str(source), tmp_path / "out", only=("A",)).result
    status = {arm.arm: arm.status for arm in result.arms}
    assert status["A"] == "done"
    assert set(status.values()) == {"done", "not run"}


def test_the_demo_expands_without_touching_data():
    nodes = expand(read_study("demo"), Path("out"))
    assert [node.name for node in nodes][:2] == ["pretrain", "reference"]
    names = {node.name for node in nodes[2:]}
    assert {f"{arm}-{seed}" for arm in "ABCDE" for seed in range(5)} < names
    assert names - {f"{arm}-{seed}" for arm in "ABCDE" for seed in range(5)} == {
        "unet-0", "unet-drop-deepest-0", "deeplabv3plus-0", "sam-0",
    }  # fmt: skip


def test_a_mistyped_arm_and_a_missing_pretrain_block_are_named(tmp_path):
    with pytest.raises(ConfigError, match="Known: A, B, C, D, E, F"):
        expand(read_study(str(study_file(tmp_path, arms=["A", "G"]))), tmp_path)
    with pytest.raises(ConfigError, match="no `pretrain:` block"):
        expand(read_study(str(study_file(tmp_path, pretrain=None, arms=["C"]))), tmp_path)


def test_a_signal_to_the_study_alone_stops_its_workers_with_checkpoints(tmp_path):
    """A scheduler signals the parent, not its children; nothing may go on behind its back."""
    changes = {"epochs": 2000, "checkpoint_minutes": 60.0, "log_every": 1}
    small = {"input_size": 24, "batch_size": 8, "precision": "32-true", "backbone": "timm/test_resnet"}
    data = {"source": str(write_classes(tmp_path / "pictures"))}
    source = study_file(
        tmp_path, arms=["A"], pretrain=None, embed_arm="A",
        classify={"data": data, "set": small | changes, "lr_factors": [1]},
    )  # fmt: skip
    command = [sys.executable, "-m", "sightline", "study", str(source), "--out", str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    runs = [tmp_path / "out" / "runs" / f"A-{seed}" for seed in (0, 1)]
    deadline = time.monotonic() + 120
    while not all((run / "metrics.jsonl").is_file() for run in runs) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    for run in runs:
        assert (run / "checkpoints" / "last" / "manifest.json").is_file()
        size = (run / "metrics.jsonl").stat().st_size
        time.sleep(1)
        assert (run / "metrics.jsonl").stat().st_size == size
