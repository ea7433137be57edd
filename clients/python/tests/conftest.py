"""A server with all libraries, given by HOTPATH_TEST_URL; each test has it empty."""

import os
from collections.abc import Iterator

import pytest
import redis

import hotpath


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def server(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A client of redis-py, once with `decode_responses` and once without."""
    connection = redis.Redis.from_url(os.environ["HOTPATH_TEST_URL"], decode_responses=request.param)
    connection.flushdb()
    yield connection
    connection.close()


@pytest.fixture
def client(server: redis.Redis) -> hotpath.Client:
    return hotpath.Client(server)
