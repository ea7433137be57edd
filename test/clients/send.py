"""Sends commands by redis-py with its default settings: send.py sync|asyncio|off port commands,
or send.py cluster|cluster-asyncio port commands user password.

The commands are JSON, an array of arrays; several go into one pipeline, in a cluster into one transaction. Prints JSON: {"replies": [...]} or {"error": "..."}.
"""

import asyncio
import json
import sys

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry


def text(reply):
    if isinstance(reply, bytes):
        return reply.decode()
    return [text(each) for each in reply] if isinstance(reply, list) else reply


def run(client, commands, transaction=False):
    if len(commands) == 1:
        return [client.execute_command(*commands[0])]
    pipeline = client.pipeline(transaction=transaction)
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline.execute()


async def run_async(client, commands):
    async with client:
        if len(commands) == 1:
            return [await client.execute_command(*commands[0])]
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute()


def main(kind, port, commands, *login):
    login = dict(zip(("username", "password"), login))
    if kind == "asyncio":
        return asyncio.run(run_async(redis.asyncio.Redis(port=port), commands))
    if kind == "cluster":
        return run(redis.RedisCluster("127.0.0.1", port, **login), commands, True)
    if kind == "cluster-asyncio":
        return asyncio.run(run_async(redis.asyncio.RedisCluster("127.0.0.1", port, **login), commands))
    more = {"retry": Retry(NoBackoff(), 0)} if kind == "off" else {}
    return run(redis.Redis(port=port, **more), commands)


kind, port, commands, *login = sys.argv[1:]
try:
    print(json.dumps({"replies": text(main(kind, int(port), json.loads(commands), *login))}))
except (redis.RedisError, ConnectionError) as error:
    print(json.dumps({"error": str(error)}))
