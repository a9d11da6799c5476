"""The command line, sent a signal after an exact optimizer step: stopped_run.py STEP SIGNAL ARGUMENTS…"""

from __future__ import annotations

import itertools
import os
import signal
import sys

from torch.optim.optimizer import register_optimizer_step_post_hook

from sightline.cli.main import run


def main() -> int:
    step, name, *arguments = sys.argv[1:]
    numbers = itertools.count(1)

    def hook(*_: object) -> None:
        if next(numbers) == int(step):
            os.kill(os.getpid(), signal.Signals[name])

    register_optimizer_step_post_hook(hook)
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
