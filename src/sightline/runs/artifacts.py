"""The name of every file of a run folder and of a study folder, relative to it. Nowhere else are they spelled."""

from __future__ import annotations

# -- of a run
INFO = "run.json"
LOCK = ".lock"  # of a study too
SAID = "log.txt"  # what a run of a study said that was done in a process of its own
CONFIG = "config.yaml"
LOG = "metrics.jsonl"
RESULT = "result.json"  # of a study too
CHECKPOINT = "checkpoints/last"
MANIFEST = "manifest.json"  # of a checkpoint
WEIGHTS = "weights.safetensors"
MODEL = "model.json"
PREDICTIONS = "predictions.parquet"
LOGGERS = "loggers"  # how far each logger has come; what it writes itself is beside it, under its own name
NOTES = "notes"  # a text for each thing that failed and that the run could do without
COUNTS = "counts.npz"
TRAINED_ON = "trained_on.npz"  # digests of the images of training and validation
SPLIT = "split.json"
ARCHITECTURE = "architecture.json"
INTERVENTIONS = "interventions.json"
PICTURES = "pictures"
TUNING = "tuning"  # a run folder for each trial
PROGRESS = "progress"
MASK_HISTORY = f"{PROGRESS}/progress.json"
FEATURES = {"first": "features/first.npz", "last": "features/last.npz"}

# -- of a study
STUDY = "study.yaml"
PRECISION = "precision.json"  # that all its runs share
RUNS = "runs"
JOBS = "jobs"  # what submitit keeps of the jobs of SLURM
SHARED_FEATURES = "features"  # of frozen backbones, while runs need them
SAMPLES_SHEET = "figures/samples.png"
SAMPLES = "figures/samples.json"

# -- of both, and of what `embed` writes
FIGURES = "figures"
REPORT = "report.html"
EMBEDDING = "embedding.parquet"
