"""The arms that a study can have, and the questions that they answer: two tables. Imports no torch.

Classification: the settings `A` to `F`. Segmentation: `MODEL[-own|-reference][-drop-SKIP[-structural]]`, for example
`unet`, `unet-own`, `unet-drop-deepest`, `unet-drop-2-structural`, `deeplabv3plus`. Promptable: `sam`. Each is an
`ArmFamily`, which the entry of its kind in `KINDS` names. Nowhere else is the name of an arm taken apart: its parts are
fields, here and in result.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sightline.config import Frozen, StudyConfig
from sightline.config.types import HeadSolver, Train
from sightline.errors import ConfigError, nearest
from sightline.runs.architecture import network_title
from sightline.runs.kinds import KINDS, Kind, import_dotted
from sightline.runs.metrics import Metric, metric_named
from sightline.runs.study_result import ArmParts, Pair, Question

Weights = Literal["random", "own", "reference"]

UNET, SAM = "unet", "sam"
RANDOM = "A"  # the setting of random weights, all trained
_START: dict[Weights, str] = {
    "random": "random weights",
    "own": "own self-supervised weights",
    "reference": "reference weights",
}
_TRAINED: dict[Train, str] = {"all": "all trained", "last-stage": "last stage trained", "head": "backbone frozen"}
_IN_NETWORK = {"own": "in the network of the own weights", "reference": "in the network of the reference weights"}
_CONTROL = re.compile(r"(?P<setting>[A-Z])-as-(?P<network>own|reference)")
_SKIPS = {"all": "all skips", "random": "a random skip in training"}
_SEGMENTER = re.compile(
    r"(?P<model>[a-z0-9+]{3,}?)(?:-as-(?P<network>own|reference)|-(?P<weights>own|reference))?"
    r"(?:-drop-(?P<drop>\d+|deepest|shallowest|all|random)(?P<structural>-structural)?)?"
)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of a comparison.

    Attributes:
        name: as the study file and the result have it.
        title: what it is, for a reader.
        task: the kind of its runs, a name of `KINDS`.
        weights: what its backbone starts from.
        trained: what is trained of it; None where nothing is.
        model: of the network; "" for the study's backbone with a linear head.
        drop: the skip that it goes without; "" for none.
        structural: whether its decoder is built without that skip, to the same size.
        base: the arm it differs from in one thing; "" for none.
        as_long_as: the arm whose time, pretraining included, it is trained for; "" where epochs are as the study says.
        network_of: the weights whose network it has, with random ones in it; "" for the study's own network.
        head_solver: how its head is trained; None as the study says.
    """

    name: str
    title: str
    task: str
    weights: Weights = "random"
    trained: Train | None = "all"
    model: str = ""
    drop: str = ""
    structural: bool = False
    base: str = ""
    as_long_as: str = ""
    network_of: str = ""
    head_solver: HeadSolver | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What its configuration has beside the study's."""
        settings: dict[str, Any] = {"model": self.model} if self.model else {}
        if self.trained and not self.model:
            settings["train"] = self.trained
        if self.network_of:
            settings["random_weights"] = True
        if self.drop:
            matched = {"mode": "structural", "match_parameters": True} if self.structural else {}
            settings["skips"] = {"drop": self.drop, **matched}
        return settings

    def run_name(self, seed: int) -> str:
        """Return the run folder of a seed, below runs/."""
        return f"{self.name}-{seed}"

    def parts(self, seeds: Sequence[int]) -> ArmParts:
        """Return what result.json says that it is made of."""
        return ArmParts(
            model=self.model, weights=self.weights, trained=self.trained or "", drop=self.drop,
            structural=self.structural, base=self.base, runs={seed: self.run_name(seed) for seed in seeds},
        )  # fmt: skip


# -- settings
@dataclass(frozen=True)
class Setting:
    """An arm of classification.

    Attributes:
        weights: where its weights come from.
        trained: what of it is trained.
        base: the setting it differs from in one thing.
        as_long_as: the setting whose time, pretraining included, it is trained for.
        head_solver: how its head is trained; None as the study says.
    """

    weights: Weights
    trained: Train
    base: str = ""
    as_long_as: str = ""
    head_solver: HeadSolver | None = None


