"""Loggers against their real packages, without a network; each is skipped where its extra is not installed.

uv run --extra tensorboard --extra mlflow --extra wandb pytest -n 0 -m slow tests/engine/test_logger_packages.py
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from test_loop import Fault, raise_at
from test_run import Again, Life
from toy import Toy

from sightline.runs import RunFolder

# What these packages warn of when they are imported is theirs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def stopped_and_done(out: Path, name: str) -> RunFolder:
    """Return a run that stopped before its end, and went on from its beginning."""
    keys = {"log_every": 1, "logger": (name,), "group": "birds", "checkpoint_minutes": 60}
    life, task = Life(out, **keys), Toy(epochs=1)
    task.step_hook = raise_at(2)
    life.build = lambda context: task
    with pytest.raises(Fault):
        life.run()
    run = Again(out, **keys).run(resume=True)
    assert not run.notes()
    return run


def series(run: RunFolder, name: str) -> list[tuple[int, float]]:
    return [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in run.metrics() if name in line]


def test_tensorboard_reads_back_each_point_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = stopped_and_done(tmp_path / "run", "tensorboard")
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    for name in ("loss", "lr", "val/bias"):
        assert [(event.step, event.value) for event in events.Scalars(name)] == series(run, name)
    assert [event.value for event in events.Scalars("result/bias")] == [pytest.approx(run.result()["bias"])]
    assert "_hparams_/experiment" in events.summary_metadata
    assert len(list((run.path / "tensorboard").iterdir())) == 2, "one event file of each process"


@pytest.mark.parametrize("store", ["folder", "sqlite"])
def test_mlflow_reads_back_each_point_once(tmp_path, monkeypatch, store):
    mlflow = pytest.importorskip("mlflow")
    if store == "sqlite":
        pytest.importorskip("sqlalchemy", reason="mlflow-skinny has no database")
    uri = f"sqlite:///{tmp_path}/mlflow.db" if store == "sqlite" else (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = stopped_and_done(tmp_path / "run", "mlflow")
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("birds")
    (entry,) = client.search_runs([experiment.experiment_id])
    assert (entry.info.run_name, entry.info.status) == ("run", "FINISHED")
    assert entry.data.params["log_every"] == "1"
    for name in ("loss", "lr", "val/bias"):
        history = client.get_metric_history(entry.info.run_id, name)
        assert [(point.step, point.value) for point in history] == series(run, name)
    assert entry.data.metrics["result/bias"] == pytest.approx(run.result()["bias"])


def test_wandb_keeps_each_point_once_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = stopped_and_done(tmp_path / "run", "wandb")
    history, summary = wandb_records(run.path / "wandb")
    for name in ("loss", "lr", "val/bias"):
        points = [(line["step"], line[name]) for line in history if name in line]
        assert points == series(run, name)
    assert summary["result/bias"] == pytest.approx(run.result()["bias"])
    assert summary["status"] == "done"


def wandb_records(folder: Path) -> tuple[list[dict], dict]:
    """Return the lines of the history and the last summary of all offline runs in a folder."""
    from wandb.proto import wandb_internal_pb2

    history, summary = [], {}
    for path in sorted(folder.glob("offline-run-*/*.wandb")):
        for data in leveldb_log(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.HasField("history"):
                history.append(values(record.history.item))
            if record.HasField("summary"):
                summary |= values(record.summary.update)
    return history, summary


def values(items) -> dict:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def leveldb_log(content: bytes) -> list[bytes]:
    """Return the records of a file of W&B: a head of 7 bytes, then LevelDB's log of blocks of 32 KiB.

    Each piece has a checksum (4 bytes), a length (2) and a kind (1): 1 whole, 2 first, 3 middle, 4 last.
    """
    block, position, records, pieces = 32768, 7, list[bytes](), b""
    while position + 7 <= len(content):
        if block - position % block < 7:
            position += block - position % block
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        pieces += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            records.append(pieces)
            pieces = b""
    return records
