from __future__ import annotations

import io

import pydicom
import pytest
from miniatures import Miniature

NOT_IN_FILES = {5: "the export of MD.ai is another download, not read; a note on the card tells of its flags"}


@pytest.mark.quirk(1)
def test_rows_of_one_image_are_boxes_of_one_row(mini: Miniature) -> None:
    lines = mini.text("stage_2_train_labels").splitlines()
    assert [line.startswith("0004cfab-14fd-4e49-80ba-63a80b6bddd0,") for line in lines].count(True) == 2
    boxes = mini.row("bddd0$")["label"]["boxes"]
    assert [box["box"] for box in boxes] == [[4, 3, 13, 8], [20, 10, 27, 22.5]]
    assert len(mini.rows()) == 4


@pytest.mark.quirk(2, 4)
def test_the_mapping_leads_images_of_both_parts_to_one_patient(mini: Miniature) -> None:
    names = [f"0004cfab-14fd-4e49-80ba-63a80b6bddd{n}" for n in range(4)]
    assert all(f'"subset_img_id": "{name}"' in mini.text("mappings_2018") for name in names)
    told = [(row["split"], row["subject"]) for row in mini.rows()]
    assert sorted(told) == [
        ("test", "00000001"),
        ("train", "00000000"),
        ("train", "00000000"),
        ("train", "00000001"),
    ]
    assert ("chestx-ray14", "subset of") in [(one.dataset, one.relation) for one in mini.builder.dataset.overlaps]


@pytest.mark.quirk(3)
def test_views_stay_and_impossible_ages_are_over_89(mini: Miniature) -> None:
    stored = pydicom.dcmread(io.BytesIO(mini.bytes(r"bddd0\.dcm$")))
    assert (stored.Modality, stored.PatientAge) == ("CR", "155Y")
    assert [row["meta"]["source_header"]["ViewPosition"] for row in mini.rows()].count("PA") == 2
    assert {row["meta"]["source_header"]["PatientAge"] for row in mini.rows()} == {"90+"}
