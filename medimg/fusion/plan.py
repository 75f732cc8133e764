"""What a plan says: the members of a fused set in MDFP's four phases, and what they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from medimg import licenses
from medimg.fusion.align import Alignment
from medimg.fusion.labels import Output
from medimg.fusion.request import Request
from medimg.fusion.select import LeftOut
from medimg.licenses import Combined, Verdict
from medimg.schema import Dimension, Frozen

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Split(Frozen):
    """One line of the index.

    Attributes:
        split: as the source calls it.
        split_fused: as the fused set calls it.
        rows: images; None where nobody has counted them.
        counted: who says so: the published manifest, or the declaration.
    """

    split: str
    split_fused: str
    rows: int | None
    counted: Literal["published", "declared"]


class Member(Frozen):
    """One member of the fused set.

    Attributes:
        key: `<name>`, or `<name>/<config>` where there are sub-collections.
        place: folder, archive or address of the source; None for the Hub and for miniatures.
        assessed: names that the declaration says its annotators looked for.
        alignment: one for each target.
        label_map: mask value -> what it becomes, of the declared legend (a row may have its own). Where modalities
            have legends of their own, the key is a text, e.g. "CT: 1".
        class_map: source label -> target.
        bytes: of the published shards, or of the local source; None where that is not known.
    """

    key: str
    name: str
    config: str
    title: str
    dimension: Dimension
    modality: tuple[str, ...]
    organ: tuple[str, ...]
    task: tuple[str, ...]
    license: str
    publish: Verdict
    place: str | None
    splits: tuple[Split, ...]
    bytes: int | None
    assessed: tuple[str, ...]
    alignment: tuple[Alignment, ...]
    label_map: Mapping[int | str, str]
    class_map: Mapping[str, str]
    unverified: tuple[str, ...]

    @property
    def rows(self) -> int | None:
        """Images over all splits; None where one of them is not counted."""
        counts = [split.rows for split in self.splits]
        return None if None in counts else sum(count or 0 for count in counts)


class SharedImages(Frozen):
    """Two members that declare images in common, and what becomes of these."""

    first: str
    second: str
    relation: str
    evidence: str
    action: str


class Plan(Frozen):
    """What a fusion would do; `to_dict`, `to_json`, `str` or a rich console show it.

    Attributes:
        request: phase 3: all that was asked for, defaults filled in.
        outputs: what a row must have one of, by the tasks that were asked for.
        targets: canonical names, in the asked order; `measures`: names of measures.
        members: phases 1, 2 and 4, per member.
        left_out: what fits by subject and was not taken, with the reason.
        overlaps: declared images in common.
        license: terms of the set as one adapted work; `publish` is recipe where it may not be passed on.
        warnings: what a user must know.
    """

    request: Request
    outputs: tuple[Output, ...]
    targets: tuple[str, ...]
    measures: tuple[str, ...]
    dimension: Dimension
    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...]
    overlaps: tuple[SharedImages, ...]
    license: Combined
    warnings: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Images that are counted; a lower bound where a member is not."""
        return sum(split.rows or 0 for member in self.members for split in member.splits)

    @property
    def bytes(self) -> int | None:
        """Bytes of all members; None where one of them is not known."""
        sizes = [member.bytes for member in self.members]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def to_push(self, *, adapted: bool = True) -> Combined:
        """The terms under which the set may be passed on.

        Args:
            adapted: labels are remapped or pixels resampled; False: the members' files are copied as they are.

        Raises:
            LicenseError: it may not be passed on; names the members that stand in the way.
        """
        return licenses.combine({member.key: member.license for member in self.members}, adapted=adapted)

    def to_dict(self) -> dict[str, Any]:
        """The plan by phases, of plain values only."""
        whole = self.model_dump(mode="json")
        members = whole["members"]

        def columns(*names: str) -> dict[str, Any]:
            return {member["key"]: {name: member[name] for name in names} for member in members}

        return {
            "metadata_harmonization": {
                "members": columns(
                    "title", "dimension", "modality", "organ", "task", "license", "publish", "unverified"
                ),
                "left_out": whole["left_out"],
            },
            "semantic_alignment": {
                "targets": {str(number): target for number, target in enumerate(self.targets, 1)},
                "measures": whole["measures"],
                "members": columns("assessed", "alignment", "label_map", "class_map"),
            },
            "blueprint": whole["request"],
            "index": {
                "rows": self.rows,
                "bytes": self.bytes,
                "members": columns("name", "config", "place", "splits", "bytes"),
                "overlaps": whole["overlaps"],
                "license": whole["license"],
            },
            "warnings": whole["warnings"],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from medimg.fusion.show import renderables

        yield from renderables(self.to_dict())

    def __str__(self) -> str:
        import io

        from rich.console import Console

        console = Console(file=io.StringIO(), width=118, color_system=None)
        console.print(self)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text
