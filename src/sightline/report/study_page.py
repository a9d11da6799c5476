"""The page of a study: the short answer, then what carries it."""

from __future__ import annotations

from pathlib import Path

from sightline.confidence import DECIDING_SEEDS, SIGNIFICANCE
from sightline.report import pictures, results, tables
from sightline.report.answers import answers
from sightline.report.copies import copies_sections
from sightline.report.document import Block, Code, Document, Listing, Section, Text
from sightline.report.face import Heading, Rows, StudyView, face_of, faces
from sightline.report.labels import labels_sections
from sightline.report.methods import methods_text
from sightline.report.pretrainings import pretraining_remark
from sightline.report.rates import rates_sections
from sightline.report.sentences import absences, trial_text
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import KINDS
from sightline.runs.numbers import count, duration, percent, plain
from sightline.runs.results import ClassifyDetails
from sightline.runs.study_result import ArmResult, DataPart, Reference, StudyResult

# The order of the page; a section that is not named here comes before the notes.
PLACES = (
    "results", "confusion", "labels", "segmentation", "masks", "skips", "networks", "prompting", "copies",
    "implementation", "rates", "curves", "embedding", "pretraining", "samples", "", "limits", "reproduce",
)  # fmt: skip
FEW = f"Some arms have fewer than {DECIDING_SEEDS} seeds: they get no verdict, for nothing is known of another seed."
LIMITS = (
    "Intervals and p-values take seeds and test images as two crossed random effects: mean squares of seeds, images "
    "and rest, Student’s t (Obuchowski and Rockette 1995; Hillis 2007). Mean IoU enters by jackknife pseudo-values of "
    "tiles, or of whole scenes where they are known.",
    "p-values are corrected by Holm over the comparisons of this study, intervals are not corrected. "
    f"Below {SIGNIFICANCE:g} a "
    "comparison is called higher or lower, otherwise undecided. Undecided does not mean equal.",
    "The test split was used once an arm and seed, after the epoch was chosen on validation.",
)


def study_document(folder: Path) -> Document:
    """Return the page of a study folder.

    Raises:
        RunError: the study has no result yet.
    """
    view = StudyView.of(StudyFolder(folder))
    sections = [
        *_results(view.result),
        *copies_sections(view.result),
        *labels_sections(view.result),
        *rates_sections(view.result),
        *(section for face in faces().values() for section in face.study_sections(view)),
        Section("implementation", "What was run", _implementation(view)),
        Section("curves", "Learning curves", _curves(view)),
        Section("limits", "Notes and limits", _notes(view)),
        Section("reproduce", "How to reproduce", _reproduce()),
    ]
    kind = "Sightline study" if view.result.scale == 1 else f"Sightline study, a trial on {trial_text(view.result)}"
    return Document(view.result.name, kind, answers(view.result), sorted(sections, key=_place))


def _place(section: Section) -> int:
    return PLACES.index(section.anchor if section.anchor in PLACES else "")


def _by_heading(result: StudyResult) -> dict[str, tuple[Heading, list[ArmResult]]]:
    """Return the arms under each heading of the page, by its anchor."""
    groups: dict[str, tuple[Heading, list[ArmResult]]] = {}
    for arm in result.arms:
        heading = face_of(arm.task).heading
        if heading is not None:
            groups.setdefault(heading.anchor, (heading, []))[1].append(arm)
    return groups


def _results(result: StudyResult) -> list[Section]:
    """Return a section for each heading, with the scores of its arms; arms of one metric stand together."""
    sections, absent = [], absences(result.arms)
    for heading, arms in _by_heading(result).values():
        blocks: list[Block] = []
        for number, metric in enumerate(dict.fromkeys(arm.metric for arm in arms)):
            alike = [arm for arm in arms if arm.metric == metric]
            prefix = f"{heading.prefix}{metric}-" if number else heading.prefix
            blocks += results.blocks(alike, results.between(result, alike), prefix, result.published, absent)
        sections.append(Section(heading.anchor, heading.title, blocks))
    return sections


# -- what was run
def _implementation(view: StudyView) -> list[Block]:
    blocks: list[Block] = [Text(words)] if (words := methods_text(view)) else []
    blocks.append(tables.table("Data", _data_rows(view.result)))
    pretrain, shared = next(iter(view.pretrainings), None), _shared(view)
    if pretrain is not None:
        rows = face_of(pretrain.info().kind).rows(pretrain)
        if (summary := view.result.pretrain) is not None:
            rows.append(("Cost", f"{duration(summary.seconds)}, {count(summary.images_seen)} images seen"))
        blocks.append(tables.table("Pretraining", rows))
    if started := [arm.arm for arm in view.result.arms if arm.parts.weights == "reference" and arm.score is not None]:
        caption = f"Reference weights of {', '.join(started)}"
        blocks.append(tables.table(caption, _reference_rows(view.result.reference)))
    blocks += [tables.table(caption, view.shared_rows(view.arms(run.info().kind))) for caption, run in shared.items()]
    if rows := [*_precision_rows(view.result), *tables.provenance_rows(view.result.provenance)]:
        blocks.append(tables.table("Machine and versions", rows))
    if pretrain is not None:
        blocks.append(tables.every_setting("Every setting of pretraining", pretrain.config()))
    blocks += [tables.every_setting(f"Every setting of {run.path.name}", run.config()) for run in shared.values()]
    return blocks


