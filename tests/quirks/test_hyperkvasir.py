from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels

NOT_IN_FILES = {7: "how many images each class of the whole set has; a note on the card gives both ends"}


@pytest.mark.quirk(1, 2)
def test_folds_are_joined_by_file_name_and_spell_classes_differently(mini: Miniature) -> None:
    table = mini.text("2_fold_split")
    assert table.startswith("file-name;class-name;split-index\n")
    found = {}
    for row in mini.rows("/labeled/"):
        fold = row["meta"]["2_fold_split"]
        assert fold["file-name"].removesuffix(".jpg") == row["id"].rsplit("/", 1)[1]
        found[row["label"]["source"].rsplit("/", 1)[1]] = (fold["class-name"], row["label"]["classes"])
    assert found["cecum"] == ("normal-cecum", ["cecum"])
    assert found["polyps"] == ("polyp", ["colon polyp"])
    assert found["hemorrhoids"] == ("hemorroids", ["hemorrhoids"])
    assert found["esophagitis-a"] == ("oesophagitis-a", ["esophagitis grade A"])
    assert found["barretts-short-segment"] == (
        "short-segment-barretts",
        ["short-segment Barrett's esophagus"],
    )


@pytest.mark.quirk(3)
def test_the_column_video_file_lists_images(mini: Miniature) -> None:
    assert mini.text("image-labels").startswith("Video file,Organ,Finding,Classification\n")
    row = mini.row("/labeled/00000000")
    assert row["meta"]["image-labels"]["Video file"] == row["id"].rsplit("/", 1)[1]
    assert row["meta"]["image-labels"]["Organ"] == "Lower GI"


@pytest.mark.quirk(4)
def test_findings_of_videos_are_captions_under_names_with_spaces(mini: Miniature) -> None:
    rows = {row["id"].rsplit("/", 1)[1]: row for row in mini.rows("/videos/")}
    assert [path.rsplit(".", 1)[1] for path in mini.paths(r"labeled-videos/.*\.(avi|mpg)$")].count("mpg") == 1
    assert rows["Polypp 5"]["label"]["texts"][0]["answer"] == "Polyp, NBI, propably cancer"
    assert rows["Polypp 5"]["label"]["classes"] == []
    none = rows["05a868ca-4a74-49d6-8769-b0d62d828d95"]
    assert none["image"]["path"].endswith(".mpg") and none["label"]["texts"] == []
    assert {row["label"]["source"]["fps"] for row in rows.values()} == {"20", "25", "30"}


@pytest.mark.quirk(5)
def test_masks_that_jpeg_blurred_have_two_values(mini: Miniature) -> None:
    drawn = mini.picture("segmented-images/masks/")
    assert drawn.format == "JPEG" and len(np.unique(np.asarray(drawn))) > 2
    mask = pixels(mini.row("/segmented/")["label"]["mask"])
    assert np.array_equal(mask, np.asarray(drawn.convert("L")) >= 128)


@pytest.mark.quirk(6)
def test_a_segmented_polyp_is_found_among_the_labeled_ones_and_not_counted_twice(mini: Miniature) -> None:
    segmented, labeled = mini.row("/segmented/"), mini.row("/labeled/00000003")
    assert labeled["label"]["classes"] == ["colon polyp"]
    assert segmented["id"].rsplit("/", 1)[1] == labeled["id"].rsplit("/", 1)[1]
    assert segmented["content"] == labeled["content"]
    assert segmented["config"] != labeled["config"]
    assert mini.builder.dataset.splits == {"train": 10662}
