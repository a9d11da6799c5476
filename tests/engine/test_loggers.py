"""Loggers: each line of metrics.jsonl once, whatever happens between, and a run that never minds."""

from __future__ import annotations

import json

import pytest
from test_loop import Fault, raise_at
from test_run import Again, Life
from toy import Toy, ToyConfig

from sightline.config import LOGGERS, LoggerEntry
from sightline.engine.loggers import Entry, RunLogger, check_loggers
from sightline.errors import ConfigError, NotAvailable
from sightline.runs import RunFolder


class Listing(RunLogger):
    """A logger that keeps what it was told in `told`, with the numbers of the calls that raise in `broken`."""

    told, broken, entries = list[tuple](), set[int](), list[Entry]()

    @classmethod
    def open(cls, entry):
        cls.entries.append(entry)
        logger = cls()
        logger.id = entry.id or "first"
        return logger

    def scalars(self, step, values):
        if len(self.told) in self.broken:
            self.broken.clear()
            raise OSError("no network")
        self.told.append((step, dict(values)))

    def picture(self, name, path, step):
        self.told.append((name, path.name, step))

    def end(self, status, result):
        self.told.append((status, dict(result)))


@pytest.fixture(autouse=True)
def listing(monkeypatch: pytest.MonkeyPatch) -> type[Listing]:
    monkeypatch.setitem(LOGGERS, "listing", LoggerEntry(f"{__name__}:Listing", "json", "a list"))
    Listing.told, Listing.broken, Listing.entries = [], set(), []
    return Listing


def lines(run: RunFolder) -> list[tuple]:
    """Return metrics.jsonl as a logger is told it."""
    return [(line.pop("step"), line) for line in run.metrics()]


KEYS = {"log_every": 1, "logger": ("listing",), "group": "birds"}


def test_a_logger_is_told_the_settings_each_line_the_pictures_and_the_result(tmp_path, listing):
    life = Life(tmp_path / "run", **KEYS)
    finish = life.finish

    def with_picture(context, task, seconds):
        context.run.figures.mkdir()
        (context.run.figures / "curve.png").touch()
        (context.run.path / "progress").mkdir()
        for name in ("0-strip.png", "0-image.png", "0-e0001.png"):
            (context.run.path / "progress" / name).touch()
        finish(context, task, seconds)

    life.finish = with_picture
    run = life.run()
    (entry,) = listing.entries
    assert (entry.name, entry.group, entry.kind, entry.id) == ("run", "birds", "toy", "")
    assert entry.config["log_every"] == 1
    curve, strip, (status, result) = listing.told[-3:]
    assert listing.told[:-3] == lines(run)
    assert len(listing.told) == 4 + 1 + 3
    assert curve == ("figures/curve", "curve.png", 4)
    assert strip == ("progress/0-strip", "0-strip.png", 4), "the masks of a watched image, and none of its parts"
    assert (status, result) == ("done", {"result/bias": run.result()["bias"]})


def test_a_run_that_stopped_and_goes_on_doubles_no_line(tmp_path, listing):
    life = Life(tmp_path / "run", **KEYS, checkpoint_minutes=60)
    built = Toy(epochs=1)
    built.step_hook = raise_at(2)
    life.build = lambda context: built
    with pytest.raises(Fault):
        life.run()
    assert [told[0] for told in listing.told] == [1, 2, "failed"]
    # No checkpoint was due: all steps are made again.
    run = Again(tmp_path / "run", **KEYS).run(resume=True)
    assert [entry.id for entry in listing.entries] == ["", "first"]
    assert [told for told in listing.told[:-1] if told[0] != "failed"] == lines(run)


def test_a_logger_that_fails_is_a_note_and_is_told_the_rest_when_the_run_goes_on(tmp_path, listing):
    listing.broken = {1}
    life = Life(tmp_path / "run", "finish", **KEYS)
    with pytest.raises(Exception, match="broken at finish"):
        life.run()
    assert [told[0] for told in listing.told] == [1]
    (note,) = RunFolder.open(tmp_path / "run").notes()
    assert note == "logger listing: OSError: no network (details in notes/logger-listing.txt)"
    run = Again(tmp_path / "run", **KEYS).run(resume=True)
    # The line that failed may have arrived, and is not sent twice.
    assert listing.told[:-1] == [told for told in lines(run) if told[0] != 2]
    assert not run.notes()


def test_a_logger_that_cannot_begin_does_not_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(Listing, "open", lambda entry: (_ for _ in ()).throw(RuntimeError("no key")))
    run = Life(tmp_path / "run", **KEYS).run()
    assert run.is_done
    assert run.result()["notes"] == ["logger listing: RuntimeError: no key (details in notes/logger-listing.txt)"]


def test_a_logger_that_is_added_later_is_told_what_came_before(tmp_path, listing):
    with pytest.raises(Exception, match="broken at finish"):
        Life(tmp_path / "run", "finish", log_every=1).run()
    assert not listing.entries
    run = Again(tmp_path / "run", **KEYS).run(resume=True)
    assert listing.told[:-1] == lines(run)


def test_a_package_that_is_missing_is_told_before_anything_is_opened(tmp_path, monkeypatch):
    monkeypatch.setitem(LOGGERS, "listing", LoggerEntry(f"{__name__}:Listing", "nowhere", "a list"))
    life = Life(tmp_path / "run", **KEYS)
    with pytest.raises(
        NotAvailable, match=r"--logger listing: the package nowhere.*uv sync --extra listing.*sightline"
    ):
        life.run()
    assert not life.stages
    with pytest.raises(NotAvailable):
        check_loggers(["listing"])


def test_a_name_that_is_no_logger_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'tensorbord' is no logger; .*Did you mean 'tensorboard'"):
        ToyConfig.build({"logger": ["tensorbord"]})


def test_state_of_a_logger_is_one_file(tmp_path):
    run = Life(tmp_path / "run", **KEYS).run()
    assert json.loads((run.path / "loggers" / "listing.json").read_text()) == {"id": "first", "lines": 5}
