"""The pages that list everything are current, and leave nothing unsaid."""

from pathlib import Path

import pytest

from scaler.cli.reference import Page, page_text

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", Page)
def test_the_page_in_docs_is_current(page: Page) -> None:
    """Renew it with `make reference`."""
    assert (DOCS / f"{page}.md").read_text() == page_text(page)


@pytest.mark.parametrize("page", Page)
def test_every_row_says_what_it_is_about(page: Page) -> None:
    rows = [line for line in page_text(page).splitlines() if line.startswith("| `")]

    assert rows
    assert [row for row in rows if "|  |" in row] == []


def test_a_key_is_told_with_what_it_takes_and_what_it_is_without() -> None:
    rows = page_text(Page.FLEET).splitlines()

    drain = "How long a worker may finish its tasks before it is killed; one that may need longer stays."
    assert f"| `drain` | `30s` or `5m` | `1m` | {drain} |" in rows
    assert (
        "| `max` | a whole number (≥ 1, ≤ 10 000) | **needed** | Never more, but for the surge of a rollout. |" in rows
    )
    assert "## `workers.slots`" in rows
    assert "## `schedule[]`" in rows
