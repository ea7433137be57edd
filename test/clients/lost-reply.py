"""Sends commands by redis-py with its default settings: lost-reply.py sync|asyncio|off port commands.

The commands are JSON, an array of arrays; several go into one pipeline. Prints JSON: {"replies": [...]} or {"error": "..."}.
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


def run(client, commands):
    if len(commands) == 1:
        return [client.execute_command(*commands[0])]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline.execute()


async def run_async(client, commands):
    if len(commands) == 1:
        return [await client.execute_command(*commands[0])]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute()


def main(kind, port, commands):
    if kind == "asyncio":
        return asyncio.run(run_async(redis.asyncio.Redis(port=port), commands))
    more = {"retry": Retry(NoBackoff(), 0)} if kind == "off" else {}
    return run(redis.Redis(port=port, **more), commands)


try:
    print(json.dumps({"replies": text(main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])))}))
except redis.RedisError as error:
    print(json.dumps({"error": str(error)}))
