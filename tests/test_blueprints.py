"""Every named blueprint can be trained on: each of its targets is somewhere present and somewhere absent."""

from __future__ import annotations

import io
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medimg import registry
from medimg.errors import MedimgError
from medimg.fusion import blueprint, fuse
from medimg.loading import open_source
from medimg.phantom import Phantom
from medimg.schema import Row

IGNORE = 255


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def maps(fused: dict[str, Any], targets: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """For each target its map of 1 (it), 0 (background) and other values."""
    stored = fused["mask"] or fused["channels"]
    if not stored:
        return
    if isinstance(stored, list):
        channels = [np.asarray(Image.open(io.BytesIO(one["bytes"]))) for one in stored]
    elif stored["path"].endswith(".png"):
        channels = [np.asarray(Image.open(io.BytesIO(stored["bytes"])))]
    else:
        array = np.asarray(nib.Nifti1Image.from_bytes(stored["bytes"]).dataobj)
        channels = [array] if fused["mask"] else list(np.moveaxis(array, -1, 0))
    for number, target in enumerate(targets):
        if fused["channels"]:
            yield target, channels[number]
        else:
            yield (
                target,
                np.choose(np.searchsorted([1, number + 1, number + 2], channels[0], "right"), [0, 2, 1, 2]),
            )


@pytest.mark.parametrize("name", blueprint.names())
def test_every_target_of_a_blueprint_is_somewhere_present_and_somewhere_absent(name: str) -> None:
    rows = fuse(blueprint=name, source="miniature", near=False)
    outlined = "mask" in rows.plan.outputs
    targets = rows.plan.targets
    voxels: dict[str, set[int]] = defaultdict(set)
    images: dict[str, set[int]] = defaultdict(set)
    for row in rows.decode(False):
        for target, array in maps(row["fused"], targets):
            voxels[target] |= set(np.unique(array).tolist())
        for target, known in zip(targets, row["fused"]["classes"], strict=True):
            images[target].add(known)
    found = voxels if outlined else images
    assert {target: sorted({0, 1} - found[target]) for target in targets} == {each: [] for each in targets}
    assert not [each for each in rows.plan.warnings if "no voxel" in each or "no image" in each or "no member" in each]
    assert targets == blueprint.get(name).targets, "named by their canonical names"


def test_what_rows_say_is_what_the_declaration_says_of_their_kind() -> None:
    """A plan reads no pixel: it must not promise what only other sub-collections or modalities are labelled for."""
    wrong = []
    for builder in registry.builders():
        dataset = builder.dataset
        if not dataset.legend and not dataset.labels and not dataset.parts:
            continue
        said: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in _rows(builder):
            modality = row.modality or (dataset.config(row.config).modality or ("",))[0]
            label = row.label
            legend = {} if label.mask is None else dataset.legend if label.legend is None else label.legend
            outlined = {each for names in legend.values() for each in names}
            marks = {each.name for each in (*label.boxes, *label.points)}
            parts = dataset.parts_of(row.config, modality)
            masks = {each for part in parts for names in part.legend.values() for each in names}
            others = [dataset.every_label if part.names is None else part.names for part in parts]
            every = masks.union(*others)
            strange = (outlined - masks) | ({*label.classes, *label.uncertain, *(label.assessed or ()), *marks} - every)
            said[row.config, modality] |= outlined
            if strange:
                wrong.append((dataset.name, row.config, modality, sorted(strange)))
        for (config, modality), outlined in said.items():
            parts = dataset.parts_of(config, modality)
            masks = {each for part in parts for names in part.legend.values() for each in names}
            if masks and not outlined:
                wrong.append((dataset.name, config, modality, f"declares masks of {sorted(masks)} and has none"))
    assert not wrong, "\n".join(map(str, dict.fromkeys(map(str, wrong))))


def _rows(builder: registry.Builder) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        builder.miniature(Phantom(Path(folder)))
        with open_source(builder, folder) as files:
            rows = builder.rows(files)
            while True:
                try:
                    row = next(rows)
                except (StopIteration, MedimgError):
                    return
                if isinstance(row, Row):
                    yield row
