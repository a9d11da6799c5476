"""Numbers as text, and the sentences of the answer. No figure here but those of result.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sightline.report.document import Answer

Entry = Mapping[str, Any]
NARROW = "\u202f"  # narrow no-break space, between a number and its unit
NBSP = "\u00a0"  # between the parts of "n = 140"
NO_VALUE = "–"
SMALL_P = 0.001

_PAYS = {"higher": "Yes, here it does.", "lower": "No, here it does harm.", "undecided": "Not shown by this study."}
_TUNE = {
    "higher": "Fine-tune.",
    "lower": "Freeze.",
    "undecided": "Not shown by this study.",
    "mixed": "It depends on the weights.",
}
_OWN = {"higher": "The reference’s.", "lower": "Your own.", "undecided": "Not shown by this study."}
_UNKNOWN = "Cannot be said: a needed arm did not run."


def percent(value: float, digits: int = 1) -> str:
    """Return 0.5412 as "54.1 %"."""
    return f"{100 * value:.{digits}f}{NARROW}%"


def score(value: float, metric: str) -> str:
    """Return an accuracy in percent, a mean IoU as it is."""
    return percent(value) if metric == "accuracy" else f"{value:.3f}"


def interval(low: float, high: float, metric: str) -> str:
    """Return "35.2 to 53.3 %": the unit once."""
    return f"{score(low, metric).removesuffix(f'{NARROW}%')} to {score(high, metric)}"


def points(value: float) -> str:
    """Return a difference of shares as signed percentage points, "+3.2" or "−0.4"."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def difference(value: float, metric: str) -> str:
    """Return a signed difference: of accuracies in percentage points, of mean IoUs as it is, "+0.017"."""
    if metric == "accuracy":
        return points(value)
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def p_value(p: float) -> str:
    """Return "p = 0.012" or "p < 0.001"."""
    if p < SMALL_P:
        return f"p{NBSP}<{NBSP}{SMALL_P:g}"
    return f"p{NBSP}={NBSP}{p:.{3 if p < 0.1 else 2}f}"


def count(value: float) -> str:
    """Return 38400 as "38 400", with narrow no-break spaces."""
    return f"{value:,.0f}".replace(",", NARROW)


def duration(seconds: float) -> str:
    """Return "42 s", "7 min 05 s" or "2 h 10 min"."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plain(value: Any) -> str:
    """Return a configuration value or a result as a reader expects it."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " – ".join(plain(item) for item in value)
    return str(value)


def answers(result: Entry) -> list[Answer]:
    """Return the questions that a study's arms can answer, from its result.json."""
    names = {arm["arm"] for arm in result["arms"]}
    found = []
    if names.intersection("ABCDE"):
        found += [
            _answer(result, "Does pretraining on your own images pay?", [("C", "A")], _PAYS),
            _answer(result, "Freeze the backbone, or fine-tune it?", [("C", "E"), ("B", "D")], _TUNE),
            _answer(result, "Your own weights, or the reference’s?", [("B", "C")], _OWN),
        ]
    masks = [arm for arm in result["arms"] if arm.get("task") == "segment"]
    if masks:
        found.append(_which_network(result, masks))
    if "unet-own" in names:
        found.append(_answer(result, "Do your own weights help a segmentation encoder?", [("unet-own", "unet")], _PAYS))
    dropped = [arm["arm"] for arm in masks if "-drop-" in arm["arm"]]
    if dropped:
        found.append(_what_skips_give(result, dropped))
    if "sam" in names:
        found.append(_for_free(find_arm(result, "sam")))
    return found


def _which_network(result: Entry, masks: Sequence[Entry]) -> Answer:
    """Say which architecture is best among those that start from random weights with all their skips."""
    plain = [
        arm for arm in masks if "-drop-" not in arm["arm"] and "-own" not in arm["arm"] and "-ref" not in arm["arm"]
    ]
    done = [arm for arm in plain if arm["status"] == "done"]
    question = "Which segmentation model?"
    if len(done) < 2:
        sentences = [f"{describe(arm)}: {_scored(arm)}." for arm in plain]
        return Answer(question, "Only one was compared." if done else _UNKNOWN, sentences)
    best = max(done, key=lambda arm: arm["mean"])
    pairs = [(c["a"], c["b"]) for c in result["comparisons"] if {c["a"], c["b"]} <= {arm["arm"] for arm in done}]
    beaten = [c for c in result["comparisons"] if (c["a"], c["b"]) in pairs and best["arm"] in (c["a"], c["b"])]
    clear = bool(beaten) and all(c["verdict"] != "undecided" for c in beaten)
    short = f"{best['name']}." if clear else f"{best['name']} scored highest; the difference is undecided."
    return Answer(question, short, [comparison_sentence(result, a, b) for a, b in pairs])


def _what_skips_give(result: Entry, dropped: Sequence[str]) -> Answer:
    pairs = [(arm.partition("-drop-")[0], arm) for arm in dropped]
    found = [c for a, b in pairs if (c := find_comparison(result, a, b))]
    needed = [c["b"] for c in found if c["verdict"] == "higher"]
    if not found:
        short = _UNKNOWN
    elif needed:
        short = f"Needed, of {len(found)} ablations: {len(needed)}."
    else:
        short = "No ablation is shown to cost anything."
    return Answer("What are the skip connections worth?", short, [comparison_sentence(result, a, b) for a, b in pairs])


