"""What `medimg fuse` reads from its arguments and prints.

Importing this must not import `huggingface_hub`: see `hub`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from medimg import licenses
from medimg.errors import MedimgError
from medimg.fusion.choices import Order, Weights
from medimg.fusion.request import CHOICES, Request
from medimg.hub_sync.commands.console import STORE, is_store, open_hub

if TYPE_CHECKING:
    from medimg.fusion import Plan
    from medimg.hub_sync.pushing.client import Hub

ORDERS: tuple[Order, ...] = get_args(Order)


SPELLED = {"targets": "target", "license_terms": "license_", "storage_options": "storage_option"}
"""Options of the command with another name than the argument: those that are given once for each value."""


def request(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `medimg.fuse`, without those that were not given.

    Args:
        typed: options of the command by name, and others that are no argument.

    Raises:
        MedimgError: a value that the option does not take.
    """
    names = (*Request.arguments(), "blueprint", "storage_options")
    given = {name: typed[SPELLED.get(name, name)] for name in names}
    for option, choices in CHOICES.items():
        if given.get(option) is not None and given[option] not in choices:
            raise MedimgError(
                f"--{option.replace('_', '-')} takes {', '.join(choices)}, not {given[option]!r}",
                next_step="see `medimg fuse --help`.",
            )
    if given["weights"] is not None:
        given["weights"] = weights(given["weights"])
    for option in ("grid", "storage_options"):
        given[option] = fields(f"--{option.replace('_', '-').removesuffix('s')}", given[option] or ())
    return {key: value for key, value in given.items() if value not in (None, "", [], {})}


def fields(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts as a dictionary; values are JSON, numbers with commas between them, or text.

    Raises:
        MedimgError: a text has no `=`, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise MedimgError(
                f"{option} {text!r} is not understood",
                next_step=f"use {option} key=value, once for each field.",
            )
        if key in found:
            raise MedimgError(f"{option} {key}=… is given twice", next_step="leave one of them out.")
        found[key] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    for candidate in (text, f"[{text}]"):
        with suppress(ValueError):
            return json.loads(candidate)
    return text


def weights(text: str) -> Weights:
    """One of `ORDERS`, `temperature=2`, or `lits=2,chaos=1`.

    Raises:
        MedimgError: none of these.
    """
    for order in ORDERS:
        if text == order:
            return order
    try:
        found = {key.strip(): float(value) for key, value in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise MedimgError(
            f"--weights {text!r} is not understood",
            next_step=f"use {', '.join(ORDERS)}, temperature=2, or lits=2,chaos=1.",
        ) from None
    return found


@contextmanager
def told() -> Iterator[None]:
    """Arguments that make no sense together (weights of a member that is not there) in one line."""
    try:
        yield
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise MedimgError(str(error), next_step="see `medimg fuse --help`.") from error


def hub(
    address: str | None, namespace: str, store: Path, *, wanted: bool = False, sourced: bool = False
) -> AbstractContextManager[Hub | None]:
    """The Hub that members are read from and the set goes to: see `open_hub`.

    It is None, and the one of HF_ENDPOINT is read as in Python, where no Hub and no store is named and none is there.

    Args:
        wanted: the set is to be pushed.
        sourced: members are read from originals, so that a set may begin a new store.
    """
    if not address and not wanted and store == STORE and not is_store(store):
        return nullcontext()
    return open_hub(address, namespace, store, new=wanted and sourced, reading=True)


def lines(stream: Any, limit: int, plan: Plan, *, as_json: bool) -> Iterator[str]:
    """One line per row of a fused stream."""
    for row in itertools.islice(stream, limit):
        about = summary(row, plan)
        if as_json:
            yield json.dumps(about, ensure_ascii=False)
            continue
        parts = [about["id"], about["split"], "x".join(map(str, about["shape"]))]
        if about["mask"] is not None:
            parts.append("mask: " + ", ".join(about["mask"]))
        if about["present"]:
            parts.append("present: " + ", ".join(about["present"]))
        if about["unknown"]:
            parts.append("unknown: " + ", ".join(about["unknown"]))
        parts += [f"{each['name']} {each['value']:g} {each['unit']}" for each in about["measures"]]
        yield "  ".join(parts)


def summary(row: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """What a fused row says, without its pixels."""
    import numpy as np

    fused, classes = row["fused"], row["fused"]["classes"] or []
    mask = fused["mask"]
    values = [] if mask is None else np.unique(np.asarray(getattr(mask, "dataobj", mask))).tolist()
    names = {0: "background", 255: "ignore", **dict(enumerate(plan.targets, 1))}
    named = list(zip(plan.targets, classes, strict=False))
    return {
        "id": row["id"],
        "member": row["provenance"]["member"],
        "split": row["provenance"]["split_fused"],
        "shape": row["shape"],
        "mask": None if mask is None else [names.get(int(value), str(value)) for value in values],
        "present": [target for target, known in named if known == 1],
        "unknown": [target for target, known in named if known == -1],
        "boxes": len(fused["boxes"] or []),
        "measures": fused["measures"] or [],
    }


def verdict(plan: Plan, *, verbatim: bool) -> str:
    """What a push would be allowed to do. Raises LicenseError where nothing."""
    from medimg.hub_sync.fused.terms import check_terms

    terms = check_terms(plan, verbatim=verbatim)
    by_row = [member.key for member in plan.members if licenses.get(member.license).per_row]
    asked = f"; rows of {', '.join(by_row)} are asked one by one for their own licenses" if by_row else ""
    return f"may be pushed: {terms.publish}, under the terms of {terms.strictest}{asked}"
