"""How many inputs each reader gets: 100,000, or SIGHTLINE_FUZZ.

    SIGHTLINE_FUZZ=20000 uv run pytest tests/fuzz -m slow -n 0 --hypothesis-show-statistics

The statistics tell how many each got.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

many_inputs = settings(
    max_examples=int(os.environ.get("SIGHTLINE_FUZZ", "100000")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
