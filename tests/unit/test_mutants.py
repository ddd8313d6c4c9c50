"""Which changes of a file are tried to see whether a test notices."""

from benchmarks.mutation.mutants import mutants_of, sampled

SOURCE = '''from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A bound."""

    least: int | None = 3

    def holds(self, count: int) -> bool:
        """Whether it holds."""
        return self.least is None or count + 1 >= self.least
'''


def changed(line: int) -> set[str]:
    """What the mutants of a line turn it into."""
    made = [mutant.mutated(SOURCE).splitlines() for mutant in mutants_of(SOURCE, "bound.py") if mutant.start[0] == line]
    return {lines[line - 1].strip() for lines in made}


def test_numbers_comparisons_conditions_and_arithmetic_are_changed() -> None:
    assert changed(8) == {"least: int | None = 4", "least: int | None = 2"}
    assert "return self.least is None or count + 1 > self.least" in changed(12)
    assert "return self.least is not None or count + 1 >= self.least" in changed(12)
    assert "return self.least is None and count + 1 >= self.least" in changed(12)
    assert "return self.least is None or count - 1 >= self.least" in changed(12)


def test_decorators_annotations_and_text_are_not() -> None:
    assert {mutant.start[0] for mutant in mutants_of(SOURCE, "bound.py")} == {8, 12}


def test_a_sample_is_of_places_and_the_same_for_a_seed() -> None:
    mutants = list(mutants_of(SOURCE, "bound.py"))
    sample = sampled(mutants, 4, seed=1)

    assert sample == sampled(mutants, 4, seed=1)
    assert len({mutant.place for mutant in sample}) == 4
    assert len(sampled(mutants, 1000, seed=1)) == len({mutant.place for mutant in mutants})
