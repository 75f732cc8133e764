"""What a builder declares about its dataset: frozen, validated against the vocabularies, with evidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from medimg import licenses, vocab
from medimg.errors import UnknownTermError
from medimg.licenses import Verdict
from medimg.schema import Dimension, Frozen

Access = Literal["open", "registration", "application", "unavailable"]
BadFiles = Literal["stop", "quarantine"]
UNFINISHED = "TODO"
"""What `medimg new` writes into each field that is to be filled in."""
_ARXIV = re.compile(r"arxiv[.:](\d{4}\.\d{4,5})", re.IGNORECASE)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _unfinished(place: str, value: object) -> Iterator[str]:
    """Fields that still say what `medimg new` wrote."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _unfinished(f"{place}.{key}" if place else str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _unfinished(place, inner)
    elif isinstance(value, str) and UNFINISHED in value:
        yield f"{place} is not filled in"


class Citation(Frozen):
    """The paper to cite.

    Attributes:
        arxiv: ids of its preprint and of others that the source asks to cite, e.g. "1902.09063"; of a `doi` of arXiv's
            own the id is known.
    """

    title: str
    authors: str
    year: int
    venue: str = ""
    doi: str | None = None
    url: str | None = None
    arxiv: tuple[Annotated[str, Field(pattern=r"^\d{4}\.\d{4,5}$")], ...] = ()

    @property
    def preprints(self) -> tuple[str, ...]:
        """All ids of arXiv that it gives, each once."""
        told = " ".join((self.title, self.authors, self.venue, self.doi or "", self.url or ""))
        return tuple(dict.fromkeys([*_ARXIV.findall(told), *self.arxiv]))


class Source(Frozen):
    """One file of the original distribution.

    Attributes:
        url: where it is; any address that fsspec opens (https, s3, hf), or a page where `kind` is "page".
        path: where the file stands in the dataset's root, e.g. "subset0.zip"; None takes the last part of the url.
        sha256, md5, size: as the source publishes them; compared before a file of that name is used, once (a
            remote file of more than `Limits.checked` bytes, which is read by ranges, is told as not compared).
        kind: "file" is fetched by `source="official"`; "page" is for a person to read.
    """

    url: str
    path: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    size: int | None = None
    kind: Literal["file", "page"] = "file"


class Overlap(Frozen):
    """Images that another dataset holds too."""

    dataset: str
    relation: str
    evidence: str


class Evidence(Frozen):
    """Where each fact was read: an address, or repository:path@commit. Start with "unverified" what is from memory."""

    layout: str
    labels: str
    license: str
    subject: str = ""

    @property
    def unverified(self) -> tuple[str, ...]:
        """The groups of facts that nobody has looked up."""
        return tuple(
            name
            for name in ("layout", "labels", "license", "subject")
            if getattr(self, name).lower().startswith("unverified")
        )


