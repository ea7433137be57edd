"""The same for asyncio."""

from ._async_functions import AsyncFunctions
from .table import AsyncTableIndex as TableIndex


class Client(AsyncFunctions):
    """The functions of all libraries, over a client of `redis.asyncio`."""


__all__ = ["Client", "TableIndex"]