def _for_free(arm: Entry) -> Answer:
    question = "What does a promptable model give for free?"
    if arm["status"] != "done":
        return Answer(question, _UNKNOWN, [f"{describe(arm)}: {arm['status']}, {arm['reason'] or 'no reason given'}."])
    clicks, engine = arm["clicks"], arm["engine"]["name"]
    sentences = [
        f"Masks of everything by {engine}, each named by an oracle after its true majority class: {_scored(arm)}. "
        "That is the most that naming its masks could give, and no result of a model that names them."
    ]
    if clicks["regions"]:
        last = len(clicks["iou"])
        sentences.append(
            f"One simulated click on each of {count(clicks['regions'])} regions gives a mean IoU of "
            f"{clicks['iou'][0]:.3f} (95{NARROW}% interval {clicks['low'][0]:.3f} to {clicks['high'][0]:.3f}), "
            f"{last} clicks {clicks['iou'][-1]:.3f} ({clicks['low'][-1]:.3f} to {clicks['high'][-1]:.3f})."
        )
    if snap := arm.get("snap"):
        sentences.append(
            f"A network’s masks voted into its regions: {snap['before']:.3f} before, {snap['after']:.3f} after, a "
            f"difference of {difference(snap['difference'], 'mean_iou')} (95{NARROW}% interval "
            f"{difference(snap['low'], 'mean_iou')} to {difference(snap['high'], 'mean_iou')})."
        )
    return Answer(question, f"{engine}: at most {arm['mean']:.3f} mean IoU.", sentences)


def _scored(arm: Entry) -> str:
    if arm["status"] != "done":
        return f"{arm['status']}, {arm['reason'] or 'no reason given'}"
    metric = arm.get("metric", "accuracy")
    return (
        f"{score(arm['mean'], metric)} (95{NARROW}% interval {interval(arm['low'], arm['high'], metric)}, "
        f"n{NBSP}={NBSP}{count(arm['n'])})"
    )


def _answer(result: Entry, question: str, pairs: Sequence[tuple[str, str]], short: Mapping[str, str]) -> Answer:
    found = [comparison for a, b in pairs if (comparison := find_comparison(result, a, b))]
    verdicts = {comparison["verdict"] for comparison in found}
    decided = [comparison for comparison in found if comparison["verdict"] != "undecided"]
    if not found:
        brief = _UNKNOWN
    elif len(verdicts) == 1:
        brief = short[verdicts.pop()]
    elif len(decided) == len(found):
        brief = short["mixed"]
    else:
        # One pair decided and the other not: say which holds, never that both do.
        one = decided[0]
        brief = f"{one['a']} against {one['b']}: {short[one['verdict']]} The other pair is undecided."
    return Answer(question, brief, [comparison_sentence(result, a, b) for a, b in pairs])


def comparison_sentence(result: Entry, a: str, b: str) -> str:
    """Return what the study says of arm `a` against arm `b`, or why it says nothing."""
    comparison = find_comparison(result, a, b)
    if comparison is None:
        return f"{pair(a, b)} cannot be given: {_missing(result, a, b)}."
    one, other = find_arm(result, a), find_arm(result, b)
    metric = one.get("metric", "accuracy")
    unit, samples = (" percentage points", "test images") if metric == "accuracy" else (" of mean IoU", "test tiles")
    low, high = (difference(comparison[end], metric) for end in ("low", "high"))
    figures = (
        f"{score(one['mean'], metric)} against {score(other['mean'], metric)}, "
        f"a difference of {difference(comparison['difference'], metric)}{unit} "
        f"(95{NARROW}% interval {low} to {high}, "
        f"{p_value(comparison['p'])}, n{NBSP}={NBSP}{count(one['n'])} {samples}, {_seeds(one)})"
    )
    names = f"{describe(one)}", f"{describe(other)}"
    if comparison["verdict"] == "undecided":
        clear = comparison["low"] > 0 or comparison["high"] < 0
        note = (
            "; the interval alone leaves out zero, the p-value corrected for all comparisons does not" if clear else ""
        )
        return f"Undecided: {names[0]} and {names[1]} cannot be told apart: {figures}{note}."
    return f"{names[0]} is {comparison['verdict']} than {names[1]}: {figures}."


def describe(arm: Entry) -> str:
    """Return "C (own self-supervised weights, all trained)"."""
    name = arm.get("name", "")
    return f"{arm['arm']} ({name})" if name else arm["arm"]


def pair(a: str, b: str) -> str:
    """Return "C − A", unbroken."""
    return f"{a}{NBSP}−{NBSP}{b}"


def find_arm(result: Entry, name: str) -> Entry:
    """Return the entry of an arm; one that says it is no part of the study where there is none."""
    missing = {"arm": name, "status": "not run", "reason": "the study file does not ask for it"}
    return next((arm for arm in result["arms"] if arm["arm"] == name), missing)


def find_comparison(result: Entry, a: str, b: str) -> Entry | None:
    """Return the comparison of `a` with `b`, if it was made."""
    return next((c for c in result["comparisons"] if (c["a"], c["b"]) == (a, b)), None)


def _missing(result: Entry, *names: str) -> str:
    absent = [arm for name in names if (arm := find_arm(result, name))["status"] != "done"]
    return "; ".join(f"{describe(arm)}: {arm['status']}, {arm['reason'] or 'no reason given'}" for arm in absent) or (
        "the study did not compare them"
    )


def _seeds(arm: Entry) -> str:
    number = len(arm["seeds"])
    return f"{number} seed" if number == 1 else f"{number} seeds"
