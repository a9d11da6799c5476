"""What every method of the table goes through: a run with its report, an exact resume, two processes like one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import same_training

from sightline import recipes
from sightline.config import METHODS, PretrainConfig, ViewsConfig, resolve
from sightline.engine import Interrupted, NoProgress
from sightline.report.build import build_document, render_html, render_markdown
from sightline.runs import RunFolder
from sightline.runs.results import PretrainResult
from sightline.tasks.pretrain import method_class, pretrain

SMALL = {
    "backbone": "timm/test_resnet",
    "epochs": 2,
    "batch_size": 12,
    "precision": "32-true",
    "device": "cpu",
    "workers": 0,
    "threads": 1,
    "log_every": 1,
}
# DINO's defaults are of the size of ImageNet; those of other methods are small enough as they are.
SIZES = {"dino": {"prototypes": 32, "hidden": 32, "bottleneck": 16}}
SAME = ("metrics.jsonl", "result.json", "weights.safetensors", "model.json")

every_method = pytest.mark.parametrize("name", METHODS)


def config_of(name: str, folder: Path) -> PretrainConfig:
    method = {"name": name, **SIZES.get(name, {})}
    data = {"source": str(folder)}
    return resolve(
        PretrainConfig, recipe=recipes.layer("dino-demo"), file=SMALL, flags={"data": data, "method": method}
    )


def takes_local_views(name: str) -> bool:
    try:
        METHODS[name].config(name=name).check_views(ViewsConfig(local_crops=1))
    except ValueError:
        return False
    return True


class StopAt(NoProgress):
    """Asks the run to stop, as Ctrl-C does, when a step is done."""

    def __init__(self, step: int) -> None:
        self._step = step

    def advance(self, done: int, note: str) -> None:
        if done == self._step:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def whole_runs(class_folder, tmp_path_factory) -> dict[str, RunFolder]:
    """Return a finished run of each method."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: pretrain(config_of(name, class_folder), folder / name, progress=NoProgress()) for name in METHODS}


@every_method
def test_the_report_shows_what_the_method_tells_and_no_other_method_s_words(name, whole_runs):
    run = whole_runs[name]
    method = PretrainResult.from_dict(run.result()).method
    assert method == method_class(config_of(name, Path("photos")).method).report(PretrainConfig.build(run.config()))
    assert method.name == name
    lines = run.metrics()
    assert all(any(plot.name in line for line in lines) for plot in (*method.health, *method.schedules))
    document = build_document(run.path)
    for text in (render_markdown(document), render_html(document)):
        assert method.title in text
        for plot in method.health:
            assert plot.title in text
        if name != "dino":
            # In lower case, "teacher" is the value of `network`, for checkpoints that hold two.
            assert not any(word in text for word in ("rototype", "Teacher", "ln K"))


@every_method
@pytest.mark.parametrize("step", [3, 7])
def test_interrupted_and_resumed_is_the_same_run(name, step, whole_runs, class_folder, tmp_path):
    """Step 3 is in the midst of the first epoch, step 7 of the second."""
    config, out = config_of(name, class_folder), tmp_path / "broken"
    with pytest.raises(Interrupted):
        pretrain(config, out, progress=StopAt(step))
    assert RunFolder.open(out).status == "interrupted"
    pretrain(config, out, resume=True, progress=NoProgress())
    for file in SAME:
        assert (whole_runs[name].path / file).read_bytes() == (out / file).read_bytes(), file


@every_method
@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_train_what_one_does(processes, name, class_folder, tmp_path):
    """Batch norms, center, negatives, KoLeo and SIGReg are of all images; so are the logged loss and the health."""
    keys = {"method.name": name} | {f"method.{k}": v for k, v in SIZES.get(name, {}).items()}
    keys |= {"method.koleo": 0.1} if name == "dino" else {}
    keys |= {"views.local_crops": int(takes_local_views(name)), "optim.name": "sgd"}
    arguments = [part for key, value in (keys | SMALL).items() for part in ("--set", f"{key}={value}")]
    tail = ["-m", "sightline", "pretrain", str(class_folder), "--recipe", "dino-demo", *arguments]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    for out, front in (("one", []), ("several", launch)):
        command = [sys.executable, *front, *tail, "--out", str(tmp_path / out)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("60 images, 120 seen") == 1
    assert RunFolder.open(tmp_path / "several").status == "done"
    same_training(tmp_path / "one", tmp_path / "several")
