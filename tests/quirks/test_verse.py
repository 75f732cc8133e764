from __future__ import annotations

import json

import pytest
from miniatures import Miniature

REFUTED = {
    3: "374 scans of 355 patients (anjany/verse:README.md@02b292b) leave 19 scans more: the further scans "
    "of subjects 400 to 417 within 2019 (dadrobny/SegQC-xnat:docs/aide/dataset-verse19.md@ac45c7d for "
    "training), so none is left for a subject of both years. Rows go by sub-id anyway",
}
NOT_IN_FILES = {
    4: "how the OSF packs a download; only the archives of the restructured release are declared as sources",
    5: "what another program covers; the card names all six archives",
}


@pytest.mark.quirk(1)
def test_challenge_files_are_told_and_not_read(mini: Miniature) -> None:
    paths = mini.paths(r"GL195_CT_ax.*(nii\.gz|png)$")
    assert len(paths) == 3 and all("MICCAI" in mini.skipped[path] for path in paths)
    assert "_iso-ctd.json" in mini.paths(r"GL195.*json$")[0]
    assert len(mini.rows("gl195")) == 1


@pytest.mark.quirk(2)
def test_entities_split_and_dir_are_optional(mini: Miniature) -> None:
    told = {row["id"]: (row["subject"], row["split"]) for row in mini.rows()}
    assert told == {
        "verse/sub-verse004": ("sub-verse004", "train"),
        "verse/sub-verse400_split-verse155": ("sub-verse400", "validation"),
        "verse/sub-verse400_split-verse290": ("sub-verse400", "validation"),
        "verse/sub-gl195_dir-ax": ("sub-gl195", "test"),
    }
    stated = json.loads(mini.text("sub-verse004_seg-subreg_ctd.json"))
    assert stated[1]["label"] == 20
    assert mini.row("verse004")["label"]["points"][0]["name"] == "L1 vertebra"
