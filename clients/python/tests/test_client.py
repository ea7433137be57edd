"""Functions as methods, on a real server."""

import asyncio
import os
import uuid
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone

import pytest
import redis
import redis.asyncio

import hotpath
import hotpath.aio
from hotpath import Dimension, IndexEntry, Metric, QueryOptions, RedisIndex, RedisNC, Type

NOON = datetime(2024, 1, 15, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def test_counts_events_and_answers_a_frozen_record(client: hotpath.Client) -> None:
    events: list[hotpath.types.Event] = [
        {"url": "https://www.rtl.lu/news/", "uui": "a", "dt": NOON},
        {"url": "https://www.rtl.lu/news/", "uui": "b", "dt": int(NOON.timestamp() * 1000)},
        {"url": "nowhere", "uui": "b", "dt": NOON},
    ]
    reply = client.track_events(events, now=NOON)
    assert (reply.accepted, reply.rejected, reply.late) == (2, 1, 0)
    assert [(each.index, each.code) for each in reply.errors] == [(2, "BADEVENT")]
    with pytest.raises(FrozenInstanceError):
        reply.accepted = 3  # type: ignore[misc]
    found = client.identify_url("https://www.rtl.lu/news/")
    counted = client.count_pg("W", found.website_id, from_=NOON, to=NOON + MINUTE, now=NOON)
    assert counted is not None
    assert (counted.value, counted.from_, counted.to) == (2, NOON, NOON + MINUTE)
    devices = client.get_devices("W", found.website_id, from_=NOON, to=NOON + MINUTE, now=NOON)
    assert devices is not None and devices.devices[0][:4] == b"HYLL"
    page = client.get_document("P", found.page_id)
    assert isinstance(page, hotpath.types.Page)
    assert page.website.name == "RTL.LU" and page.last_visited == NOON and page.metadata.title is None
    assert client.get_document("P", "0" * 40) is None


def test_raises_an_exception_for_each_code(client: hotpath.Client) -> None:
    with pytest.raises(hotpath.NotFoundError, match="there is no topic 'none'") as raised:
        client.get_topic("none")
    assert (raised.value.code, raised.value.function) == ("NOTFOUND", "get_topic")
    assert isinstance(raised.value, hotpath.HotpathError) and isinstance(raised.value, redis.ResponseError)
    with pytest.raises(hotpath.BadArgumentError):
        client.configure_topic("no topic")
    with pytest.raises(hotpath.BadConfigError):
        client.configure_topic("t", subject="a", item="a")
    with pytest.raises(hotpath.LimitError):
        client.track_events([{"url": "u", "uui": "d", "dt": 1}] * 1001)
    with pytest.raises(ValueError, match="time zone"):
        client.get_tracker_status(now=datetime(2024, 1, 15))


def test_a_key_of_another_type_is_a_conflict(client: hotpath.Client, server: redis.Redis) -> None:
    server.set("H:TRACKER::::", "foreign")
    with pytest.raises(hotpath.ConflictError):
        client.get_tracker_config()


def test_notifications_go_out_under_a_lease_and_end(client: hotpath.Client) -> None:
    due = client.scan_item("packages", "10", "A", now=NOON)
    assert due == NOON + timedelta(hours=1)
    topic = client.configure_topic("packages", lease=timedelta(minutes=5))
    assert (topic.lease, topic.quiet) == (timedelta(minutes=5), timedelta(hours=1))
    claimed = client.claim_notifications("packages", count=1, now=due)
    [notification] = claimed.items
    assert (notification.subject, notification.items, notification.attempt) == ("10", ("A",), 1)
    assert notification.first_at == NOON
    client.ack_notification("packages", notification.id, token=notification.token, now=due)
    with pytest.raises(hotpath.NotFoundError):
        client.retry_notification("packages", notification.id)


def test_tasks_carry_whatever_was_enqueued(client: hotpath.Client) -> None:
    client.define_task("fetch", pre="")
    identifier = client.enqueue_task("q", {"type": "fetch", "n": 2**60, "of": "é"}, priority=0)
    task = client.claim_task("q")
    assert task is not None
    assert (task.id, task.payload) == (identifier, {"type": "fetch", "n": 2**60, "of": "é"})
    client.finish_task(task.id, token=task.token, result={"pages": 2})
    finished = client.get_task(task.id)
    assert finished is not None
    assert (finished.state, finished.result) == ("finished", {"pages": 2})


def test_pages_are_gone_through_as_they_are_taken(client: hotpath.Client) -> None:
    client.define_task("fetch")
    for at in range(7):
        client.enqueue_task("q", {"type": "fetch"}, id=str(at))
    assert [each.id for each in client.iter_list_tasks("q", count=3)] == [str(at) for at in range(7)]
    assert [each.id for each in client.iter_list_tasks("q", count=7)] == [str(at) for at in range(7)]
    assert [each.id for each in client.iter_list_tasks("q", offset=5, count=3)] == ["5", "6"]
    for at in range(5):
        client.upsert_product("shop", {"sku": str(at), "name": "n", "price": 1.5})
    assert len(list(client.iter_find_products(vendor="shop", count=2))) == 5
    client.track_events(
        [{"url": f"https://a.lu/{at}", "uui": "a", "dt": NOON} for at in range(20)], now=NOON
    )
    replies = list(client.iter_rotate_pg(limit=10, now=NOON + timedelta(minutes=5)))
    assert len(replies) > 1 and not replies[-1].remaining and all(each.remaining for each in replies[:-1])


def test_two_options_exclude_each_other_by_the_function(client: hotpath.Client) -> None:
    with pytest.raises(hotpath.BadArgumentError, match="SECTION takes the place of WEBSITE"):
        client.rank_pg("P", from_=0, to=NOON, website="0" * 40, section="0" * 40)


def test_a_partition_is_in_the_names_of_keys(server: redis.Redis) -> None:
    hotpath.Client(server, partition="rtl").define_task("fetch")
    # The type of task, and the reply that is kept for a repeat.
    assert len(server.keys("*{rtl}*")) == 2


def test_the_table_keeps_files_as_the_guide_does(server: redis.Redis) -> None:
    index = RedisIndex(os.environ["HOTPATH_TEST_URL"], "default", "test")
    start = datetime(2024, 1, 13)
    step = timedelta(seconds=15)
    entries = []
    for at in range(3 * 24 * 60):
        current = start + step * at * 4
        entries.append(
            IndexEntry(
                database="default",
                table="test",
                path=f"date={current:%Y-%m-%d}/hour={current.hour:02d}/{uuid.uuid4()}.1.parquet",
                size_bytes=1000000,
                min_time=int(current.timestamp() * 1_000_000_000),
                max_time=int((current + step).timestamp() * 1_000_000_000),
                max_data={"span": 2**63 - 1},
            )
        )
    assert index.batch(entries) == len(entries)
    retrieved = index.get(entries[0].path)
    assert retrieved is not None and retrieved == entries[0]
    day = QueryOptions(after=datetime(2024, 1, 14), before=datetime(2024, 1, 14, 23, 59, 59))
    assert {each.path for each in index.query(day)} == {
        each.path for each in entries if "date=2024-01-14" in each.path
    }
    assert index.batch([], [entries[0]]) == 1
    assert index.get(entries[0].path) is None
    plan = hotpath.Client(server).get_merge_plan("default", "test", 1, "", "", now=datetime.now(timezone.utc) + MINUTE)
    assert plan is not None and plan.from_ and plan.to.endswith(".2.parquet")


def test_names_of_keys_are_those_of_the_tracker() -> None:
    fields = "TS:5MINUTES:S:001::UD".split(":")
    assert Type(fields[RedisNC.TYPE]) is Type.TIMESERIES
    assert Dimension(fields[RedisNC.DIMENSION]) is Dimension.SECTION
    assert fields[RedisNC.RECORD_ID] == "001" and fields[RedisNC.TS] == ""
    assert Metric(fields[RedisNC.METRIC]) is Metric.UNIQUE_DEVICES


def test_asyncio_has_the_same(server: redis.Redis) -> None:
    async def main() -> None:
        connection = redis.asyncio.Redis.from_url(os.environ["HOTPATH_TEST_URL"])
        client = hotpath.aio.Client(connection)
        await client.define_task("fetch")
        for at in range(3):
            await client.enqueue_task("q", {"type": "fetch"}, id=str(at))
        assert [each.id async for each in client.iter_list_tasks("q", count=2)] == ["0", "1", "2"]
        with pytest.raises(hotpath.NotFoundError):
            await client.get_topic("none")
        table = hotpath.aio.TableIndex(client, "d", "t")
        entry = IndexEntry("d", "t", "date=2024-01-15/hour=00/a.1.parquet", 10, 1, 2)
        assert await table.batch([entry]) == 1
        assert await table.get(entry.path) == entry
        assert [each.path for each in await table.query(QueryOptions(folder="date=2024-01-15"))] == [entry.path]
        await connection.aclose()

    asyncio.run(main())
