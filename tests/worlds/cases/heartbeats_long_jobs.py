"""The same jobs and workers as without heartbeats, with a heartbeat a minute. Right: none is lost."""

from tests.worlds.cases import no_heartbeats_long_jobs


def problems() -> tuple[str, ...]:
    """What went wrong."""
    return no_heartbeats_long_jobs.problems(beats_seconds=60)
