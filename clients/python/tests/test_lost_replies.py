"""A reply that is lost: what writes is sent again only where a repeat does nothing."""

import os
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from urllib.parse import urlparse

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import hotpath
from hotpath import _functions, _runtime

NOON = datetime(2024, 1, 15, 12, tzinfo=timezone.utc)


class LosingProxy:
    """Forwards to the server, and cuts the connection instead of handing on the reply to a command that holds a word."""

    def __init__(self, url: str, word: bytes, losses: int) -> None:
        target = urlparse(url)
        self.target = (target.hostname or "127.0.0.1", target.port or 6379)
        self.word = word
        self.losses = losses
        self.seen: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self.target) as far:
            while request := near.recv(65536):
                far.sendall(request)
                reply = far.recv(65536)
                if self.word in request:
                    self.seen.append(request)
                    if self.losses > 0:
                        self.losses -= 1
                        return
                near.sendall(reply)


@pytest.fixture
def proxy(server: redis.Redis) -> Iterator[LosingProxy]:
    proxy = LosingProxy(os.environ["HOTPATH_TEST_URL"], b"FCALL", 2)
    yield proxy
    proxy.listener.close()


def _client(proxy: LosingProxy) -> hotpath.Client:
    return hotpath.Client(redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)))


def test_what_reads_is_asked_again(proxy: LosingProxy) -> None:
    assert _client(proxy).list_topics() == ("packages",)
    assert len(proxy.seen) == 3


def test_what_would_count_twice_is_not_sent_again_without_once(
    proxy: LosingProxy, server: redis.Redis
) -> None:
    client = hotpath.Client(redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)), once=False)
    with pytest.raises(redis.ConnectionError):
        client.track_events([{"url": "https://a.lu/", "uui": "a", "dt": NOON}], now=NOON)
    assert len(proxy.seen) == 1


@pytest.mark.skipif(not _functions.TRACK_EVENTS.once, reason="functions take no ONCE yet")
def test_a_call_that_writes_is_named_and_counts_once(proxy: LosingProxy, server: redis.Redis) -> None:
    reply = _client(proxy).track_events([{"url": "https://a.lu/", "uui": "a", "dt": NOON}], now=NOON)
    assert reply.accepted == 1
    assert len(proxy.seen) == 3 and len(set(proxy.seen)) == 1
    client = hotpath.Client(server)
    found = client.identify_url("https://a.lu/")
    counted = client.count_pg("P", found.page_id, from_=NOON, to=NOON.replace(minute=1), now=NOON)
    assert counted is not None and counted.value == 1


def test_a_name_is_kept_across_attempts(proxy: LosingProxy, server: redis.Redis) -> None:
    spec = _runtime.Spec("define_task", _runtime.DONE, read_only=False, once=True, repeatable=False)
    client = _client(proxy)
    # Without ONCE in the library the last attempt is refused; what is sent is the same in all of them.
    try:
        client._call(spec, ("fetch",), (), (), None)
    except hotpath.BadArgumentError:
        pass
    assert len(proxy.seen) >= 1 and len(set(proxy.seen)) == 1 and b"ONCE" in proxy.seen[0]
