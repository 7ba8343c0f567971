"""Here it is about the file itself."""

from collections.abc import Iterator

import pytest

from tests.support.blank import as_in_earnest


@pytest.fixture(autouse=True)
def _in_earnest() -> Iterator[None]:
    with as_in_earnest():
        yield
