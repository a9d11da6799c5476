"""The command line. Signatures live in files that import no torch; the work is imported when a command runs."""

from sightline.cli.main import main

__all__ = ["main"]