SETTINGS: dict[str, Setting] = {
    "A": Setting("random", "all"),
    "B": Setting("reference", "all"),
    "C": Setting("own", "all"),
    "D": Setting("reference", "head"),
    "E": Setting("own", "head"),
    "F": Setting("own", "last-stage"),
    "A-long": Setting("random", "all", base="A", as_long_as="C"),
    "D-lbfgs": Setting("reference", "head", base="D", head_solver="lbfgs"),
    "E-lbfgs": Setting("own", "head", base="E", head_solver="lbfgs"),
}
# Of a segmentation model, behind its name: with random weights, trained for the time of its pretrained twin.
LONG = "-long"
# What `budget: equal-time` adds, where the study has the arms that each is the twin of.
TWINS = tuple(name for name, setting in SETTINGS.items() if setting.as_long_as)
# What `head_solver: gradient` adds beside the arms it trains: the same features under a head at its optimum.
FITTED = {setting.base: name for name, setting in SETTINGS.items() if setting.head_solver == "lbfgs"}


# -- questions
Choice = Callable[[Sequence[Arm]], Sequence[Any]]


def _nothing(arms: Sequence[Arm]) -> list[Any]:
    return []


def _whole_networks(arms: Sequence[Arm]) -> list[str]:
    """Architectures with all their skips, of one kind of weights: random ones where there are any of these."""
    whole = [arm for arm in arms if arm.task == "segment" and not (arm.drop or arm.network_of or arm.as_long_as)]
    kind = next((weights for weights in _START if any(arm.weights == weights for arm in whole)), "random")
    alike = [arm.name for arm in whole if arm.weights == kind]
    # A single network of given weights is there to be compared with the same one of random weights.
    return alike if kind == "random" or len(alike) > 1 else []


def _between_networks(arms: Sequence[Arm]) -> list[Pair]:
    whole = [arm for arm in arms if arm.name in _whole_networks(arms)]
    return [
        (arm.name, _unet_of(arm)) for arm in whole if any(arm.name != other.name == _unet_of(arm) for other in whole)
    ]


def _unet_of(arm: Arm) -> str:
    """Return the name of the U-Net with the weights of `arm`."""
    return UNET if arm.weights == "random" else f"{UNET}-{arm.weights}"


def _own_encoders(arms: Sequence[Arm]) -> list[Pair]:
    pretrained = [arm for arm in arms if arm.task == "segment" and arm.weights == "own" and not arm.drop]
    return [_alike((arm.name, arm.base), arms) for arm in pretrained]


def _equal_times(arms: Sequence[Arm]) -> list[Pair]:
    """Own weights in a network against random ones in it, trained for as long as the pretraining took too."""
    return [(arm.as_long_as, arm.name) for arm in arms if arm.task == "segment" and arm.as_long_as]


def _references(arms: Sequence[Arm]) -> list[Pair]:
    """Reference weights that bring a network of their own, against random ones in it."""
    names = {arm.name for arm in arms}
    pretrained = [arm for arm in arms if arm.weights == "reference" and arm.trained == "all" and not arm.drop]
    return [(arm.name, control_of(arm)) for arm in pretrained if control_of(arm) in names]


def control_of(arm: Arm, own_network: bool = True) -> str:
    """Return the name of the arm of random weights, all trained, in the network that the weights of `arm` bring.

    Args:
        arm: of other weights.
        own_network: whether they bring one that is not the study's; else the name is that of the plain arm.
    """
    plain = arm.model or RANDOM
    return f"{plain}-as-{arm.weights}" if own_network else plain


def _alike(pair: Pair, arms: Sequence[Arm]) -> Pair:
    """Return a pair with random weights in the first one's network as the second, where the study has such an arm."""
    by_name = {arm.name: arm for arm in arms}
    a, b = (by_name.get(name) for name in pair)
    if a is None or b is None or a.weights == "random" or b.weights != "random":
        return pair
    return (a.name, control_of(a)) if control_of(a) in by_name else pair


def _at_optimum(pair: Pair, names: Collection[str]) -> Pair:
    """Return a pair with the fitted head in the place of one trained by epochs, where the study has it.

    A head that was not trained enough would be taken for bad features.
    """
    a, b = pair
    fitted = FITTED.get(b, "")
    return (a, fitted) if fitted in names and fitted != a else pair


def _ablations(arms: Sequence[Arm]) -> list[Pair]:
    return [(arm.base, arm.name) for arm in arms if arm.drop]


