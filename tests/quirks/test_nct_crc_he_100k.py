from __future__ import annotations

import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_unnormalized_tiles_have_the_same_names_and_a_config_of_their_own(mini: Miniature) -> None:
    twins = mini.paths(r"/ADI/ADI-AAAFLCLA\.tif$")
    assert len(twins) == 3 and len(mini.paths(r"^[^/]+\.zip$")) == 3
    plain, normal = sorted(mini.rows("/ADI-AAAFLCLA$"), key=lambda row: row["config"], reverse=True)
    assert [plain["config"], normal["config"]] == ["unnormalized", "normalized"]
    assert (pixels(plain["image"]) != pixels(normal["image"])).any()
    assert len([row for row in mini.rows() if row["config"] == "unnormalized"]) == 3


@pytest.mark.quirk(2)
def test_the_class_is_the_folder(mini: Miniature) -> None:
    assert len(mini.paths(r"^NCT-CRC-HE-100K/(\w+)/\1-\w+\.tif$")) == 9
    assert mini.row("val-MUC|val-BACK")["label"]["classes"] == ["background"]
    (tumor,) = mini.rows("/TUM-")
    assert tumor["label"]["classes"] == ["colorectal adenocarcinoma epithelium"]


@pytest.mark.quirk(3)
def test_the_7k_of_other_patients_is_validation(mini: Miniature) -> None:
    assert {row["split"] for row in mini.rows("/val-")} == {"validation"}
    assert {row["split"] for row in mini.rows() if "/val-" not in row["id"]} == {"train"}
    assert {row["subject"] for row in mini.rows()} == {None}
