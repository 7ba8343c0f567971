"""The pages with a CRM behind them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.site import Site, site


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, "crm") as found:
        yield found
