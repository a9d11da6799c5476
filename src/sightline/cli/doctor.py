"""`sightline doctor`: what this machine has, what Sightline will use of it, and which weights it can reach."""

from __future__ import annotations

from sightline.cli.common import Json, show
from sightline.cli.ending import end


def doctor(*, as_json: Json = False) -> None:
    """Show what this machine has, what Sightline will use of it, and which published weights it can have now.

    Example: sightline doctor
    """
    from sightline.engine import resolve_device, resolve_precision
    from sightline.files import cache_home, data_home
    from sightline.files.fetched import GB, VARIABLE, capacity, held
    from sightline.models.reference import published_rows
    from sightline.runs.provenance import hardware, versions

    device = resolve_device("auto")
    facts = {
        "device": device,
        "precision": resolve_precision("auto", device),
        **hardware(),
        **{f"version of {name}": value for name, value in versions().items()},
        "data home": str(data_home()),
        "cache": str(cache_home()),
        "copies of files of URLs": f"{held() / GB:.1f} GB of {capacity() / GB:.1f} GB at most ({VARIABLE})",
    }
    for row in published_rows():
        facts[f"weights {row['weights']}"] = f"{row['here']} ({row['network']}, {row['trained on']}, {row['licence']})"
    show([{"what": key, "value": str(value)} for key, value in facts.items()], as_json=as_json)
    if not as_json:
        end({}, ("study", "demo"), ("init", "FOLDER"))
