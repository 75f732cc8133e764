from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, written


@pytest.mark.quirk(1)
def test_a_thirtieth_column_has_no_name_and_is_not_told(mini: Miniature) -> None:
    header = mini.text(r"metadata\.csv").splitlines()[0].split(",")
    assert len(header) == 30 and header[-1] == "" and all(header[:-1])
    assert mini.row("a.jpeg")["meta"]["clinical_notes"] == "fever, cough"
    assert "(no name)" not in mini.row("a.jpeg")["meta"]
    assert "Credit to a reader" in mini.text(r"metadata\.csv")
    assert "Credit to a reader" not in str(mini.row("b.png"))


@pytest.mark.quirk(2)
def test_names_of_columns_may_be_in_another_case(tmp_path: Path) -> None:
    files = written("covid_chestxray")
    head, rest = files["metadata.csv"].split(b"\r\n", 1)
    older = head.replace(b"patientid", b"Patientid").replace(b"license", b"License")
    old = copied("covid_chestxray", files | {"metadata.csv": older + b"\r\n" + rest}, tmp_path)
    row = old.row("a.jpeg")
    assert row["subject"] == "2" and row["meta"]["Patientid"] == "2"
    assert row["license"] == "LicenseRef-CC-BY-NC-SA"
    assert len(old.records) == 7


@pytest.mark.quirk(3)
def test_a_blank_license_is_unknown_and_never_published(mini: Miniature) -> None:
    assert ",b.png,,, ," in mini.text(r"metadata\.csv")
    (record,) = (one for one in mini.records if one.values["id"].endswith("/b.png"))
    assert record.values["license"] == "LicenseRef-unknown" and not record.publishable
    assert mini.row("c.jpg")["license"] == "CC-BY-3.0"


@pytest.mark.quirk(4)
def test_findings_are_paths_and_some_assess_nothing(mini: Miniature) -> None:
    assert "Pneumonia/Viral/COVID-19" in mini.text(r"metadata\.csv")
    assert mini.row("a.jpeg")["label"]["classes"] == ["pneumonia", "viral pneumonia", "COVID-19"]
    for name, finding in (("d.jpg", "todo"), ("e.jpg", "Unknown")):
        label = mini.row(name)["label"]
        assert label["source"] == {"finding": finding}
        assert label["classes"] == label["assessed"] == []


@pytest.mark.quirk(5)
def test_one_table_lists_pictures_and_volumes(mini: Miniature) -> None:
    assert {row["meta"]["folder"] for row in mini.rows()} == {"images", "volumes"}
    assert {row["id"]: (row["config"], row["modality"]) for row in mini.rows(r"(a\.jpeg|d\.jpg|nii.gz)$")} == {
        "covid-chestxray/images/a.jpeg": ("images", "X-ray"),
        "covid-chestxray/images/d.jpg": ("images", "CT"),
        "covid-chestxray/volumes/coronacases_org_001.nii.gz": ("volumes", "CT"),
    }
