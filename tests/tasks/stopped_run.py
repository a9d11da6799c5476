"""The command line, sent a signal after an exact optimizer step: stopped_run.py STEP SIGNAL ARGUMENTS…

STOPPED_RANK names the one process of several that is sent it; without it each is.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys

from torch.optim.optimizer import register_optimizer_step_post_hook

from sightline.cli.main import run
from sightline.processes import process_rank


def main() -> int:
    step, name, *arguments = sys.argv[1:]
    numbers = itertools.count(1)

    def hook(*_: object) -> None:
        if next(numbers) == int(step) and process_rank() == int(os.environ.get("STOPPED_RANK", process_rank())):
            os.kill(os.getpid(), signal.Signals[name])

    register_optimizer_step_post_hook(hook)
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
