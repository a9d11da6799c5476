"""`sightline VERB`: dispatch, errors and exit codes (0 done, 1 failed, 2 wrong use or input, 130 interrupted)."""

from __future__ import annotations

import ast
import io
import sys
import time
from importlib.metadata import version
from itertools import count
from pathlib import Path

from cyclopts import App, CycloptsError, Group

from sightline.errors import SightlineError
from sightline.files import explained, keep_traceback, log_folder
from sightline.processes import is_first_process, process_rank, silence

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
AGAIN = "give the same command again"
PARTING_SECONDS = 10.0  # longer than the first process, or torchrun, takes to end the others

# In the order of the work, as the help lists them.
STAGES = {
    "Before the work": {
        "doctor": "sightline.cli.doctor:doctor",
        "data": "sightline.cli.data:app",
        "init": "sightline.cli.init:init",
    },
    "The comparison": {
        "study": "sightline.cli.study:study",
        "runs": "sightline.cli.runs:runs",
        "report": "sightline.cli.report:report",
    },
    "One run at a time": {
        "pretrain": "sightline.cli.pretrain:pretrain",
        "classify": "sightline.cli.classify:classify",
        "segment": "sightline.cli.segment:segment",
    },
    "With a finished run": {
        "evaluate": "sightline.cli.evaluate:evaluate",
        "predict": "sightline.cli.predict:predict",
        "embed": "sightline.cli.embed:embed",
        "export": "sightline.cli.export:export",
    },
    "Masks without training": {
        "prompt": "sightline.cli.prompt:prompt",
        "serve": "sightline.cli.serve:serve",
    },
    "Speed": {
        "bench": "sightline.cli.bench:app",
    },
}
VERBS = {verb: path for stage in STAGES.values() for verb, path in stage.items()}


def make_app(*, summaries: bool = False) -> App:
    """Return the command-line application, its verbs not yet imported.

    Args:
        summaries: say of each verb what it does, for the list of them; a verb's own help says more.
    """
    app = App(
        name="sightline",
        help="Does self-supervised pretraining on your own images pay? Pretrain, compare, explain, with evidence.\n\n"
        "Start with: sightline study demo\n\nAdd --debug to any command for a traceback.",
        version=version("sightline"),
        help_flags=["--help", "-h"],
        suppress_keyboard_interrupt=False,  # `run` says how to go on
    )
    everywhere = Group("Everywhere", sort_key=len(STAGES))
    app["--help"].group = app["--version"].group = (everywhere,)
    place = count()
    app.register_install_completion_command(
        "--install-completion",
        group=everywhere,
        help="Install completion of verbs and flags for your shell (bash, zsh, fish, PowerShell).",
    )
    for number, (title, verbs) in enumerate(STAGES.items()):
        stage = Group(title, sort_key=number)
        for verb, path in verbs.items():
            summary = {"help": _summary(path)} if summaries else {}
            app.command(path, name=verb, group=stage, sort_key=next(place), **summary)
    return app


def _summary(path: str) -> str:
    """Return the first paragraph of a verb's help, read from its source: importing them all would take its time."""
    module, name = path.split(":")
    source = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n\n")[0]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == name:
            texts = {keyword.arg: keyword.value for keyword in node.value.keywords}
            return ast.literal_eval(texts["help"]).partition("\n\n")[0]
    return ""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: list[str]) -> int:
    """Run the command line and return the exit code."""
    debug = "--debug" in argv
    argv = [argument for argument in argv if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        # Names of files need not be UTF-8, nor the terminal.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        make_app(summaries=argv in ([], ["--help"], ["-h"]))(
            argv, exit_on_error=False, print_error=True, result_action="return_value"
        )
    except CycloptsError:
        return WRONG_USE  # printed by cyclopts, with the nearest match
    except SightlineError as error:
        if debug:
            raise
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt as error:
        if debug:
            raise
        if is_first_process():
            print(f"sightline: interrupted; {str(error) or AGAIN}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has heard enough, as `head` does.
        silence(sys.stdout)
        return FAILED
    except Exception as error:
        if debug:
            raise
        message, code = explained(error) or (_fault(error), FAILED)
        _say(message)
        return code
    return 0


def _say(message: str) -> None:
    """Say on stderr why the command ends; of several processes the first does, others only if they outlive it."""
    if not is_first_process():
        # Whoever started it ends it while it waits: all met the same error, or the first tells of this one's.
        time.sleep(PARTING_SECONDS)
        message = f"process {process_rank()}: {message}"
    print(f"sightline: {message}", file=sys.stderr)


def _fault(error: Exception) -> str:
    """Return what to say of an error that nobody foresaw; its traceback is kept in the run's folder, or in a log."""
    try:
        where = f"The traceback is in {keep_traceback(error, log_folder())}"
    except OSError as reason:
        where = f"The traceback could not be written ({reason}); --debug shows it"
    first = str(error).strip().partition("\n")[0]
    kind = type(error).__name__
    return f"this is a fault of Sightline: {kind}: {first[:300]}. {where}; please report it with the command"
