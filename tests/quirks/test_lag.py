from __future__ import annotations

from pathlib import Path

import numpy as np
from miniatures import Miniature, pixels, rebuilt


def drawn(mini: Miniature, kind: str, name: str) -> np.ndarray:
    """The attention map in the source."""
    return np.asarray(mini.picture(rf"^{kind}/attention_map/{name}\.jpg$"))


def test_the_folder_is_the_class_and_the_text_repeats_it(mini: Miniature) -> None:
    names = {"0": "no glaucoma", "1": "suspected glaucoma"}
    for row in mini.rows():
        folder, text = row["label"]["source"]["folder"], row["label"]["source"].get("label")
        said = "0" if folder == "non_glaucoma" else "1"
        assert text in (None, [said])
        assert row["label"]["classes"] == [names[said]]
        assert set(row["label"]["assessed"]) == set(names.values())
    assert {row["label"]["classes"][0] for row in mini.rows()} == set(names.values())


def test_the_attention_map_is_the_target_and_smaller_than_its_image(mini: Miniature) -> None:
    row = mini.row("/non_glaucoma-0001$")
    assert pixels(row["image"]).shape == (50, 50, 3)
    assert pixels(row["label"]["target"]).shape == (11, 11)
    assert (pixels(row["label"]["target"]) == drawn(mini, "non_glaucoma", "0001")).all()
    assert row["label"]["mask"] is None


def test_maps_and_texts_may_be_missing(mini: Miniature) -> None:
    assert mini.told == {"its attention map is not in this copy": ["suspicious_glaucoma/image/0008.jpg"]}
    assert mini.row("-0008$")["label"]["target"] is None
    assert mini.row("-0008$")["label"]["source"] == {"folder": "suspicious_glaucoma", "label": ["1"]}
    assert mini.row("-0002$")["label"]["source"] == {"folder": "non_glaucoma"}


def test_both_folders_count_anew(tmp_path: Path) -> None:
    def twin(path: str) -> str:
        return path.replace("0005", "0001")

    made = rebuilt("lag", twin, tmp_path)
    targets = {row["id"]: pixels(row["label"]["target"]) for row in made.rows("-0001$")}
    assert sorted(targets) == ["lag/non_glaucoma-0001", "lag/suspicious_glaucoma-0001"]
    assert (targets["lag/suspicious_glaucoma-0001"] == drawn(made, "suspicious_glaucoma", "0001")).all()
    assert (targets["lag/non_glaucoma-0001"] != targets["lag/suspicious_glaucoma-0001"]).any()


def test_a_map_and_a_text_without_their_image_are_told(tmp_path: Path) -> None:
    made = rebuilt("lag", lambda path: None if path.endswith("image/0005.jpg") else path, tmp_path)
    assert len(made.rows()) == 3
    names = {path.partition("suspicious_glaucoma/")[2] for path in made.skipped}
    assert names == {"attention_map/0005.jpg", "label/0005.txt"}
    assert {*made.skipped.values()} == {"its image is not in this copy"}
