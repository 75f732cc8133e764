from __future__ import annotations

import io

import numpy as np
import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_breast_0_is_malignant(mini: Miniature) -> None:
    kinds = [mini.row(f"/breastmnist-train-{n}")["label"] for n in (0, 1)]
    assert [label["source"] for label in kinds] == [[0], [1]]
    assert [label["classes"] for label in kinds] == [["malignant breast lesion"], ["no malignancy"]]
    assert mini.row("/pneumoniamnist-train-1")["label"]["classes"] == ["pneumonia"]


@pytest.mark.quirk(2)
def test_organs_have_another_order_in_3d(mini: Miniature) -> None:
    first = {name: mini.row(f"/{name}-train-0")["label"] for name in ("organamnist", "organmnist3d")}
    assert {name: label["source"] for name, label in first.items()} == {
        "organamnist": [0],
        "organmnist3d": [0],
    }
    assert first["organamnist"]["classes"] == ["bladder"] and first["organmnist3d"]["classes"] == ["liver"]


@pytest.mark.quirk(3)
def test_chestmnist_has_fourteen_answers(mini: Miniature) -> None:
    shapes = {
        name: np.load(io.BytesIO(mini.bytes(rf"^{name}\.npz$")))["val_labels"].shape
        for name in ("chestmnist", "pathmnist")
    }
    assert shapes == {"chestmnist": (2, 14), "pathmnist": (2, 1)}
    chest = mini.row("/chestmnist-val-0")["label"]
    assert chest["source"] == [0, 1] + [0] * 12 and chest["classes"] == ["cardiomegaly"]
    assert len(chest["assessed"]) == 14
    assert mini.row("/pathmnist-val-0")["label"]["classes"] == ["background"]


@pytest.mark.quirk(4)
def test_sums_and_counts_are_those_without_blank_samples(mini: Miniature) -> None:
    sources = {source.url.rsplit("/", 1)[-1]: source.md5 for source in mini.builder.dataset.sources}
    assert sources["organamnist.npz"] == "68e3f8846a6bd62f0c9bf841c0d9eacc"
    counts = {name: mini.builder.dataset.config(name).splits for name in ("organamnist", "organcmnist", "organsmnist")}
    assert [tuple(one.values()) for one in counts.values()] == [
        (34561, 6491, 17778),
        (12975, 2392, 8216),
        (13932, 2452, 8827),
    ]
    assert "of another version" in mini.skipped["organmnist_axial.npz"]


@pytest.mark.quirk(5)
def test_larger_sizes_are_left_out(mini: Miniature) -> None:
    assert "the same images at 64 pixels" in mini.skipped["breastmnist_64.npz"]
    assert {tuple(row["shape"][:2]) for row in mini.rows("/breastmnist-")} == {(28, 28)}


@pytest.mark.quirk(6)
def test_dermamnist_has_a_license_of_its_own(mini: Miniature) -> None:
    found = {row["config"]: row["license"] for row in mini.rows("-train-0")}
    assert found.pop("dermamnist") == "CC-BY-NC-4.0"
    assert set(found.values()) == {"CC-BY-4.0"} and len(found) == 17
