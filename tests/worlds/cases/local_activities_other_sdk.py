"""The same local activities in an SDK whose workflow tasks are not bound to one core. Right: one or two workers."""

from tests.worlds.cases import local_activities


def problems() -> tuple[str, ...]:
    """What went wrong."""
    return local_activities.problems(sdk="temporal-go")
