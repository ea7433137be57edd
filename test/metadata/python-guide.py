"""GigAPI's guide for clients in Python, with FCALL where it has EVALSHA and the two keys of patch_index as they are now.

Adds a file for every 15 seconds of three days in one batch, asks for the first one, and answers what it found as JSON.

usage: python3 python-guide.py redis://127.0.0.1:PORT/0
"""

import json
import sys
import uuid
from datetime import datetime, timedelta
from urllib.parse import urlparse

try:
    import redis
except ImportError:
    import resp as redis

MERGE_CONFIGURATIONS = [[10, 10 * 1024 * 1024, 1]]
LAYERS = {"": {"url": "", "name": "", "type": "", "ttl_sec": 0, "layer_to": ""}}


class RedisIndex:
    def __init__(self, url, database, table):
        parsed = urlparse(url)
        self.client = redis.Redis(host=parsed.hostname, port=parsed.port, db=int(parsed.path.strip("/") or 0))
        self.database = database
        self.table = table

    def entry(self, path, start, end, cmd):
        """An entry as the guide has it: without writer_id, and with an empty layer."""
        return json.dumps(
            {
                "layer": "",
                "database": self.database,
                "table": self.table,
                "path": path,
                "size_bytes": 1000000,
                "row_count": 0,
                "chunk_time": 0,
                "min": {},
                "max": {},
                "min_time": 0,
                "max_time": 0,
                "str_min_time": str(int(start.timestamp()) * 1_000_000_000),
                "str_max_time": str(int(end.timestamp()) * 1_000_000_000),
                "str_chunk_time": "0",
                "cmd": cmd,
            }
        )

    def batch(self, entries):
        keys = [json.dumps(MERGE_CONFIGURATIONS), json.dumps(LAYERS)]
        return self.client.fcall("patch_index", len(keys), *keys, *entries)

    def get(self, path):
        stored = self.client.hget(f"files:{self.database}:{self.table}:{path.split('/')[0]}", path)
        return json.loads(stored) if stored else None


def main(url):
    index = RedisIndex(url, "default", "test")
    step = timedelta(seconds=15)
    start = datetime(2024, 1, 13)
    times = [start + step * at for at in range(3 * 24 * 240)]
    paths = [f"date={each:%Y-%m-%d}/hour={each:%H}/{uuid.uuid4()}.1.parquet" for each in times]
    added = index.batch([index.entry(path, each, each + step, "ADD") for path, each in zip(paths, times)])
    found = index.get(paths[0])
    removed = index.batch([index.entry(paths[0], start, start + step, "DELETE")])
    answer = {"added": added, "found": found["path"] == paths[0], "removed": removed, "left": index.get(paths[0])}
    print(json.dumps(answer))


main(sys.argv[1])