def _shared(view: StudyView) -> dict[str, RunFolder]:
    """Return a run of each kind whose arms share their settings, by the caption of these."""
    shared: dict[str, RunFolder] = {}
    for kind in KINDS:
        heading = face_of(kind).heading
        runs = [run for arm in view.arms(kind) for run in view.runs_of(arm)]
        if heading is not None and heading.settings and runs:
            shared[heading.settings] = min(runs, key=lambda run: run.path.name)
    return shared


def _data_rows(result: StudyResult) -> Rows:
    rows: Rows = []
    for name, title in {kind.data: kind.data_title for kind in KINDS.values()}.items():
        if name in result.data:
            rows += _part_rows(title, result.data[name])
    return rows


def _part_rows(title: str, part: DataPart) -> Rows:
    images = f", {count(part.images)} images" if part.images is not None else ""
    classes = f", {part.classes} classes" if part.classes is not None else ""
    rows: Rows = [(title, f"{part.source}{images}{classes}")]
    if part.split:
        rows.append(tables.split_row(part.split))
    if part.bad_images is not None:
        rows.append(("Unreadable, left out", count(part.bad_images)))
    if part.fingerprint is not None:
        rows.append(("Fingerprint", part.fingerprint[:16]))
    return rows


def _precision_rows(result: StudyResult) -> Rows:
    """Return in which precision the arms were computed: one for all, or that of each."""
    by_arm = {arm.arm: arm.score.precision for arm in result.arms if arm.score is not None and arm.score.precision}
    trained = {name: of for name, of in by_arm.items() if KINDS[result[name].task].trained}
    if not trained:
        return []
    if len(set(trained.values())) > 1:
        return [("Precision", "differs between arms: " + ", ".join(f"{name} {of}" for name, of in trained.items()))]
    chosen = next(iter(trained.values()))
    shared = result.precision
    why = f" ({shared.reason})" if shared is not None and shared.chosen == chosen else ""
    return [("Precision", f"{chosen}, every arm{why}")]


def _reference_rows(reference: Reference) -> Rows:
    rows: Rows = [("Weights", reference.name)]
    if reference.trained_here:
        rows.append(("Trained here, with labels, on", str(reference.data)))
        if (accuracy := reference.accuracy) is not None:
            rows.append(("Own test accuracy", f"{percent(accuracy.value)}, n = {count(accuracy.n)}"))
        rows.append(("Cost", f"{duration(reference.seconds or 0)}, {count(reference.images_seen or 0)} images seen"))
    return rows


# -- the rest
def _curves(view: StudyView) -> list[Block]:
    shown: list[Block] = []
    for kind in KINDS:
        heading, arms = face_of(kind).heading, view.arms(kind)
        if heading is None or not heading.curves or not arms:
            continue
        by_arm = {arm.arm: view.runs_of(arm) for arm in arms}
        caption = "By epoch: the mean over seeds, with the range of the seeds behind it."
        if picture := pictures.learning_curves(by_arm, caption, heading.curves):
            shown.append(picture)
    return shown or [Text(["No run has logged anything."])]


def _notes(view: StudyView) -> list[Block]:
    result = view.result
    notes = result.notes.strip()
    blocks: list[Block] = [Text([notes])] if notes else []
    few = any(len(arm.score.seeds) < DECIDING_SEEDS for arm in result.arms if arm.score is not None)
    remarks = [*([FEW] if few else []), *LIMITS, *([remark] if (remark := pretraining_remark(result)) else [])]
    if result.scale < 1:
        remarks.insert(0, f"A trial: {trial_text(result)} were taken. It shows that all of it runs, and no more.")
    details = {arm.arm: arm.details for arm in result.arms}
    fitted = {name: of.penalty for name, of in details.items() if isinstance(of, ClassifyDetails) and of.penalty}
    if fitted:
        penalties = ", ".join(f"{name}: {plain(penalty)}" for name, penalty in fitted.items())
        views = view.config.classify.head_views if view.config.classify is not None else 0
        seen = f"and of {views} augmented views of each, " if views else "alone, without augmentation, "
        remarks.append(
            "Heads on frozen backbones are fitted to their optimum: logistic regression by L-BFGS on features of the "
            f"plain images {seen}the penalty best on validation ({penalties}). They have no epochs."
        )
    for name, run in view.runs.items():
        remarks += [f"{name} did without: {note}" for note in (run.result().get("notes") or [] if run.is_done else [])]
    return [*blocks, Listing(remarks)]


def _reproduce() -> list[Block]:
    text = "The study’s resolved file lies beside this page. The same command goes on after an interruption."
    return [Text([text]), Code("sightline study study.yaml --out again\nsightline report again")]
