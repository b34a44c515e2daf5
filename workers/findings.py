"""Jobs that look for what a person should see: money spent for nothing, and incidents."""

from services.costs import findings
from services.health import incidents as health_incidents
from workers.running import Running


def costs(_: Running) -> dict[str, object]:
    """Find suggestions and who spends most."""
    return dict(findings.find())


def incidents(_: Running) -> dict[str, object]:
    """Find error bursts and silences in the hours that may still have changed."""
    return dict(health_incidents.find())
