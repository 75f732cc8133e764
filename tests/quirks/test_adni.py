from __future__ import annotations

from pathlib import Path

import pytest
from facts_table import FACTS
from miniatures import Miniature, copied, written


def folder(mini: Miniature, image: str) -> str:
    (path,) = mini.paths(rf"^ADNI/.*_{image}\.nii$")
    return path.split("/")[-2]


@pytest.mark.quirk(1)
def test_ids_come_from_the_file_name_whatever_the_folder_is_called(mini: Miniature) -> None:
    assert (folder(mini, "I45108"), folder(mini, "I305432")) == ("S13408", "I305432")
    assert mini.row("002_S_0295-I45108")["subject"] == "002_S_0295"
    assert mini.row("019_S_4293-I305432")["meta"]["Image Data ID"] == "I305432"


@pytest.mark.quirk(2)
def test_processed_versions_are_rows_that_meta_tells_apart(mini: Miniature) -> None:
    names = [row["meta"]["file"].partition("_Br")[0] for row in mini.rows("002_S_0295")]
    assert [name.rpartition("__")[2] for name in names] == ["Scaled", "Scaled_2"]


@pytest.mark.quirk(3)
def test_irregular_series_are_quarantined_and_named(mini: Miniature) -> None:
    assert len(mini.paths(r"^ADNI/006_S_6441/.*\.dcm$")) == 4
    assert not mini.rows("006_S_6441")
    reasons = {reason for path, reason in mini.skipped.items() if "006_S_6441" in path}
    assert all("slices are 2.500 mm apart, but 7.500 mm" in reason for reason in reasons) and reasons
    known = ("019_S_4293", "006_S_6441", "006_S_6277", "006_S_6243")
    assert any(all(name in note for name in known) for note in mini.builder.dataset.notes)


@pytest.mark.quirk(4)
def test_diagnoses_are_joined_from_the_clinical_tables(mini: Miniature) -> None:
    found = [row["label"]["classes"] for row in mini.rows("002_S_0295")]
    assert found == [["cognitively normal"], ["dementia"]]
    # Of a visit that the clinical table lacks, the search's research group is known.
    row = mini.row("011_S_0021-I7700")
    assert row["label"]["source"] == {"Group": "MCI"}
    # Some searches number the visits, leave out the I and call the group Patient: nothing is known then.
    assert "\n111306,136_S_0426,Patient,M,82,6," in mini.text("ADNI1_Collection")
    row = mini.row("136_S_0426-I111306")
    assert row["label"]["assessed"] == [] and row["meta"]["Group"] == "Patient"


@pytest.mark.quirk(5)
def test_columns_of_the_phases_have_their_own_codes(mini: Miniature) -> None:
    table = mini.text("DXSUM").splitlines()
    assert table[1] == "ADNI1,002_S_0295,bl,-4,1," and table[3] == "ADNI3,019_S_4293,v06,-4,-4,3"
    said = {row["id"][5:]: (row["label"]["source"], row["label"]["classes"]) for row in mini.rows()}
    assert said["002_S_0295-I45108"] == ({"DXCURREN": "1"}, ["cognitively normal"])
    assert said["002_S_0295-I118671"] == ({"DXCHANGE": "5"}, ["dementia"])
    assert said["019_S_4293-I305432"] == ({"DIAGNOSIS": "3"}, ["dementia"])


CODES = {entry["key"]: entry["values"] for entry in FACTS["adni"]["codes"]}


@pytest.mark.parametrize("column", ["DXCURREN", "DXCHANGE", "DIAGNOSIS"])
def test_every_code_of_every_phase_means_what_the_dictionary_says(column: str, tmp_path: Path) -> None:
    for code, (_, name) in CODES[column].items():
        files = written("adni")
        cells = {key: code if key == column else -4 for key in ("DXCHANGE", "DXCURREN", "DIAGNOSIS")}
        files["DXSUM_PDXCONV_ADNIALL.csv"] = (
            f"Phase,PTID,VISCODE,{','.join(cells)}\nADNI,002_S_0295,bl,{','.join(map(str, cells.values()))}\n"
        ).encode()
        label = copied("adni", files, tmp_path / code).row("002_S_0295-I45108")["label"]
        assert label["classes"] == [name] and label["source"] == {column: code}
        assert set(label["assessed"]) == {each for _, each in CODES[column].values()}


@pytest.mark.parametrize("group", CODES["Group"])
def test_every_group_of_the_search_is_known(group: str, tmp_path: Path) -> None:
    files = written("adni")
    files["ADNI1_Collection.csv"] = files["ADNI1_Collection.csv"].replace(b",MCI,", f",{group},".encode())
    label = copied("adni", files, tmp_path).row("011_S_0021-I7700")["label"]
    assert label["classes"] == [CODES["Group"][group][1]] and label["source"] == {"Group": group}
    assert {"cognitively normal", "mild cognitive impairment", "Alzheimer's disease"} <= set(label["assessed"])


@pytest.mark.parametrize("missing", ["", "-4", "-4.0", "-1", "NA"])
def test_a_missing_diagnosis_leaves_the_group_of_the_search(missing: str, tmp_path: Path) -> None:
    files = written("adni")
    table = f"Phase,PTID,VISCODE,DXCHANGE,DXCURREN,DIAGNOSIS\nADNI1,002_S_0295,bl,{missing},{missing},{missing}\n"
    files["DXSUM_PDXCONV_ADNIALL.csv"] = table.encode()
    label = copied("adni", files, tmp_path).row("002_S_0295-I45108")["label"]
    assert label["source"] == {"Group": "MCI"} and label["classes"] == ["mild cognitive impairment"]


@pytest.mark.parametrize("missing", ["", "-4", "-4.0", "-1", "NA", "Patient"])
def test_a_missing_group_says_nothing(missing: str, tmp_path: Path) -> None:
    files = written("adni")
    files["ADNI1_Collection.csv"] = files["ADNI1_Collection.csv"].replace(b",MCI,", f",{missing},".encode())
    label = copied("adni", files, tmp_path).row("011_S_0021-I7700")["label"]
    assert label["classes"] == label["assessed"] == [] and label["source"] is None
