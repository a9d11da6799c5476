"""Classification on the page: settings, accuracy by class, features on the plane, sample predictions."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.config import BackboneConfig, ClassifyConfig
from sightline.report import pictures
from sightline.report.classification import looks
from sightline.report.document import Answer, Block, Section, Table, Text
from sightline.report.face import Heading, Rows, StudyView
from sightline.report.sentences import score_interval
from sightline.runs import RunFolder
from sightline.runs.classify_scores import ClassifyScores
from sightline.runs.metrics import METRICS
from sightline.runs.numbers import count, plain
from sightline.runs.results import ClassifyResult, ScoredResult
from sightline.runs.study_result import Embedding

HIDDEN = "Left out: the study file asks that the pictures are not shown."
ACCURACY = METRICS["accuracy"]


class ClassifyFace:
    """The face of classify runs."""

    verb = "classify"
    heading = Heading(
        anchor="results", title="Results", prefix="", curves="learning-curves", settings="Classification, every arm"
    )

    def rows(self, run: RunFolder) -> Rows:
        """Return the settings that all arms of a study share."""
        config = ClassifyConfig.build(run.config(), where=str(run.path))
        optim = config.optim
        return [
            ("Backbone", network_text(run, config)),
            ("Input", f"{config.input_size} px, augmentation {config.augment}"),
            ("Optimiser", f"{optim.name}, learning rate {rate_text(optim.lr, config.tune)}, weight decay "
                          f"{plain(optim.weight_decay)}"),
            ("Schedule", f"× {plain(optim.plateau_factor)} when the validation loss has not fallen for "
                         f"{optim.plateau_patience} epochs" if optim.schedule == "plateau" else optim.schedule),
            ("Epochs, batch", f"{config.epochs} epochs of batches of {config.batch_size}; the epoch best on "
                              "validation is judged"),
            ("Labels used", f"{100 * config.label_fraction:g} % of the training split"),
        ]  # fmt: skip

    def answers(self, run: RunFolder) -> list[Answer]:
        """Return test accuracy."""
        result = run.result_as(ClassifyResult)
        accuracy = result.accuracy
        if accuracy is None:
            return []
        how = (
            f"a head fitted by L-BFGS with the penalty {plain(result.penalty)}"
            if result.penalty is not None
            else f"weights of epoch {result.best_epoch}"
        )
        sentence = (
            f"{score_interval(ACCURACY, accuracy)}, n = {count(accuracy.n)} test images, {how} (best on validation, "
            f"{ACCURACY.score(result.val_accuracy)})."
        )
        return [Answer("Test accuracy", ACCURACY.score(accuracy.value), [sentence])]

    def sections(self, run: RunFolder) -> Sequence[Section]:
        """Return accuracy by class with samples, and learning curves."""
        return [*_scored(run), *_confused_by(run), pictures.curves_section(run)]

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        """Return what is confused, the maps of the features, and sample predictions."""
        if not view.arms("classify"):
            return []
        return [
            *_confused(view),
            Section("embedding", "What the features look like", _embedding(view)),
            Section("samples", "Sample predictions", _samples(view)),
        ]


def network_text(run: RunFolder, config: BackboneConfig) -> str:
    """Return backbone and stem as a finished run has them, for weights may bring their own; else as it was asked to."""
    network = run.result_as(ScoredResult).network if run.is_done else None
    of = network if network is not None else config
    return f"{of.backbone}, stem {of.stem}"


def rate_text(rate: float, tried: Sequence[float]) -> str:
    """Return a learning rate, or those of which each arm took the one best on validation."""
    return f"best on validation of {', '.join(plain(other) for other in tried)}" if tried else plain(rate)


def _scored(run: RunFolder) -> list[Section]:
    if not run.is_done:
        return []
    result, blocks = run.result_as(ClassifyResult), list[Block]()
    if result.per_class:
        rows = [[name, ACCURACY.score(of.accuracy), count(of.n)] for name, of in result.per_class.items()]
        blocks.append(Table("Accuracy by class", ("Class", "Accuracy", "n"), rows, (False, True, True)))
    if result.accuracy is not None and (shown := pictures.samples(run.path, run, "Sample predictions")):
        blocks.append(shown)
    return [Section("results", "Results", blocks)] if blocks else []


TITLE = "What is confused, and how sure it is"


def _confused_by(run: RunFolder) -> list[Section]:
    scores = run.result_as(ClassifyResult).scores if run.is_done else None
    return [Section("confusion", TITLE, looks({"": [scores]}))] if scores is not None else []


def _confused(view: StudyView) -> list[Section]:
    """Return the section of the arms whose runs are all done and tell it; older ones do not."""
    by_arm: dict[str, list[ClassifyScores]] = {}
    for arm in view.arms("classify"):
        runs = [run for run in view.runs_of(arm) if run.is_done] if arm.score is not None else []
        scores = [run.result_as(ClassifyResult).scores for run in runs]
        if scores and None not in scores:
            by_arm[arm.arm] = [of for of in scores if of is not None]
    several = any(len(of) > 1 for of in by_arm.values())
    blocks = looks(by_arm, " All seeds together." if several else "") if by_arm else []
    return [Section("confusion", TITLE, blocks)] if blocks else []


def _embedding(view: StudyView) -> list[Block]:
    embedding = view.result.embedding
    if embedding is None:
        return [Text(["No features were kept: the arm they are taken from did not run."])]
    picture = pictures.embedding_pair(view.folder, embedding)
    return [*([picture] if picture else []), _qualities(embedding)]


def _qualities(embedding: Embedding) -> Table:
    first, last = embedding.first, embedding.last
    rows = [
        ["k-NN accuracy among training samples", *(ACCURACY.score(of.knn) for of in (first, last))],
        ["Silhouette, features", *(f"{of.silhouette:.3f}" for of in (first, last))],
        ["Silhouette, map", *(f"{of.map_silhouette:.3f}" for of in (first, last))],
        ["Trustworthiness of the map", *(f"{of.trustworthiness:.3f}" for of in (first, last))],
    ]
    caption = (
        "Beside the picture, so that the eye is not the only judge. k-NN (each sample by the others) and silhouette "
        "are of the features, not of the map, and of training samples, whose labels the network may have learnt: they "
        "are no test accuracy. Trustworthiness says how far neighbours in the map are neighbours in the features."
    )
    header = ("Measure", f"Epoch {first.epoch}", f"Epoch {last.epoch}")
    return Table(caption, header, rows, (False, True, True))


def _samples(view: StudyView) -> list[Block]:
    name = view.config.embed_arm
    arm = view.result.find(name)
    run = view.first_runs([arm]).get(name) if arm is not None else None
    if not view.config.show_samples:
        return [Text([HIDDEN])]
    caption = f"Test images and what arm {name} said of them; half right, half wrong if there are enough."
    block = pictures.samples(view.folder.path, run, caption)
    return [block] if block else [Text([f"None: arm {name} made no predictions."])]


FACE = ClassifyFace()
