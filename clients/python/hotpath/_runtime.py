"""From Python to the wire, and back: what the generated code is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Decoder = Callable[[Any], T]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)


@dataclass(frozen=True)
class Spec(Generic[T]):
    """A function: its name, how its reply is decoded, and what a repeated call does."""

    name: str
    decode: Decoder[T]
    read_only: bool
    #: It takes ONCE: a repeat under the same name does nothing.
    once: bool
    #: It may be repeated as it is.
    repeatable: bool


def since_epoch(moment: datetime) -> timedelta:
    """Refuses a time without a zone: it would be another one on another machine."""
    if moment.tzinfo is None:
        raise ValueError(f"a datetime needs a time zone, got {moment!r}")
    return moment - _EPOCH


def encode(value: Any) -> str | bytes:
    """One value as an argument of a function."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return str(since_epoch(value) // _MS)
    if isinstance(value, timedelta):
        return str(value // _MS)
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"an argument must be text, bytes, a number or a time, got {value!r}")


def nanoseconds(value: datetime | int | None) -> int | None:
    """A time in nanoseconds, as the index has it."""
    return since_epoch(value) // _US * 1000 if isinstance(value, datetime) else value


def json_text(value: Any) -> str | None:
    """JSON of a value; text is taken to be JSON already."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return since_epoch(value) // _MS
    raise TypeError(f"JSON cannot hold {value!r}")


def RAW(value: Any) -> Any:
    return value


def TEXT(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def BYTES(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def INTEGER(value: Any) -> int:
    return int(value)


def FLAG(value: Any) -> bool:
    return int(value) != 0


def DONE(_value: Any) -> None:
    return None


def TIME(value: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(value))


def DURATION(value: Any) -> timedelta:
    return timedelta(milliseconds=int(value))


def NANOSECONDS(value: Any) -> int:
    return int(value)


def nullable(decode: Decoder[T]) -> Decoder[T | None]:
    return lambda value: None if value is None else decode(value)


def list_of(decode: Decoder[T]) -> Decoder[tuple[T, ...]]:
    return lambda value: tuple(decode(each) for each in value)


def json_of(decode: Decoder[T]) -> Decoder[T]:
    return lambda value: decode(json.loads(value))


Fields = Mapping[str, "tuple[str, Decoder[Any]]"]


def _build(cls: Callable[..., T], fields: Fields, values: Mapping[str, Any]) -> T:
    """By name: a server may hold a newer library, whose replies have more fields."""
    return cls(**{name: decode(values.get(wire)) for wire, (name, decode) in fields.items()})


def object_of(cls: Callable[..., T], fields: Fields) -> Decoder[T]:
    return lambda value: _build(cls, fields, value)


def record_of(cls: Callable[..., T], fields: Fields) -> Decoder[T]:
    return lambda flat: _build(cls, fields, {TEXT(flat[at]): flat[at + 1] for at in range(0, len(flat), 2)})


def tuple_of(cls: Callable[..., T], fields: Fields, rest: Decoder[Any] | None = None) -> Decoder[T]:
    def decode(values: Any) -> T:
        named = {name: each(value) for (name, each), value in zip(fields.values(), values)}
        if rest is not None:
            named["items"] = tuple(rest(each) for each in values[len(fields) :])
        return cls(**named)

    return decode


def any_of(*choices: tuple[frozenset[str], Decoder[Any]]) -> Decoder[Any]:
    """The first whose properties are all there."""

    def decode(value: Any) -> Any:
        for required, each in choices:
            if required <= value.keys():
                return each(value)
        raise ValueError(f"none of the known documents: {sorted(value)}")

    return decode
