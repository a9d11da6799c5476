"""Values of configurations, by --set, by file, and in study files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.case import Case, Refused
from sightline.config import ClassifyConfig, PretrainConfig, SegmentConfig, resolve
from sightline.config.base import read_yaml
from sightline.study import expand, read_study


def nothing(folder: Path) -> None:
    """No input but the value itself."""


def put(text: str, cls: Any = ClassifyConfig) -> Callable[[Path], Any]:
    """Return what `--set text` makes of its key."""

    def look(_: Path) -> Any:
        value: Any = resolve(cls, assignments=[text], flags={"data": {"source": "photos"}})
        for part in text.partition("=")[0].split("."):
            value = getattr(value, part)
        return value

    return look


def file(content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "s.yaml").write_bytes(content.encode() if isinstance(content, str) else content)


def study(folder: Path) -> Any:
    config = read_study(str(folder / "s.yaml"))
    expand(config, folder)
    return list(config.arms), list(config.seeds)


def read(folder: Path) -> Any:
    return read_yaml(folder / "s.yaml")


def refused(text: str, *words: str, cls: Any = ClassifyConfig) -> Case:
    return Case(
        f"--set {text[:40]!r} ({len(text)} characters) of {cls.__name__}", nothing, put(text, cls), Refused(*words)
    )


def taken(text: str, value: Any, cls: Any = ClassifyConfig) -> Case:
    return Case(f"--set {text!r} of {cls.__name__}", nothing, put(text, cls), value)


HEAD = "name: s\nclassify: {data: {source: photos}}\narms: [A]\n"
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
)
MERGES = "\n".join(
    ["a0: &a0 {k0: 1}"] + [f"a{i}: &a{i}\n  k{i}: 1\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
)

CASES = [
    taken("epochs=3", 3),
    taken("optim.lr=1e-3", 1e-3),
    taken("optim.lr=1", 1.0),
    taken("optim.lr=0", 0.0),
    taken("optim.name=sgd", "sgd"),
    taken("tune=[0.1, 0.2]", (0.1, 0.2)),
    taken("seed=9223372036854775807", 2**63 - 1),
    taken("seed=-1", -1),
    taken("workers=auto", "auto"),
    taken("threads=64", 64),
    taken("keep_checkpoint=true", True),
    refused("epochs", "key=value"),
    refused("=3", "key=value"),
    refused("epochs=", "epochs"),
    refused("epochs=three", "epochs"),
    refused("epochs=2.5", "epochs", "2.5"),
    refused("epochs=-1", "epochs", "-1"),
    refused("epochs=true", "epochs"),
    refused("epochs=[1]", "epochs"),
    refused("epochs={a: 1}", "epochs"),
    refused("epoch=3", "Did you mean 'epochs'"),
    refused("a={", "not valid YAML"),
    refused("seed={", "not valid YAML"),
    refused("seed=x: y: z", "not valid YAML"),
    refused("seed=]", "not valid YAML"),
    refused("seed='", "not valid YAML"),
    refused("seed=&a", "seed"),
    refused("seed=*a", "not valid YAML"),
    refused("seed=@x", "not valid YAML"),
    refused("seed=%TAG", "not valid YAML"),
    refused("seed=\ta: b\n\tc", "not valid YAML"),
    refused("seed=2024-01-01", "a date", "in quotes"),
    refused("seed=2024-01-01 10:00:00", "datetime", "in quotes"),
    refused("seed=2024-13-45", "not valid YAML"),
    refused("seed=!!set {a, b}", "set"),
    refused("seed=!!binary aGVsbG8=", "bytes"),
    refused("seed=!!binary é", "not valid YAML"),
    refused("seed=!!float abc", "not valid YAML"),
    refused("seed=!!int ''", "not valid YAML"),
    refused("seed=!!bool x", "not valid YAML"),
    refused("seed=!!timestamp x", "not valid YAML"),
    refused("seed=!!omap [a: 1]", "seed"),
    refused("seed=!!python/object/apply:os.system [ls]", "not valid YAML"),
    refused("seed=&a [*a]", "nested"),
    refused("seed=&a {b: *a}", "nested"),
    refused("seed=" + "[" * 200 + "]" * 200, "nested"),
    refused("seed=" + "[" * 50_000, "not valid YAML"),
    refused("seed=" + "9" * 400, "bits"),
    refused("seed=" + "9" * 5000, "not valid YAML"),
    refused("seed=10000000000000000000000", "bits"),
    refused("seed=9223372036854775808", "bits"),
    refused("seed=0.5", "seed"),
    refused("optim.lr=-1", "lr", "-1"),
    refused("optim.lr=.nan", "optim.lr", "finite"),
    refused("optim.lr=nan", "finite"),
    refused("optim.lr=.inf", "finite"),
    refused("optim.lr=-.inf", "finite"),
    refused("optim.lr=1e400", "finite"),
    refused("optim.lr=" + "9" * 400, "bits"),
    refused("optim.weight_decay=-0.1", "weight_decay"),
    refused("optim.betas=[0.9]", "betas"),
    refused("optim.betas=[2, 3]", "betas"),
    refused("optim.name=adamm", "optim.name"),
    refused("optim=3", "optim"),
    refused("optim.lr.x=3", "optim.lr"),
    refused("tune=[0.1, .nan]", "finite"),
    refused("threads=100000", "threads", "1024"),
    refused("workers=100000", "workers = 100000: ", "1024, or "),
    refused("threads=-1", "threads"),
    refused("devices=0", "devices"),
    refused("log_every=0", "log_every"),
    refused("checkpoint_minutes=-1", "checkpoint_minutes"),
    refused("batch_size=0", "batch_size"),
    refused("data.split.val=2", "val"),
    refused("data.source=2024-01-01", "date"),
    refused("method.student_temperature=0", "student_temperature", cls=PretrainConfig),
    refused("views.brightness=-1", "brightness", cls=PretrainConfig),
    refused("skips.drop=2024-01-01", "date", cls=SegmentConfig),
    refused("crop=-5", "crop", cls=SegmentConfig),
    # -- files
    Case("a study", file(HEAD), study, (["A"], [0, 1, 2])),
    Case("a study with a byte order mark", file(b"\xef\xbb\xbf" + HEAD.encode()), study, (["A"], [0, 1, 2])),
    Case("a study in UTF-16", file(HEAD.encode("utf-16")), study, Refused("s.yaml", "UTF-8")),
    Case(
        "a study in Latin-1",
        file(HEAD.replace("name: s", "name: é").encode("latin-1")),
        study,
        Refused("s.yaml", "UTF-8"),
    ),
    Case("an empty study", file(""), study, Refused("s.yaml", "mapping")),
    Case("a study that is a list", file("[a]"), study, Refused("mapping", "list")),
    Case("a study that is zeros", file(b"\0" * 100), study, Refused("s.yaml", "not valid YAML")),
    Case("no study file", nothing, study, Refused("s.yaml", "no such file")),
    Case("a study that is a folder", lambda f: (f / "s.yaml").mkdir(), study, Refused("s.yaml", "no such file")),
    Case("a study cut short", file(HEAD + "seeds: [1, "), study, Refused("not valid YAML")),
    Case(
        "a name that is a date",
        file(HEAD.replace("name: s", "name: 2024-01-01")),
        study,
        Refused("name", "date", "quotes"),
    ),
    Case("a name that is a number", file(HEAD.replace("name: s", "name: 2024")), study, Refused("name", "2024")),
    Case("no arms", file(HEAD.replace("[A]", "[]")), study, Refused("arms")),
    Case("arms that are a text", file(HEAD.replace("[A]", "A")), study, Refused("arms")),
    Case("an unknown arm", file(HEAD.replace("[A]", "[Q]")), study, Refused("Q")),
    Case("no seeds", file(HEAD + "seeds: []\n"), study, Refused("seeds")),
    Case("seeds that are texts", file(HEAD + "seeds: [a]\n"), study, Refused("seeds")),
    Case("a seed of 73 bits", file(HEAD + "seeds: [10000000000000000000000]\n"), study, Refused("seeds", "bits")),
    Case(
        "lr .inf in a study",
        file(HEAD + "pretrain: {data: {source: p}, set: {optim: {lr: .inf}}}\n"),
        study,
        Refused("finite"),
    ),
    Case("a recursive alias", file("a: &a\n  b: *a\n"), read, Refused("s.yaml", "nested")),
    Case("an alias bomb", file(BOMB), read, Refused("s.yaml", "values")),
    Case("a bomb of merge keys", file(MERGES), read, Refused("s.yaml", "values")),
    Case("a file of two megabytes", file("a: " + "x" * (2 << 20)), read, Refused("s.yaml", "longer")),
    Case("brackets without end", file("a: " + "[" * 100_000), read, Refused("nested")),
    Case("two documents", file("a: 1\n---\nb: 2\n"), read, Refused("not valid YAML")),
    Case("a key that is a list", file("? [a]\n: 1\n"), read, Refused("s.yaml")),
    Case("a key that is a date", file("2024-01-01: 1\n"), read, Refused("s.yaml", "key")),
    Case("a tab", file("a:\n\tb: 1\n"), read, Refused("not valid YAML")),
    Case("a merge key", file("a: &a {b: 1}\nc: {<<: *a, d: 2}\n"), read, {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    Case("an alias", file("a: &a [1]\nb: *a\n"), read, {"a": [1], "b": [1]}),
]