class Config(Frozen):
    """A sub-collection with its own Hub config. None, and no splits, take the dataset's value."""

    name: str
    title: str
    dimension: Dimension | None = None
    modality: tuple[str, ...] | None = None
    organ: tuple[str, ...] | None = None
    task: tuple[str, ...] | None = None
    license: str | None = None
    splits: Mapping[str, int] = Field(default_factory=dict)

    @field_validator("modality", "organ", "task", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Part(Frozen):
    """What rows of some configs or modalities say, where that differs from the rest of the dataset.

    Several parts of the same rows are alternatives: each row is as one of them says.

    Attributes:
        config, modality: names and ids of those that it is about; empty is all.
        legend: mask value -> canonical names; empty where they have no masks.
        names: all that their classes, boxes and points may be; None is all that `labels` can say.
    """

    config: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    legend: Mapping[int, tuple[str, ...]] = Field(default_factory=dict)
    names: tuple[str, ...] | None = None

    @field_validator("config", "modality", "names", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def concerns(self, config: str, modality: str) -> bool:
        """Whether it is about such rows."""
        return config in (self.config or (config,)) and modality in (self.modality or (modality,))


class Dataset(Frozen):
    """The declaration of one source dataset.

    Attributes:
        name: slug; the Hub repository's name and the row's `dataset`.
        aliases: other names under which people search for it.
        dimension: "2d", "3d" or "video".
        modality, organ, task: vocabulary ids; a string stands for a list of one.
        license: SPDX id or LicenseRef-…; `LicenseRef-per-row` where each row states its own.
        homepage: left out where it is the first page of `sources`.
        access, how: how the original is had; `how` tells where to register, what to download and what to pass.
        legend: mask value -> canonical names, the default for every row's mask.
        labels: source label -> canonical name (or names), total: a label outside it fails the build.
        parts: what some configs or modalities say, where that is not all of `legend` and `labels`. A plan
            reads it; rows bring their own legend where it differs.
        splits: official number of images per split; 0 where the source does not say.
        frame: whether masks, boxes and points of a picture that states an EXIF orientation were drawn on the pixels as
            "stored" in the file or as "shown" by a viewer that turns them. None is unknown: such a row is refused.
        subject: how the patient id is found; `no_subject`: why there is none.
        shared_subjects: why one patient may stand in two splits of the source, where that is so.
        keys: what may be told in `meta` and `label.source`: columns of tables, tags, what the builder says itself.
            Case, spaces and punctuation do not matter, "*" stands for any text; a string is a list with ";" between
            its names. Source labels (`labels`) need no mention. What is not named is left out and counted.
        burned_in: who looked at the pixels of images that state BurnedInAnnotation, and what was found; None leaves
            such rows out.
        notes: facts that a user must know, shown on the card.
        published: when the source first published the data, as it says itself: a year, month or day (2019-03-01).
        largest: bytes of the largest image once decoded, where one is larger than `Limits.decoded` or has more pixels
            than `Limits.pixels`; larger ones are refused before they are decoded.
        bad_files: whether a row that cannot be read stops the dataset or is left out and named in the report.
    """

    name: str
    title: str
    dimension: Dimension
    modality: tuple[str, ...]
    organ: tuple[str, ...]
    task: tuple[str, ...]
    license: str
    homepage: str
    citation: Citation
    sources: tuple[Source, ...]
    splits: Mapping[str, int]
    evidence: Evidence
    aliases: tuple[str, ...] = ()
    access: Access = "open"
    how: str | None = None
    legend: Mapping[int, tuple[str, ...]] = Field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    configs: tuple[Config, ...] = ()
    parts: tuple[Part, ...] = ()
    frame: Literal["stored", "shown"] | None = None
    subject: str | None = None
    no_subject: str | None = None
    shared_subjects: str | None = None
    overlaps: tuple[Overlap, ...] = ()
    keys: tuple[str, ...] = ()
    burned_in: str | None = None
    notes: tuple[str, ...] = ()
    largest: int | None = Field(default=None, gt=0)
    bad_files: BadFiles = "stop"
    version: str = "1.0.0"
    published: str | None = Field(default=None, pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")

    @model_validator(mode="before")
    @classmethod
    def _at_home(cls, given: dict[str, Any]) -> dict[str, Any]:
        pages = [each.url for each in given.get("sources", ()) if isinstance(each, Source) and each.kind == "page"]
        return {"homepage": pages[0], **given} if pages else given

    @field_validator("modality", "organ", "task", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("configs")
    @classmethod
    def _with_splits(cls, configs: tuple[Config, ...], info: ValidationInfo) -> tuple[Config, ...]:
        splits = info.data.get("splits", {})
        return tuple(each if each.splits else each.model_copy(update={"splits": splits}) for each in configs)

    @field_validator("keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(";") if name.strip())
        return value

    @field_validator("labels", mode="before")
    @classmethod
    def _named(cls, value: Mapping[str, object]) -> object:
        return {key: (names,) if isinstance(names, str) else names for key, names in value.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        named = {"modality", "organ", "task", "legend", "labels"}
        problems = [*self._wrong_terms(), *_unfinished("", self.model_dump(mode="json", exclude=named))]
        if not SLUG.fullmatch(self.name):
            problems.append(f"name {self.name!r} is not a slug (lower case, digits, single hyphens)")
        if self.access != "open" and not self.how:
            problems.append("a source that is not open needs `how`: where to register, what to download, what to pass")
        if (self.subject is None) == (self.no_subject is None):
            problems.append("give either `subject` (how the patient id is found) or `no_subject` (why there is none)")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _wrong_terms(self) -> Iterator[str]:
        """Names that are in no vocabulary, and licenses that nobody knows."""

        def unknown(what: str, get: Callable[[str], object], names: Iterable[str]) -> Iterator[str]:
            for name in dict.fromkeys(names):
                try:
                    get(name)
                except UnknownTermError as error:
                    yield f"{what}: {error}"

        holders: tuple[Dataset | Config, ...] = (self, *self.configs)
        for config in holders:
            yield from unknown("modality", vocab.modality.__getitem__, config.modality or ())
            yield from unknown("organ", vocab.organ.__getitem__, config.organ or ())
            yield from unknown("task", vocab.task.__getitem__, config.task or ())
            yield from unknown("license", licenses.get, [config.license] if config.license else [])
        named = [name for names in (*self.legend.values(), *self.labels.values()) for name in names]
        for part in self.parts:
            named += [*(name for names in part.legend.values() for name in names), *(part.names or ())]
            yield from unknown("part", vocab.modality.__getitem__, part.modality)
            yield from (f"part: there is no config {each!r}" for each in part.config if each not in self.config_names)
        yield from unknown("label", vocab.label.__getitem__, named)

    @property
    def every_label(self) -> tuple[str, ...]:
        """All that `labels` can say, each once: what was looked for where an image got any of them."""
        return tuple(dict.fromkeys(name for names in self.labels.values() for name in names))

    @property
    def publish(self) -> Verdict:
        """open, gated or recipe: derived from the license, never set by hand."""
        return licenses.get(self.license).publish

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Dimensions of the configs, each once."""
        return tuple(dict.fromkeys(self.config(name).dimension or self.dimension for name in self.config_names))

    def every(self, kind: str) -> list[str]:
        """Terms of one kind (`modality`, `organ`, `task`) of the dataset and its configs, each once."""
        own = [name for config in self.configs for name in getattr(config, kind) or ()]
        return list(dict.fromkeys([*getattr(self, kind), *own]))

    @property
    def config_names(self) -> tuple[str, ...]:
        """Names of the configs; ("default",) where there are none."""
        return tuple(config.name for config in self.configs) or ("default",)

    def parts_of(self, config: str, modality: str) -> tuple[Part, ...]:
        """What rows of a config and modality say: one of these; without parts all that there is."""
        found = tuple(part for part in self.parts if part.concerns(config, modality))
        return found or (Part(legend=self.legend),)

    def config(self, name: str) -> Config:
        """The config `name`, with the dataset's values filled in where it has none of its own.

        Raises:
            KeyError: there is no such config.
        """
        own = next((config for config in self.configs if config.name == name), None)
        if own is None:
            if self.configs or name != "default":
                raise KeyError(name)
            own = Config(name="default", title=self.title, splits=self.splits)
        inherited = {
            key: getattr(self, key)
            for key in ("dimension", "modality", "organ", "task", "license")
            if getattr(own, key) is None
        }
        return own.model_copy(update=inherited)
