"""Hotpath for Python: functions of Redis as methods, over a client of redis-py.

    import redis, hotpath

    client = hotpath.Client(redis.Redis(), partition=None)
    client.track_events([{"url": "https://www.rtl.lu/news/", "uui": "device-1", "dt": datetime.now(timezone.utc)}])
"""

from . import _types as types
from ._error import HotpathError
from ._functions import Functions
from .errors import (
    BadArgumentError,
    BadConfigError,
    BadEventError,
    ConflictError,
    LimitError,
    NotFoundError,
    TryAgainError,
)
from .keys import Dimension, Metric, RedisNC, Type
from .table import IndexEntry, QueryOptions, RedisIndex, TableIndex


class Client(Functions):
    """The functions of all libraries, over a client of `redis`; `hotpath.aio.Client` has them over `redis.asyncio`."""


__all__ = [
    "BadArgumentError",
    "BadConfigError",
    "BadEventError",
    "Client",
    "ConflictError",
    "Dimension",
    "HotpathError",
    "IndexEntry",
    "LimitError",
    "Metric",
    "NotFoundError",
    "QueryOptions",
    "RedisIndex",
    "RedisNC",
    "TableIndex",
    "TryAgainError",
    "Type",
    "types",
]
