"""Why a run could not be measured, in words for whoever started it."""


class RunFailed(Exception):  # noqa: N818 (it names what happened)
    """Nothing was measured; says what was found and where to look."""
