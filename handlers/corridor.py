"""What answers is imported when it is first asked: a desk holds in memory what its people use, and no more."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from operator import attrgetter
from types import ModuleType
from typing import Any

Asked = Callable[..., Coroutine[Any, Any, Any]]


def behind(where: str) -> Asked:
    """What stands behind a door, as `module:name`; the module is imported for the first who comes.

    In a thread, so that everybody else goes on being answered meanwhile.
    """
    module, _, name = where.partition(":")
    found = attrgetter(name)

    async def arrived(*given: Any) -> Any:
        return await found(await here(f"handlers.{module}"))(*given)

    arrived.__name__, arrived.__qualname__ = name, where
    return arrived


_here: dict[str, ModuleType] = {}


async def here(module: str) -> ModuleType:
    """The module, whole: one that another thread is still importing is waited for."""
    if module not in _here:
        _here[module] = await asyncio.to_thread(import_module, module)
    return _here[module]
