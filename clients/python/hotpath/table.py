"""The index of a table's files, in the shape of GigAPI's guide for Python: `batch`, `get`, `query`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import redis

from ._async_functions import AsyncFunctions
from ._caller import chunks
from ._functions import Functions
from ._types import Entry, EntryStored, Layer
from .errors import NotFoundError

#: Merge after 10 seconds, up to 10 MB: what the guide has.
MERGE_CONFIGURATIONS = ((10, 10 * 1024 * 1024, 1),)
#: The one layer without a name that the guide's entries are in.
LAYERS: dict[str, Layer] = {"": {"url": "", "name": "", "type": "", "ttl_sec": 0, "layer_to": ""}}
_MAX_ENTRIES = 1000


@dataclass
class IndexEntry:
    """A file. Times are nanoseconds since 1970."""

    database: str
    table: str
    path: str
    size_bytes: int
    min_time: int
    max_time: int
    layer: str = ""
    row_count: int = 0
    chunk_time: int = 0
    min_data: dict[str, Any] = field(default_factory=dict)
    max_data: dict[str, Any] = field(default_factory=dict)
    writer_id: str = ""


@dataclass
class QueryOptions:
    """Which files to ask for. A time without a zone is local, as those of the guide are."""

    folder: str = ""
    after: datetime | int | None = None
    before: datetime | int | None = None
    iteration: int = 0


def _added(entry: IndexEntry) -> Entry:
    return {
        "cmd": "ADD",
        "layer": entry.layer,
        "database": entry.database,
        "table": entry.table,
        "path": entry.path,
        "size_bytes": entry.size_bytes,
        "row_count": entry.row_count,
        "chunk_time": 0,
        "min": entry.min_data,
        "max": entry.max_data,
        "min_time": 0,
        "max_time": 0,
        "str_min_time": str(entry.min_time),
        "str_max_time": str(entry.max_time),
        "str_chunk_time": str(entry.chunk_time),
        "writer_id": entry.writer_id,
    }


def _removed(entry: IndexEntry) -> Entry:
    return {"cmd": "DELETE", "path": entry.path, "layer": entry.layer, "writer_id": entry.writer_id}


def _entry(stored: EntryStored, database: str, table: str) -> IndexEntry:
    return IndexEntry(
        database=stored.database or database,
        table=stored.table or table,
        path=stored.path,
        size_bytes=stored.size_bytes or 0,
        min_time=stored.str_min_time or 0,
        max_time=stored.str_max_time or 0,
        layer=stored.layer or "",
        row_count=stored.row_count or 0,
        chunk_time=stored.str_chunk_time or 0,
        min_data=stored.min or {},
        max_data=stored.max or {},
        writer_id=stored.writer_id or "",
    )


def _bound(time: datetime | int | None) -> datetime | int | None:
    if not isinstance(time, datetime) or time.tzinfo is not None:
        return time
    return None if time in (datetime.min, datetime.max) else time.astimezone()


class _Table:
    def __init__(self, database: str, table: str) -> None:
        self.database = database
        self.table = table
        self.merge_configurations: list[list[int]] = [list(each) for each in MERGE_CONFIGURATIONS]
        self.layers: dict[str, Layer] = dict(LAYERS)

    def _parts(self, add: Iterable[IndexEntry], remove: Iterable[IndexEntry]) -> Iterator[list[Entry]]:
        return chunks([*map(_added, add), *map(_removed, remove)], _MAX_ENTRIES)

    def _question(self, options: QueryOptions) -> dict[str, Any]:
        return {
            "folder": options.folder or None,
            "after": _bound(options.after),
            "before": _bound(options.before),
            "iteration": options.iteration or None,
        }


class TableIndex(_Table):
    """A table of the index. A batch is all or nothing up to 1,000 entries; longer ones are written in such parts."""

    def __init__(self, client: Functions | redis.Redis | str, database: str, table: str) -> None:
        """`client` is ours, one of redis-py, or an address: `redis://localhost:6379/0`."""
        super().__init__(database, table)
        if isinstance(client, str):
            client = redis.Redis.from_url(client)
        self._functions = client if isinstance(client, Functions) else Functions(client)

    def batch(self, add_entries: Iterable[IndexEntry], rm_entries: Iterable[IndexEntry] | None = None) -> int:
        """Adds files, then removes files; answers how many entries were processed."""
        return sum(self._patch(part) for part in self._parts(add_entries, rm_entries or ()))

    def _patch(self, entries: list[Entry]) -> int:
        try:
            return self._functions.patch_index(self.database, self.table, entries)
        except NotFoundError as error:
            if "is not configured" not in error.sentence:
                raise
        self.configure()
        return self._functions.patch_index(self.database, self.table, entries)

    def configure(self) -> None:
        """Keeps `merge_configurations` and `layers` with the table; the first batch of a new table does it too."""
        self._functions.configure_table(
            self.database, self.table, merge=self.merge_configurations, layers=self.layers
        )

    def get(self, path: str) -> IndexEntry | None:
        """A file, or None."""
        stored = self._functions.get_entry(self.database, self.table, path)
        return None if stored is None else _entry(stored, self.database, self.table)

    def query(self, options: QueryOptions | None = None) -> list[IndexEntry]:
        """The files that are asked for, each once; see `iter` for many."""
        return list(self.iter(options))

    def iter(self, options: QueryOptions | None = None) -> Iterator[IndexEntry]:
        """The files that are asked for, page by page as they are taken."""
        seen: set[str] = set()
        question = self._question(options or QueryOptions())
        for stored in self._functions.iter_query_index(self.database, self.table, **question):
            if stored.path not in seen:
                seen.add(stored.path)
                yield _entry(stored, self.database, self.table)


#: As the guide calls it.
RedisIndex = TableIndex


class AsyncTableIndex(_Table):
    """See TableIndex."""

    def __init__(self, client: Any, database: str, table: str) -> None:
        super().__init__(database, table)
        self._functions = client if isinstance(client, AsyncFunctions) else AsyncFunctions(client)

    async def batch(self, add_entries: Iterable[IndexEntry], rm_entries: Iterable[IndexEntry] | None = None) -> int:
        return sum([await self._patch(part) for part in self._parts(add_entries, rm_entries or ())])

    async def _patch(self, entries: list[Entry]) -> int:
        try:
            return await self._functions.patch_index(self.database, self.table, entries)
        except NotFoundError as error:
            if "is not configured" not in error.sentence:
                raise
        await self.configure()
        return await self._functions.patch_index(self.database, self.table, entries)

    async def configure(self) -> None:
        await self._functions.configure_table(
            self.database, self.table, merge=self.merge_configurations, layers=self.layers
        )

    async def get(self, path: str) -> IndexEntry | None:
        stored = await self._functions.get_entry(self.database, self.table, path)
        return None if stored is None else _entry(stored, self.database, self.table)

    async def query(self, options: QueryOptions | None = None) -> list[IndexEntry]:
        return [each async for each in self.iter(options)]

    async def iter(self, options: QueryOptions | None = None) -> AsyncIterator[IndexEntry]:
        seen: set[str] = set()
        question = self._question(options or QueryOptions())
        async for stored in self._functions.iter_query_index(self.database, self.table, **question):
            if stored.path not in seen:
                seen.add(stored.path)
                yield _entry(stored, self.database, self.table)
