"""Parsers of what clients send: bounded in size and depth before anything is built.

A JSON value may hold neither half a surrogate pair nor a number that is not finite: they could not be sent back. YAML
is walked event by event first, because its loader builds nested nodes by recursion in C, which ends the process.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped, unused-ignore]

from medimg.hub_sync.hub.refusals import HubRefusal, Json

MAX_DEPTH = 64
MAX_VALUES = 200_000
YAML_BYTES = 1 << 20
YAML_VALUES = 50_000
COUNT_DIGITS = 18

YAML_FAULTS = (
    yaml.YAMLError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
    RecursionError,
)
"""What the safe loader raises on bad YAML: `!!int ""` is an IndexError, `!!timestamp x` an AttributeError."""

_STRING = re.compile(rb'"[^"]*"?')
_BRACKET = re.compile(rb"[\[\]{}]")
_HALF_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBER = re.compile(r"[-+0-9a-fA-FxXob_:.]{300,}")
_COUNT = re.compile(rf"[0-9]{{1,{COUNT_DIGITS}}}")
_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_MERGE = "tag:yaml.org,2002:merge"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# ---- JSON


def read_json(data: bytes, what: str = "The body") -> Any:
    """Parse JSON that a client sent; refuses what is no JSON, too deep, or holds too many values."""
    _check_shape(data, what)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if _HALF_SURROGATE.search(text):
            _check_texts(value)
    except (ValueError, RecursionError):
        raise HubRefusal(400, f"{what} is not JSON.") from None
    return value


def read_object(data: bytes, what: str = "The body") -> Json:
    """Parse a JSON object that a client sent; refuses anything else."""
    value = read_json(data, what)
    if not isinstance(value, dict):
        raise HubRefusal(400, f"{what} is not a JSON object.")
    return value


def _check_shape(data: bytes, what: str) -> None:
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') <= 2 * MAX_VALUES:
        bare = _STRING.sub(b"", bare)
        if bare.count(b",") + bare.count(b"[") + bare.count(b"{") <= MAX_VALUES:
            depth = 0
            for bracket in _BRACKET.finditer(bare):
                depth += 1 if bracket[0] in b"[{" else -1
                if depth > MAX_DEPTH:
                    raise HubRefusal(400, f"{what} is nested more than {MAX_DEPTH} deep.")
            return
    raise HubRefusal(413, f"{what} holds more than {MAX_VALUES:,} values.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _check_texts(value: object) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            item.encode()  # raises on half a surrogate pair
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item


def text(body: Json, key: str, default: str = "") -> str:
    """Return a text of a JSON object; `default` where it is absent or null, refused where it is anything else."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise HubRefusal(400, f"{key} must be a text.")
    return value


def truth(body: Json, key: str) -> bool | None:
    """Return true or false of a JSON object; None where it is absent or null, refused where it is anything else."""
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise HubRefusal(400, f"{key} must be true or false.")
    return value


def objects(value: object) -> list[Json]:
    """Return a list of JSON objects; refuses anything else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise HubRefusal(400, "A list of objects is expected.")
    return value


def texts(value: object) -> list[str]:
    """Return a list of texts; refuses anything else."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise HubRefusal(400, "A list of texts is expected.")
    return value


def whole(value: object) -> int:
    """Return a whole number that is not negative, given as a number or in ASCII digits; refuses anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _COUNT.fullmatch(str(value)[:99]):
        raise HubRefusal(400, "A whole number that is not negative is expected.")
    return int(value)


def matches_etag(header: str, tag: str) -> bool:
    """Return whether an `If-None-Match` header names a tag: `*`, or a list with it, each weak (`W/"…"`) or strong."""
    return header.strip() == "*" or tag in _ETAG.findall(header)


# ---- YAML


def read_yaml(content: str) -> Any:
    """Parse the YAML of a card into what JSON can hold.

    Raises:
        ValueError: it is no good YAML, larger than `YAML_BYTES`, nested more than `MAX_DEPTH` deep, or it stands for
            more than `YAML_VALUES` values.
    """
    if len(content) > YAML_BYTES or len(content.encode("utf-8", "replace")) > YAML_BYTES:
        raise ValueError(f"it is larger than {YAML_BYTES:,} bytes.")
    try:
        _check_events(content)
        return _plain(yaml.load(content, Loader=_Loader), [YAML_VALUES], 0)  # a safe loader
    except YAML_FAULTS as error:
        raise ValueError(" ".join(str(error).split())[:500] or type(error).__name__) from None


def _check_events(content: str) -> None:
    depth = 0
    for number, event in enumerate(yaml.parse(content, Loader=_Loader)):
        if number > 2 * YAML_VALUES:
            raise ValueError("it holds too many values.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            plain = not event.style
            # Merges multiply before anything can be counted, and long numbers in base 60 take hours.
            if event.tag == _MERGE or (event.value == "<<" and plain):
                raise ValueError("merge keys (<<) are not supported.")
            if _NUMBER.fullmatch(event.value) and (plain or event.tag):
                raise ValueError("it holds a number that is too long.")


def _plain(value: object, budget: list[int], depth: int) -> Any:
    """Copy into what JSON can hold; bounded, since YAML aliases can stand for exponentially much."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("it holds too many values.")
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        return {_sendable(str(key)): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, depth + 1) for item in value]
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _sendable(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _sendable(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
