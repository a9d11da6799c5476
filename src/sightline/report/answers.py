"""The answers of a study: its result.json says which questions its arms answer, and in which form each is answered."""

from __future__ import annotations

from collections.abc import Callable

from sightline.report.document import Answer
from sightline.report.faces.prompt import answer_for_free
from sightline.report.sentences import UNKNOWN, comparison_sentence, describe, flagged_arms, scored, unjudged
from sightline.runs.study_result import Comparison, Question, StudyResult

Form = Callable[[StudyResult, Question], Answer]


def answers(result: StudyResult) -> list[Answer]:
    """Return the answers of a study, from its result.json; what pretraining warned of stands in the first."""
    given = [FORMS[question.form](result, question) for question in result.questions]
    warnings = result.pretrain.warnings if result.pretrain is not None else ()
    if warnings and given:
        number = f"{len(warnings)} warning" + ("s" if len(warnings) > 1 else "")
        note = f"Pretraining gave {number}, named below under its health."
        given[0] = Answer(given[0].question, given[0].short, [*given[0].sentences, note])
    return given


def _by_verdict(result: StudyResult, question: Question) -> Answer:
    """Say in the question's words what its comparisons agree on."""
    made = [comparison for a, b in question.pairs if (comparison := result.comparison(a, b))]
    judged = [_judge(result, comparison) for comparison in made]
    decided = [index for index, comparison in enumerate(made) if comparison.decided]
    if not made:
        short = UNKNOWN
    elif not any(comparison.judged for comparison in made):
        short = unjudged(result)
    elif not decided and (flagged := flagged_arms(made)):
        short = f"Not to be said: {flagged}."
    elif len(set(judged)) == 1:
        short = question.words[judged[0]]
    elif len(decided) == len(made):
        short = question.words["mixed"]
    else:
        # One pair decided and the other not: say which holds, never that both do.
        pair = made[decided[0]]
        short = f"{pair.a} against {pair.b}: {question.words[judged[decided[0]]]} The other pair is undecided."
    if any(comparison.networks and comparison.decided for comparison in made):
        short += " The networks differ too."
    return Answer(question.heading, short, _sentences(result, question))


def _best(result: StudyResult, question: Question) -> Answer:
    """Say which arm scored best."""
    arms = [result[name] for name in question.arms]
    done = [arm for arm in arms if arm.score is not None]
    if len(done) < 2:
        short = "Only one was compared." if done else UNKNOWN
        return Answer(question.heading, short, [f"{describe(arm)}: {scored(arm)}." for arm in arms])
    sign = 1 if done[0].measure.better == "higher" else -1
    best = max(done, key=lambda arm: sign * arm.value)
    names = {arm.arm for arm in done}
    pairs = [comparison.pair for comparison in result.comparisons if names.issuperset(comparison.pair)]
    beaten = [result.comparison(*pair) for pair in pairs if best.arm in pair]
    clear = bool(beaten) and all(comparison is not None and comparison.decided for comparison in beaten)
    if any(comparison is not None and not comparison.judged for comparison in beaten):
        short = f"{best.name} scored highest. {unjudged(result)}"
    elif not clear and (flagged := flagged_arms(comparison for comparison in beaten if comparison is not None)):
        short = f"{best.name} scored highest; which is best is not to be said: {flagged}."
    else:
        short = f"{best.name}." if clear else f"{best.name} scored highest; the difference is undecided."
    return Answer(question.heading, short, [comparison_sentence(result, a, b) for a, b in pairs])


def _by_ablation(result: StudyResult, question: Question) -> Answer:
    """Count the parts without which the first arm of a pair is better."""
    made = [comparison for a, b in question.pairs if (comparison := result.comparison(a, b))]
    # A random skip dropped in training regularizes: it says nothing of what a skip is worth.
    made = [comparison for comparison in made if result[comparison.b].parts.drop != "random"]
    needed = [comparison for comparison in made if _judge(result, comparison) == "better"]
    if not made:
        short = UNKNOWN
    elif not any(comparison.judged for comparison in made):
        short = unjudged(result)
    elif needed:
        short = f"Needed, of {len(made)} ablations: {len(needed)}."
    elif flagged := flagged_arms(made):
        short = f"Not to be said: {flagged}."
    else:
        short = "No ablation is shown to cost anything."
    return Answer(question.heading, short, _sentences(result, question))


def _by_engine(result: StudyResult, question: Question) -> Answer:
    return answer_for_free(question.heading, result[question.arms[0]])


def _judge(result: StudyResult, comparison: Comparison) -> str:
    return result[comparison.a].measure.judge(comparison.verdict)


def _sentences(result: StudyResult, question: Question) -> list[str]:
    return [comparison_sentence(result, a, b) for a, b in question.pairs]


FORMS: dict[str, Form] = {"verdict": _by_verdict, "best": _best, "ablation": _by_ablation, "engine": _by_engine}
