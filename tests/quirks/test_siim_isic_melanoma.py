from __future__ import annotations

import pytest
from miniatures import Miniature, built


@pytest.mark.quirk(1)
def test_names_are_those_of_isic_2020_which_alone_is_published(mini: Miniature) -> None:
    twin = built("isic_2020")
    assert {row["id"].partition("/")[2] for row in mini.rows()} == {row["id"].partition("/")[2] for row in twin.rows()}
    assert mini.builder.dataset.publish == "recipe"
    assert [one.dataset for one in mini.builder.dataset.overlaps] == ["isic-2020"]


@pytest.mark.quirk(2)
def test_the_test_table_lacks_the_diagnoses(mini: Miniature) -> None:
    assert mini.text(r"(^|/)train\.csv").splitlines()[0].endswith(",diagnosis,benign_malignant,target")
    assert mini.text(r"(^|/)test\.csv").splitlines()[0].endswith(",anatom_site_general_challenge")
    for row in mini.rows():
        assert bool(row["label"]["assessed"]) == (row["split"] == "train")
    assert mini.row("ISIC_0149568")["label"]["classes"] == ["melanoma", "malignant lesion"]
