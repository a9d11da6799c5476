"""A server in a process of its own, with a project, that can be killed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from web_support import FloodEngine
from sightline.web import serve
from sightline.web.opening import Keeping, open_site
engine = FloodEngine()
serve(open_site(sys.argv[2], None, Keeping(Path(sys.argv[3]))), lambda: engine, open_browser=False)
"""


class Server:
    """A server of the pictures in a folder.

    Attributes:
        address: with its token.
    """

    def __init__(self, pictures: Path, project: Path) -> None:
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(pictures), str(project)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            self._process.kill()
            raise AssertionError(f"the server does not start: {line}{self._process.communicate()[1]}")
        self.address = match[0]

    def kill(self) -> None:
        """End it as SIGKILL does: at once, with nothing put in order."""
        self._process.kill()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.communicate()
