"""What was asked for: the one list of the arguments of `fuse`, with their meaning, defaults and checks.

`fuse` makes a request of its arguments, a blueprint is one that is written down, phase 3 of a plan is one, and the
options of `medimg fuse` are held to it by a test.
"""

from __future__ import annotations

import difflib
import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from medimg import licenses, vocab
from medimg.errors import MedimgError
from medimg.fusion.choices import SPLITS, Encoding, OnDuplicate, Order, Weights, split_fused
from medimg.fusion.errors import RequestError
from medimg.fusion.grid import Grid
from medimg.schema import Dimension, Frozen

CHOICES: Mapping[str, tuple[str, ...]] = {
    "dimension": get_args(Dimension),
    "encoding": get_args(Encoding),
    "on_duplicate": get_args(OnDuplicate),
}
WIDTH = 116


def _listed(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, Mapping) else value


@contextmanager
def _checked() -> Iterator[None]:
    """Errors that pydantic does not gather with the others, as ones that it does."""
    try:
        yield
    except MedimgError as error:
        raise ValueError(str(error)) from error


def _terms(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    vocabulary = getattr(vocab, info.field_name or "")
    with _checked():
        return tuple(dict.fromkeys(vocabulary.resolve(name) for name in names))


def _license_terms(names: tuple[str, ...]) -> tuple[str, ...]:
    with _checked():
        licenses.check_terms(names)
    return names


def _splits(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if split_fused(name) not in SPLITS:
            raise _no_choice("split", name, SPLITS)
    return tuple(dict.fromkeys(map(split_fused, names)))


def _choice(value: object, info: ValidationInfo) -> object:
    name = info.field_name or ""
    if value is not None and value not in CHOICES[name]:
        raise _no_choice(name, value, CHOICES[name])
    return value


def _weights(value: Any) -> Weights:
    if value in get_args(Order) or (isinstance(value, Mapping) and value):
        checked: Weights = value
        return checked
    more = ', {"temperature": 2}, or one weight for each member'
    raise _no_choice("weights", value, get_args(Order), more)


def _no_choice(name: str, value: object, choices: Sequence[str], more: str = "") -> RequestError:
    closest = difflib.get_close_matches(str(value).casefold(), choices, n=1)
    guess = f"did you mean {closest[0]!r}? " if closest else ""
    return RequestError(
        f"{name}={value!r} is not known",
        next_step=f"{guess}use one of {', '.join(map(repr, choices))}{more}.",
    )


def _whole(value: object, info: ValidationInfo) -> object:
    least = None if info.field_name == "seed" else 0
    if isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least):
        return value
    raise RequestError(
        f"{info.field_name} is a whole number{'' if least is None else ' of at least 0'}, not {value!r}",
        next_step=f"pass e.g. {info.field_name}=1000.",
    )


def _flag(value: object, info: ValidationInfo) -> object:
    if value in (True, False) or (value is None and info.field_name == "near"):
        return value
    raise RequestError(f"{info.field_name} is True or False, not {value!r}", next_step="pass one of the two.")


def _grid(value: Any) -> Grid:
    grid = Grid.of(value)
    return Grid() if grid.idle else grid


def _fields(grid: Grid) -> dict[str, Any] | None:
    return None if grid.idle else {name: value for name, value in vars(grid).items() if value is not None}


Some = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Vocabulary = Annotated[Some, AfterValidator(_terms)]
Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Request(Frozen):
    """Everything that was asked for, in vocabulary terms and with defaults filled in.

    A field is the argument of `fuse` of its name, but for `blueprint` (here the name of the one that it was made of;
    its label space stays, whoever the members are), `title` and `notes`, which only blueprints give.
    """

    blueprint: str | None = None
    title: str = ""
    notes: Some = ()
    names: Some = Field(
        (),
        description='members, e.g. ["lits", "chaos"]; `<name>/<config>` for one sub-collection. None takes all that '
        "fit.",
    )
    modality: Vocabulary = Field(
        (),
        description="of the rows: a vocabulary term or several; narrower ones fit, too. Other rows are left out.",
    )
    organ: Vocabulary = Field((), description="one that a member shows: see `modality`.")
    task: Vocabulary = Field((), description="one that a member is made for: see `modality`.")
    dimension: Annotated[Dimension | None, BeforeValidator(_choice)] = Field(
        None, description='"2d", "3d" or "video"; needed where members differ.'
    )
    license_terms: Annotated[Some, AfterValidator(_license_terms)] = Field(
        (),
        description='of "commercial", "adapt", "redistribute", "open", "no share-alike", "known", or license ids.',
    )
    minimum: Whole = Field(0, description="images that a member must declare at least.")
    targets: Some = Field(
        (),
        description="structures and findings (for regression: measures) of the label space, in order. None leaves "
        "labels as they are.",
    )
    encoding: Annotated[Encoding, BeforeValidator(_choice)] = Field(
        "index", description='of masks: "index" (one map) or "channels" (one map per target).'
    )
    split: Annotated[Some, AfterValidator(_splits)] = Field(
        (),
        description='"train", "validation", "test" or several; None takes all. Whatever is asked for, no image and no '
        "person of one split is in another.",
    )
    source: Annotated[
        str | None,
        BeforeValidator(lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value),
    ] = Field(
        None,
        description='root folder with `<name>/` or `<name>.zip` …, "official" for the declared addresses, "miniature" '
        "for phantoms; None reads from the Hub.",
    )
    namespace: Annotated[str, BeforeValidator(lambda value: value or "medimg")] = Field(
        "medimg", description='organization on the Hub; "medimg" where it is not given.'
    )
    weights: Annotated[Weights, PlainValidator(_weights)] = Field(
        "concatenate",
        description='order of the members: "concatenate" (the default), "interleave", "uniform", "proportional", '
        '{"temperature": T} or {member: weight}. See `medimg.fusion.mix.mix`.',
    )
    on_duplicate: Annotated[OnDuplicate, BeforeValidator(_choice)] = Field(
        "drop",
        description='"drop" (the default) keeps an image once, with the labels of all its equal copies; "keep" leaves '
        'duplicates within a split alone; "error" raises; "ignore" compares nothing, not even across splits.',
    )
    prefer: Some = Field(
        (),
        description="members whose rows stay where an image is in several, first to last; then come those with more of "
        "the targets, then those with the more permissive license.",
    )
    seed: Whole = Field(0, description="of the draws and of shuffling; 0 where it is not given.")
    shuffle_buffer: Whole = Field(0, description="rows that are permuted together; 0 keeps the order.")
    grid: Annotated[Grid, PlainValidator(_grid), PlainSerializer(_fields)] = Field(
        Grid(),
        description='common voxels, as `medimg.fusion.grid.Grid` or its fields, e.g. {"orientation": "RAS", '
        '"spacing": 1.0}.',
    )
    unlabeled: Flag = Field(False, description="also give rows that say nothing about any target.")
    near: Annotated[bool | None, BeforeValidator(_flag)] = Field(
        None,
        description="True: look for near duplicates by the pixels of every row (once; the result is cached). None does "
        "so where the originals are on this computer; on the Hub it compares `content` alone, which costs kilobytes, "
        'and addresses ("official", URLs) are not compared. False: equal pixels only; with on_duplicate="keep" no '
        "pixel is read before the first row.",
    )
    repeat: Flag = Field(
        False, description='start ended members again until each has been seen; not for "concatenate".'
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.repeat and self.weights == "concatenate":
            raise RequestError(
                'weights="concatenate" cannot repeat members: the first would never end',
                next_step='pass weights="interleave", or leave out repeat.',
            )
        return self

    @classmethod
    def of(cls, own: Mapping[str, Any] | None = None, **given: Any) -> Request:
        """What was given, else what the blueprint says, else the default.

        Args:
            own: fields of the blueprint.
            given: arguments of `fuse` by name; None is not given.

        Raises:
            RequestError: an argument has a value that makes no sense.
            UnknownTermError: a modality, organ, task or license term is unknown.
        """
        try:
            return cls.model_validate({**(own or {}), **{k: v for k, v in given.items() if v is not None}})
        except ValidationError as error:
            raise _named(error) from error

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """The fields that are arguments of `fuse` as they are."""
        return tuple(name for name, field in cls.model_fields.items() if field.description)

    @classmethod
    def described(cls) -> str:
        """The arguments as they stand in a docstring."""
        return "\n".join(
            textwrap.fill(
                f"{name}: {cls.model_fields[name].description}",
                WIDTH,
                initial_indent=" " * 8,
                subsequent_indent=" " * 12,
            )
            for name in cls.arguments()
        )


def _named(error: ValidationError) -> MedimgError:
    """The first thing that is wrong, as the error that says the next step."""
    detail = error.errors()[0]
    found = detail.get("ctx", {}).get("error")
    for each in (found, getattr(found, "__cause__", None)):
        if isinstance(each, MedimgError):
            return each
    where = ".".join(map(str, detail["loc"]))
    return RequestError(f"{where} is not valid: {detail['msg']}", next_step="see the arguments of `medimg.fuse`.")
