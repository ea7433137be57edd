"""How a function is called: with the routing key, once, and again where that is harmless."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from redis.exceptions import ConnectionError, ResponseError, TimeoutError, TryAgainError

from ._error import HotpathError
from ._runtime import Spec, encode
from .errors import BY_CODE

T = TypeVar("T")

#: How long a call is made again while its slot is being moved.
MOVING_PATIENCE_S = 2.0
_MAX_PAUSE_S = 0.5

Options = Iterable["tuple[str, Any]"]


def problem_of(error: ResponseError, function: str) -> ResponseError:
    """Our own error, if the code is one of ours; else the error as it is."""
    if isinstance(error, TryAgainError):
        return BY_CODE["TRYAGAIN"]("TRYAGAIN", str(error), function)
    code, _, sentence = str(error).partition(" ")
    known = BY_CODE.get(code)
    return error if known is None else known(code, sentence, function)


class _Base:
    """What both callers know."""

    def __init__(
        self, redis: Any, *, partition: str | None = None, once: bool = True, retries: int = 3
    ) -> None:
        """
        Arguments:
            redis: a client of redis-py, for one server or a cluster; it stays the caller's own, who closes it
            partition: what the keys belong to, in a cluster: `rtl`; without it names have no braces
            once: names each call that writes by a random ONCE, so that a repeat of it does nothing
            retries: how often a call whose reply was lost is made again, where that is harmless
        """
        self._redis = redis
        self._key = [] if partition is None else ["{" + partition + "}"]
        self._once = once
        self._retries = retries

    def _command(
        self, spec: Spec[T], positional: Iterable[Any], rest: Iterable[Any], options: Options, once: str | None
    ) -> list[str | bytes]:
        words: list[str | bytes] = ["FCALL_RO" if spec.read_only else "FCALL", spec.name, str(len(self._key)), *self._key]
        words += [encode(each) for each in positional]
        words += [encode(each) for each in rest]
        for keyword, value in options:
            if value is None:
                continue
            words.append(keyword)
            words += [encode(each) for each in value] if isinstance(value, tuple) else [encode(value)]
        if once is not None:
            words += ["ONCE", once]
        return words

    def _name_of(self, spec: Spec[T], once: str | None) -> str | None:
        """The text that names a call in all its attempts."""
        return once if once is not None or not (spec.once and self._once) else uuid.uuid4().hex

    def _pauses(self, spec: Spec[T], once: str | None) -> _Pauses:
        return _Pauses(spec, self._retries if once is not None or spec.repeatable else 0)


class _Pauses:
    """How long to wait after a failure; an error that ends the call is raised."""

    def __init__(self, spec: Spec[Any], retries: int) -> None:
        self._spec = spec
        self._retries = retries
        self._failures = 0
        self._until = time.monotonic() + MOVING_PATIENCE_S

    def after(self, error: Exception) -> float:
        if isinstance(error, ResponseError):
            problem = problem_of(error, self._spec.name)
            is_moving = isinstance(problem, HotpathError) and problem.code == "TRYAGAIN"
            if not is_moving or time.monotonic() >= self._until:
                raise problem from None
        else:
            if self._retries == 0:
                raise error
            self._retries -= 1
        self._failures += 1
        return float(min(0.01 * 2**self._failures, _MAX_PAUSE_S))


class Caller(_Base):
    """Calls functions over a client of `redis`."""

    def _call(
        self, spec: Spec[T], positional: Iterable[Any], rest: Iterable[Any], options: Options, once: str | None = None
    ) -> T:
        name = self._name_of(spec, once)
        command = self._command(spec, positional, rest, options, name)
        pauses = self._pauses(spec, name)
        while True:
            try:
                return spec.decode(self._redis.execute_command(*command, NEVER_DECODE=True))
            except (ResponseError, ConnectionError, TimeoutError) as error:
                time.sleep(pauses.after(error))


class AsyncCaller(_Base):
    """Calls functions over a client of `redis.asyncio`."""

    async def _call(
        self, spec: Spec[T], positional: Iterable[Any], rest: Iterable[Any], options: Options, once: str | None = None
    ) -> T:
        name = self._name_of(spec, once)
        command = self._command(spec, positional, rest, options, name)
        pauses = self._pauses(spec, name)
        while True:
            try:
                return spec.decode(await self._redis.execute_command(*command, NEVER_DECODE=True))
            except (ResponseError, ConnectionError, TimeoutError) as error:
                await asyncio.sleep(pauses.after(error))


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most so many."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
