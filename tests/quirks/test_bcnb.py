from __future__ import annotations

import io
import zipfile
from pathlib import Path

import PIL.Image
import pytest
from miniatures import Miniature, pixels, rebuilt


@pytest.mark.quirk(1)
def test_slides_are_read_as_tiles_whatever_pillow_thinks_of_their_size(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slide = mini.picture(r"WSIs/1\.jpg$")
    assert slide.format == "JPEG" and slide.size == (1201, 560)
    expected = [row["content"] for row in mini.rows("/tiles/")]
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 90_000)
    with pytest.raises(PIL.Image.DecompressionBombError):
        mini.picture(r"WSIs/1\.jpg$")
    rows = rebuilt("bcnb", lambda path: path, tmp_path).rows("/tiles/")
    assert [row["content"] for row in rows] == expected
    assert max(max(pixels(row["image"]).shape) for row in rows) == 256


@pytest.mark.quirk(2)
def test_the_archive_nests_its_folder(mini: Miniature) -> None:
    with zipfile.ZipFile(io.BytesIO(mini.bytes(r"BCNB\.zip$"))) as archive:
        assert "BCNB/WSIs/1.jpg" in archive.namelist()
    assert {row["subject"] for row in mini.rows("/tiles/")} == {"1", "2", "1058"}


@pytest.mark.quirk(3)
def test_sample_slides_of_the_repository_are_not_mixed_in(mini: Miniature) -> None:
    (path,) = mini.paths(r"WSI Samples/")
    assert path.endswith("N+(＞2)/351899/351899.jpg")
    assert "sample slide" in mini.skipped[path]
    assert not mini.rows("351899")


@pytest.mark.quirk(4)
def test_the_table_of_standardized_values_is_not_read(mini: Miniature) -> None:
    assert mini.paths(r"preprocessed-type-0\.xlsx$")
    for row in mini.rows("/1-"):
        assert row["meta"]["Age(years)"] == "51" and "is_er_negative" not in row["meta"]


@pytest.mark.quirk(5)
def test_british_columns_and_the_text_of_her2_expression(mini: Miniature) -> None:
    row = mini.rows("/tiles/1-")[0]
    assert row["meta"]["Tumour Size(cm)"] == "2.1"
    assert row["label"]["source"]["HER2 Expression"] == "2+"
    assert "HER2 expression 2+" in row["label"]["classes"]
    assert "HER2 expression 0" in mini.rows("/tiles/1058-")[0]["label"]["classes"]
