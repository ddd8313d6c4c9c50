"""Chance that repeats itself: the same seed draws the same, in every process and on every replay."""

from random import Random


def draws(*seed: str | int) -> Random:
    """A source of draws for what the seed names, such as `draws(7, "turn", 3)`."""
    return Random("/".join(map(str, seed)))  # noqa: S311 (a load is no secret)