def _engines(arms: Sequence[Arm]) -> list[str]:
    return [arm.name for arm in arms if arm.task == "prompt"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that some arms answer.

    Attributes:
        heading: the question.
        form: how the report answers it, a name of `report.answers.FORMS`.
        words: short answers by what is found of the first arm of its pairs: better, worse, undecided, mixed.
        pairs: of settings, the comparisons that answer it; it is asked where the study has both arms of one of them,
            and of these pairs alone.
        choose_pairs: of other arms, their comparisons; it is asked where there are any.
        choose_arms: the arms that it is about, where one alone is worth an answer.
    """

    heading: str
    form: str = "verdict"
    words: dict[str, str]
    pairs: tuple[Pair, ...] = ()
    choose_pairs: Choice = _nothing
    choose_arms: Choice = _nothing

    def of(self, arms: Sequence[Arm]) -> Question | None:
        """Return the question as result.json has it; None where these arms do not ask it."""
        names = {arm.name for arm in arms}
        pairs = [_at_optimum(pair, names) for pair in self.pairs if names.issuperset(pair)]
        pairs = (*(_alike(pair, arms) for pair in pairs), *self.choose_pairs(arms))
        about = tuple(self.choose_arms(arms))
        if not pairs and not about:
            return None
        return Question(heading=self.heading, form=self.form, pairs=pairs, arms=about, words=self.words)


_NOT_SHOWN = "Not shown by this study."
_PAYS = {"better": "Yes, here it does.", "worse": "No, here it does harm.", "undecided": _NOT_SHOWN}
QUESTIONS = (
    Asked(
        heading="Does pretraining on your own images pay?",
        pairs=(("C", "A"),),
        words=_PAYS,
    ),
    Asked(
        heading="Does it pay at equal compute?",
        pairs=(("C", "A-long"),),
        words={
            "better": "Yes, pretraining is the better use of the time.",
            "worse": "No, the same time is better spent on labelled images.",
            "undecided": _NOT_SHOWN,
            "mixed": "It differs between networks.",
        },
        choose_pairs=_equal_times,
    ),
    Asked(
        heading="Freeze the backbone, or fine-tune it?",
        pairs=(("C", "E"), ("B", "D")),
        words={
            "better": "Fine-tune.",
            "worse": "Freeze.",
            "undecided": _NOT_SHOWN,
            "mixed": "It depends on the weights.",
        },
    ),
    Asked(
        heading="Is a frozen backbone’s head at its optimum?",
        pairs=(("E-lbfgs", "E"), ("D-lbfgs", "D")),
        words={
            "better": "No, the same features do better under a fitted head.",
            "worse": "It does better than the head fitted on validation.",
            "undecided": _NOT_SHOWN,
            "mixed": "It depends on the weights.",
        },
    ),
    Asked(
        heading="How much of the backbone to train?",
        pairs=(("F", "E"), ("C", "F")),
        words={
            "better": "The more of it, the better.",
            "worse": "The less of it, the better.",
            "undecided": _NOT_SHOWN,
            "mixed": "It differs between the last stage and the rest.",
        },
    ),
    Asked(
        heading="Your own weights, or the reference’s?",
        pairs=(("B", "C"),),
        words={"better": "The reference’s.", "worse": "Your own.", "undecided": _NOT_SHOWN},
    ),
    Asked(
        heading="What are the reference’s weights worth in their own network?",
        words={
            "better": "They help.",
            "worse": "They do harm.",
            "undecided": _NOT_SHOWN,
            "mixed": "It differs between networks.",
        },
        choose_pairs=_references,
    ),
    Asked(
        heading="Which segmentation model?",
        form="best",
        words={},
        choose_pairs=_between_networks,
        choose_arms=_whole_networks,
    ),
    Asked(
        heading="Do your own weights help a segmentation encoder?",
        words=_PAYS,
        choose_pairs=_own_encoders,
    ),
    Asked(
        heading="What are the skip connections worth?",
        form="ablation",
        words={},
        choose_pairs=_ablations,
    ),
    Asked(
        heading="What does a promptable model give for free?",
        form="engine",
        words={},
        choose_arms=_engines,
    ),
)


def questions_of(arms: Sequence[Arm]) -> list[Question]:
    """Return the questions that these arms answer."""
    return [question for asked in QUESTIONS if (question := asked.of(arms)) is not None]


# -- names
@dataclass(frozen=True)
class ArmFamily:
    """The arms of one kind of run, named by its entry in `KINDS`.

    Attributes:
        names: the names that a help or an error lists; a name of this list is of this family and no other.
        parse: name → the arm of that name; None where it is no name of this family.
        more: what follows the list where there are more than it says, "any …".
    """

    names: Callable[[], Sequence[str]]
    parse: Callable[[str], Arm | None]
    more: str = ""


def parse_arm(name: str) -> Arm:
    """Return the arm of that name.

    Raises:
        ConfigError: no such arm.
    """
    families: list[ArmFamily] = [import_dotted(kind.arms) for kind in KINDS.values() if kind.arms]
    # First those that list the name: a segmentation model may be called nearly anything.
    for family in sorted(families, key=lambda family: name not in family.names()):
        if (arm := family.parse(name)) is not None:
            return arm
    known = [known for family in families for known in family.names()]
    more = [family.more for family in families if family.more]
    raise ConfigError(f"arm {name!r}: no such arm.{nearest(name, known)} Known: {', '.join([*known, *more])}")


def _setting_arm(name: str) -> Arm | None:
    setting = SETTINGS.get(name)
    match = _CONTROL.fullmatch(name)
    if match is not None and match["setting"] == RANDOM:
        title = f"{_START['random']} {_IN_NETWORK[match['network']]}, {_TRAINED['all']}"
        return Arm(name=name, title=title, task="classify", base=RANDOM, network_of=match["network"])
    if setting is None:
        return None
    title = f"{_START[setting.weights]}, {_TRAINED[setting.trained]}"
    if setting.as_long_as:
        title += f" for as long as pretraining and {setting.as_long_as} together"
    if setting.head_solver == "lbfgs":
        title += ", head fitted to its optimum"
    return Arm(
        name=name, title=title, task="classify", weights=setting.weights, trained=setting.trained, base=setting.base,
        as_long_as=setting.as_long_as, head_solver=setting.head_solver,
    )  # fmt: skip


def _engine_arm(name: str) -> Arm | None:
    if name != SAM:
        return None
    return Arm(name=name, title="a promptable engine, no training, labels by oracle", task="prompt", trained=None)


def _network_arm(name: str) -> Arm | None:
    base = name.removesuffix(LONG)
    if base != name:
        plain = _network_arm(base)
        if plain is None or plain.weights != "random" or plain.drop or plain.network_of:
            return None
        other = f"{base}-own"
        title = f"{plain.title} for as long as pretraining and {other} together"
        return replace(plain, name=name, title=title, base=base, as_long_as=other)
    match = _SEGMENTER.fullmatch(name)
    if match is None:
        return None
    model, drop, network = match["model"], match["drop"] or "", match["network"] or ""
    weights: Weights = match["weights"] or "random"  # pyright: ignore[reportAssignmentType]
    started = f"{model}-{weights}" if weights != "random" else model
    # What a skip is worth is asked of the network with all its skips, what weights are worth of the one without them.
    base = started if drop else model if weights != "random" or network else UNET if model != UNET else ""
    title = _network_arm_title(model, weights, drop, bool(match["structural"]))
    return Arm(
        name=name, title=f"{title}, {_START['random']} {_IN_NETWORK[network]}" if network else title, task="segment",
        weights=weights, model=model, drop=drop, structural=bool(match["structural"]), base=base, network_of=network,
    )  # fmt: skip


SETTING_ARMS = ArmFamily(lambda: tuple(SETTINGS), _setting_arm)
NETWORK_ARMS = ArmFamily(
    lambda: (UNET, "unet-own", "unet-drop-deepest", "unet-drop-random", "unet-drop-all", "deeplabv3plus"),
    _network_arm,
    "and any segmentation model by name with -own, -reference, -long, -drop-SKIP and -structural",
)
ENGINE_ARMS = ArmFamily(lambda: (SAM,), _engine_arm)


def _network_arm_title(model: str, weights: Weights, drop: str, structural: bool) -> str:
    title = network_title(model)
    if drop:
        skip = f"skip {drop}" if drop.isdigit() else f"its {drop} skip"
        title += f" without {_SKIPS.get(drop, skip)}"
    if structural:
        title += ", rebuilt to the same size"
    return f"{title}, {_START[weights]}" if weights != "random" else title


# -- of a study
def arms_of(study: StudyConfig) -> list[Arm]:
    """Return the study's arms: those it names, what `ablate:` and `budget:` add, and controls of networks that differ.

    Raises:
        ConfigError: an arm that does not exist, or one whose data or weights the study does not name.
    """
    names = [*study.arms]
    if study.ablate is not None:
        names += [UNET, *(f"{UNET}-drop-{skip}" for skip in study.ablate.skips)]
        if study.ablate.structural:
            names += [f"{UNET}-drop-{skip}-structural" for skip in study.ablate.skips if skip != "random"]
    if study.classify is not None and study.classify.head_solver == "gradient":
        names += [fitted for base, fitted in FITTED.items() if base in names]
    if study.budget == "equal-time":
        names += [name for name in TWINS if {SETTINGS[name].base, SETTINGS[name].as_long_as} <= set(names)]
        own = [arm for arm in map(parse_arm, names) if arm.task == "segment" and arm.weights == "own" and not arm.drop]
        names += [f"{arm.base}{LONG}" for arm in own if arm.base in names]
    arms = [parse_arm(name) for name in dict.fromkeys(names)]
    _check_blocks(study, arms)
    _check_twins(arms)
    _check_heads(study, arms)
    _check_published(study, arms)
    for arm in arms:
        metric_of(study, arm)
    # It needs the arms' configurations, which are made on the floor above this one.
    from sightline.study.networks import controls

    return [*arms, *map(parse_arm, controls(study, arms))]


def _check_blocks(study: StudyConfig, arms: list[Arm]) -> None:
    blocks = dict.fromkeys(kind.block for kind in KINDS.values() if kind.block)
    needs = {block: [arm.name for arm in arms if KINDS[arm.task].block == block] for block in blocks}
    needs["pretrain"] = [arm.name for arm in arms if "own" in (arm.weights, arm.network_of) or arm.as_long_as]
    for block, names in needs.items():
        if names and getattr(study, block) is None:
            raise ConfigError(
                f"arms {', '.join(names)}: the study has no `{block}:` block, which they take their "
                f"{'weights' if block == 'pretrain' else 'data'} from; add it, or drop them"
            )


def _check_twins(arms: list[Arm]) -> None:
    names = {arm.name for arm in arms}
    for arm in arms:
        lacking = [name for name in (arm.base, arm.as_long_as) if arm.as_long_as and name not in names]
        if lacking:
            raise ConfigError(
                f"arm {arm.name}: is {arm.base} trained for as long as pretraining and {arm.as_long_as} took, and the "
                f"study has no {' and no '.join(lacking)}; add to `arms:`, or drop {arm.name}"
            )


def _check_heads(study: StudyConfig, arms: list[Arm]) -> None:
    for arm in arms:
        if arm.head_solver and study.classify is not None and study.classify.head_solver == arm.head_solver:
            raise ConfigError(
                f"arm {arm.name}: is {arm.base} with a head fitted by {arm.head_solver}, as every head on a frozen "
                f"backbone of this study is; drop {arm.name}, or write `head_solver: gradient` in `classify:`"
            )


def _check_published(study: StudyConfig, arms: list[Arm]) -> None:
    names = [arm.name for arm in arms]
    for name in study.published.values if study.published is not None else ():
        if name not in names:
            raise ConfigError(
                f"published.values.{name}: not an arm of this study.{nearest(name, names)} It has {', '.join(names)}"
            )


def _block(study: StudyConfig, kind: Kind) -> Frozen | None:
    """Return the block of the study with the data and settings of a kind; None where the study has none."""
    return getattr(study, kind.block) if kind.block else None


def metric_of(study: StudyConfig, arm: Arm) -> Metric:
    """Return the metric that an arm is compared by: its block's, else its kind's.

    Raises:
        ConfigError: no such metric, or none that runs of this kind have.
    """
    kind = KINDS[arm.task]
    return metric_named(getattr(_block(study, kind), "metric", "") or kind.metric, arm.task)


def seeds_of(study: StudyConfig, arm: Arm) -> tuple[int, ...]:
    """Return the seeds of an arm; what is not trained has one."""
    kind = KINDS[arm.task]
    if not kind.trained:
        return study.seeds[:1]
    return getattr(_block(study, kind), "seeds", ()) or study.seeds


def pairs_of(arms: Sequence[Arm]) -> list[Pair]:
    """Return which arms are compared: the settings by the questions; of networks each with the one it differs from."""
    names = {arm.name: arm for arm in arms}
    of_questions = [pair for asked in QUESTIONS for pair in asked.pairs if names.keys() >= {*pair}]
    settings = dict.fromkeys([*of_questions, *(_at_optimum(pair, names) for pair in of_questions)])
    # First what differs in weights alone, then what differs in what is trained.
    pairs = sorted(settings, key=lambda pair: (names[pair[0]].trained != names[pair[1]].trained, pair))
    pairs = [_alike(pair, arms) for pair in pairs]
    for arm in arms:
        if arm.task != "segment" or arm.name == UNET or arm.network_of:
            continue
        if arm.drop and arm.base in names:
            pairs.append((arm.base, arm.name))
        elif base := next((name for name in (_plain(arm), UNET, _unet_of(arm)) if name in names), ""):
            pairs += [_alike((arm.name, base), arms)] if base != arm.name else []
    return list(dict.fromkeys([*pairs, *_references(arms)]))


def _plain(arm: Arm) -> str:
    """Return the arm of the same network with random weights, if this arm has others."""
    return arm.base if arm.weights != "random" and not arm.drop else ""
