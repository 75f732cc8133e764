from __future__ import annotations

import pytest
from miniatures import Miniature

from medimg import registry

ORGANS = {"organmnist_axial", "organmnist_coronal", "organmnist_sagittal"}


def sums(mini: Miniature) -> dict[str, str | None]:
    return {source.url.rsplit("/", 1)[-1].removesuffix(".npz"): source.md5 for source in mini.builder.dataset.sources}


@pytest.mark.quirk(1)
def test_seven_files_are_those_of_v2_and_the_organ_sets_are_not(mini: Miniature) -> None:
    newer = {source.md5 for source in registry.get("medmnist-v2").dataset.sources if source.md5}
    mine = {name: md5 for name, md5 in sums(mini).items() if md5}
    assert {name for name, md5 in mine.items() if md5 not in newer} == ORGANS and len(mine) == 10
    assert mini.builder.dataset.config("organmnist_axial").splits["train"] == 34581
    assert mini.row("organmnist_axial-train-0")["label"]["classes"] == ["bladder"]
    assert mini.row("organmnist_axial-train-1")["label"]["classes"] == ["left femur"]
    assert "of another version" in mini.skipped["bloodmnist.npz"]


@pytest.mark.quirk(2)
def test_breast_0_is_malignant(mini: Miniature) -> None:
    kinds = [mini.row(f"breastmnist-train-{n}")["label"] for n in (0, 1)]
    assert [label["source"] for label in kinds] == [[0], [1]]
    assert [label["classes"] for label in kinds] == [["malignant breast lesion"], ["no malignancy"]]
