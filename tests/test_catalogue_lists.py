"""What lists say, normalized; the vendored table and ledger hold every row of every list."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medimg import catalogue, licenses, registry, vocab
from medimg.builders import idc
from medimg.builders.idc import index
from medimg.catalogue.making import cells, ledger, lists, queue
from medimg.catalogue.making.__main__ import main
from medimg.catalogue.making.fill import Filler, agreed
from medimg.catalogue.making.join import Known, joined
from medimg.catalogue.making.make import make, spell_reg
from medimg.catalogue.making.said import Said, addresses, copied, key, place

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
beside = pytest.mark.skipif(
    not (SHARED / "catalogue").is_dir(), reason="the lists are not beside this checkout (../shared)"
)
LINES = list(ledger.read())
ROWS = [line for line in LINES if "list" in line]


@pytest.mark.parametrize(("column", "goal"), [("modality", 0.99), ("organ", 0.97), ("task", 0.97), ("license", 0.95)])
def test_of_what_lists_say_nearly_all_is_normalized(column: str, goal: float) -> None:
    good = bad = 0
    for line in ROWS:
        cell = line.get("cells", {}).get(column, {})
        if "repeats" not in line:
            good += len(cell.get("values", [])) + sum(where != "organ" for where, _ in cell.get("moved", []))
            bad += len(cell.get("rejected", {}))
    assert good > 1500
    assert good / (good + bad) >= goal
    assert ledger.shares(ROWS)[column] == (good, good + bad)


def test_every_value_that_is_not_taken_has_its_reason() -> None:
    cells_ = [cell for line in ROWS for cell in line.get("cells", {}).values()]
    reasons = [reason for cell in cells_ for kind in ("absent", "rejected") for reason in cell.get(kind, {}).values()]
    assert len(reasons) > 1000
    assert all(reason.strip() for reason in reasons)
    vocabularies = {"modality": vocab.modality, "organ": vocab.organ, "task": vocab.task}
    for line in ROWS:
        for column, vocabulary in vocabularies.items():
            assert set(line.get("cells", {}).get(column, {}).get("values", ())) <= set(vocabulary)


def test_what_counts_as_silent_says_nothing_of_the_kind_asked() -> None:
    """Shares are of what is there; nothing that says something is taken out of them."""
    silent = Counter(
        part.casefold()
        for line in ROWS
        for column in ("modality", "organ", "task")
        for part in line.get("cells", {}).get(column, {}).get("absent", {})
        if line["list"] not in ("idc", "candidates", "next")
    )
    assert set(silent) <= {"", "-", "...", "na", "none", "not mention", "multi", "others", "ot"}


def test_every_row_is_in_an_entry_or_broken_with_its_reason() -> None:
    ids = {each.id for each in catalogue.entries()}
    for line in ROWS:
        assert (line["entry"] in ids) != bool(line.get("broken")), line
    count = Counter(line["list"] for line in ROWS)
    assert count["imaging-x"] == 1151
    assert count["imaging-x portal"] == 1156
    assert count["imaging-x where"] == 967
    assert count["openneuro"] == 1005
    assert count["idc"] == len(index.collections())
    assert count["source list"] == 96
    numbers = {(line["list"], line["row"]) for line in ROWS}
    assert len(numbers) == len(ROWS)
    assert all(row <= count[name] for name, row in numbers)


def test_entries_tell_the_rows_that_they_are_made_of() -> None:
    of: dict[str, set[tuple[str, int]]] = {}
    for line in ROWS:
        of.setdefault(line["entry"], set()).add((line["list"], line["row"]))
    for each in catalogue.entries():
        said = {(one.by, row) for one in each.stated for row in one.rows}
        assert said == of.get(each.id, set()), each.id


def test_a_license_is_usable_only_where_the_source_states_it() -> None:
    listed = [each for each in catalogue.entries() if each.loadable in ("collection", "not yet")]
    assert len(listed) > 1500
    for each in listed:
        if each.license_by == "source":
            assert {one.by for one in each.stated} & {"idc", "openneuro"}
            terms = licenses.get(str(each.license))
            assert (each.verdict, each.commercial) == (terms.publish.value, terms.commercial)
        else:
            assert (each.verdict, each.commercial) == ("unknown", None), each.id
            assert (each.license is None) == (each.license_by is None)
    assert {each.license_by for each in listed} == {"source", "list", "mirror", None}
    silent = [each for each in listed if each.id.startswith("openneuro/") and each.license is None]
    assert silent


def test_ids_and_names_are_each_once() -> None:
    ids = Counter(each.id for each in catalogue.entries())
    assert max(ids.values()) == 1
    known = set(licenses.known())
    for each in catalogue.entries():
        assert each.name.strip()
        assert each.license is None or each.license in known
        assert (each.count is None) == (each.unit is None)
        assert set(each.modality) <= set(vocab.modality)
        assert set(each.organ) <= set(vocab.organ)
        assert set(each.task) <= set(vocab.task)
        assert set(each.structures) <= set(vocab.label)


@pytest.mark.parametrize("line", (ROOT / "tests" / "source_list.txt").read_text("utf-8").splitlines())
def test_every_row_of_the_source_list_is_found_by_its_name(line: str) -> None:
    slug, name = line.split("\t")
    entry = catalogue.get(slug)
    called = {text.casefold() for text in (entry.name, *entry.aliases)}
    assert name.casefold() in called
    assert name.partition(": ")[2].casefold() in called


@beside
def test_the_list_of_source_names_is_the_rosters() -> None:
    from medimg.catalogue.making import roster

    told = [f"{row.same_as}\t{row.aliases[0]}" for row in roster.rows(SHARED)]
    assert told == (ROOT / "tests" / "source_list.txt").read_text("utf-8").splitlines()


@beside
def test_the_vendored_files_are_what_the_lists_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--from", str(SHARED), "--check"]) == 0
    told = capsys.readouterr().out
    assert "modality: 99." in told
    assert "rows are broken" in told


def test_without_the_lists_the_maker_names_their_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--from", str(tmp_path / "nowhere")]) == 1
    told = capsys.readouterr().err
    assert str(tmp_path / "nowhere" / "catalogue") in told
    assert "make catalogue FROM=" in told


def test_cells_of_every_kind() -> None:
    assert cells.terms(vocab.modality, "US/ CT/ MR/ PET").values == ["ultrasound", "CT", "MRI", "PET"]
    assert cells.terms(vocab.modality, ["Pet_Ct", "Pet-Ct"]).values == ["PET/CT"]
    assert cells.terms(vocab.task, "Seg/ Cls").values == ["segmentation", "classification"]
    signal = cells.terms(vocab.modality, ["Eeg", "MR", "Not Mention"])
    assert signal.values == ["MRI"]
    assert signal.rejected == {"Eeg": "a signal, not an image"}
    assert signal.absent == {"Not Mention": "says: not mentioned"}
    disease = cells.terms(vocab.organ, "Lung Nodule")
    assert disease.moved == [("structures", "lung nodule"), ("organ", "lung")]
    assert cells.terms(vocab.organ, "Squamous Cell Carcinoma").moved == [("structures", "squamous cell carcinoma")]
    assert cells.terms(vocab.organ, "MR").moved == [("modality", "MRI")]
    assert cells.terms(vocab.organ, "Zork").rejected == {"Zork": "not in the organ vocabulary"}
    assert cells.terms(vocab.organ, "NA").silent


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2.7k", 2700),
        ("1,993", 1993),
        ("200+", 200),
        ("1.4M", 1_400_000),
        (60, 60),
        ("31k", 31000),
        ("303,001 images & 450,724 VQA entires", 303001),
    ],
)
def test_counts(text: Any, number: int) -> None:
    assert cells.count(text).values == [number]


def test_what_is_no_count() -> None:
    assert cells.count("0").absent == {"0": "says: nothing was counted"}
    assert cells.count("Neck").rejected == {"Neck": "no number"}
    assert cells.count(None).silent
    assert agreed([(2718, 0), (2700, 100)]) == 2718
    assert agreed([(2718, 0), (2600, 100)]) is None


def test_years_dimensions_and_sizes() -> None:
    assert cells.year("2020年初", None).values == [2020]
    assert cells.year(None, 2017).values == [2017]
    assert cells.year("NA").absent == {"NA": "says: not available"}
    assert cells.year("Jun-25").rejected == {"Jun-25": "no year"}
    assert cells.dimension("2D/ 3D").values == ["2d", "3d"]
    assert cells.dimension("4D(3D + time)").values == ["3d"]
    assert cells.dimension("2D+Text").absent == {"Text": "no dimension of an image"}
    assert cells.dimension("2017").rejected == {"2017": "no dimension"}
    assert cells.size("2.2 GB").values == [2_200_000_000]
    assert cells.size("many").rejected == {"many": "no size"}


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("tcia, Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("CCO", "CC0-1.0"),
        ("自定义", "LicenseRef-custom"),
        ("No commercial use", "LicenseRef-noncommercial"),
    ],
)
def test_licenses_as_lists_write_them(text: str, id_: str) -> None:
    assert cells.license(text).values == [id_]


def test_what_is_no_license() -> None:
    assert cells.license("tcia").absent == {"tcia": "says where the data lie, not on which terms"}
    assert cells.license("pubilc").silent
    assert cells.license("n/a").silent
    assert cells.license("CC BY-NC-ND 6.0").rejected == {"CC BY-NC-ND 6.0": "there is no such version"}
    assert cells.license("Zork license").rejected == {"Zork license": "names no license of the table"}
    assert cells.license("CC BY 4.0, MIT").values == []


def test_a_row_that_was_split_at_an_ampersand_is_put_together() -> None:
    broken = {
        "name": "https://site.org/x/}{M\\", "release_date": "Ms", "dimension": "2020", "modality": ["3D"],
        "task": ["Yes"], "organ": "MR", "year": None,
    }  # fmt: skip
    row, why = lists._shifted_back(broken)
    assert why is not None
    assert (row["name"], row["link"], row["year"]) == ("M&Ms", "https://site.org/x/", 2020)
    assert (row["dimension"], row["modality"], row["organ"]) == ("3D", ["MR"], None)
    whole = {"name": "M&Ms", "dimension": "3D", "organ": "Heart", "task": ["Segmentation"]}
    assert lists._shifted_back(whole) == (whole, None)


def test_words_that_a_list_strings_together() -> None:
    assert queue._words("Chest Lung (Thorax)").values == ["chest", "lung"]
    cut = queue._words("Head and Neck Head and Neck Squamous Cel")
    assert cut.values == ["head and neck"]
    assert cut.absent == {"Squamous Cel": "cut off in the table"}
    assert queue._words("Retina Retina").values == ["retina"]


def test_names_and_addresses() -> None:
    assert key("QUBIQ2021\\_2D\\_MR") == key("QUBIQ2021_2D_MR")
    assert key("ImageCLEF 2016 (Duplicate)") == key("ImageCLEF 2016")
    assert key("天池肺结节") == "天池肺结节"
    assert addresses("see https://a.org/x), or\nhttps://b.org/\\#y.") == (
        "https://a.org/x",
        "https://b.org/#y",
    )
    assert place("https://kits19.grand-challenge.org/home/") == place("http://kits19.grand-challenge.org")
    assert place("https://github.com/") is None
    assert place("https://openneuro.org/datasets/ds003097/versions/1.2.1") == "openneuro.org/ds003097"
    wiki = "https://wiki.cancerimagingarchive.net/pages/viewpage.action?pageId="
    assert place(wiki + "1") != place(wiki + "2")
    assert copied(("https://www.kaggle.com/datasets/a/b",))
    assert not copied(("https://www.kaggle.com/competitions/a",))
    assert not copied(("https://zork.org", "https://www.kaggle.com/datasets/a/b"))


@pytest.fixture(scope="module")
def known() -> Known:
    return Known(registry.entries(), idc.listed())


def rows(*said: dict[str, Any]) -> Iterator[Said]:
    for number, each in enumerate(said, 1):
        yield Said(**{"by": lists.IMAGING_X, "row": number, **each})


def test_rows_join_by_id_address_and_name(known: Known) -> None:
    found = joined(
        rows(
            {"name": "LiTS"},
            {"name": "ISIC18"},
            {"name": "天池肺结节比赛"},
            {"name": "Zork", "links": ("https://www.cancerimagingarchive.net/collection/nlst/",)},
            {"name": "AOMIC", "links": ("https://openneuro.org/datasets/ds003097/versions/1.2.1",)},
            {"name": "New One"},
            {"name": "new-one (Duplicate)"},
            {"name": "New One 2"},
            {
                "name": "Chest X-ray",
                "links": ("https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia",),
            },
        ),
        known,
    )
    told = [(group.id, [row.name for row in group.rows]) for group in found]
    assert told == [
        ("lits", ["LiTS"]),
        ("isic-2018", ["ISIC18"]),
        ("tianchi-lung-nodule", ["天池肺结节比赛"]),
        ("idc/nlst", ["Zork"]),
        ("openneuro/ds003097", ["AOMIC"]),
        (None, ["New One", "new-one (Duplicate)"]),
        (None, ["New One 2"]),
        (None, ["Chest X-ray"]),
    ]


def test_other_releases_of_a_builders_dataset_stay_apart(known: Known) -> None:
    names = ("BraTS 2020", "KiTS21", "iSeg2017", "QIN-BREAST-02", "ACDC-LungHP", "CellTracking2021")
    found = joined(rows(*({"name": name} for name in names)), known)
    ours = set(registry.names())
    assert len(found) == len(names)
    assert not ours & {group.id for group in found}


def test_reg_is_spelled_only_with_evidence(known: Known) -> None:
    def group(*said: tuple[str, str]) -> Any:
        made = rows(*({"name": name, "cells": {"task": cells.terms(vocab.task, task)}} for name, task in said))
        return joined(made, known)

    spelled = group(("Zork", "Reg"), ("Zork", "Registration"))
    by_name = group(("Learn2Reg Zork", "Reg"))
    silent = group(("Zork", "Reg"), ("Zork", "Seg"))
    torn = group(("Zork", "Reg"), ("Zork", "Registration"), ("Zork", "Regression"))
    for groups, expected in (
        (spelled, ["registration"]),
        (by_name, ["registration"]),
        (silent, []),
        (torn, []),
    ):
        spell_reg(groups[0], groups)
        assert groups[0].rows[0].cells["task"].values == expected


def test_facts_of_regular_expressions_need_a_second_source(known: Known) -> None:
    guess = {
        "by": queue.CANDIDATES,
        "name": "Zork",
        "cells": {
            "modality": cells.terms(vocab.modality, "CT"),
            "organ": cells.terms(vocab.organ, "liver"),
            "dimension": cells.dimension("3D"),
            "count": cells.count("40"),
        },
    }
    sure = {"name": "Zork", "cells": {"modality": cells.terms(vocab.modality, "CT angiography")}}
    (alone,) = joined(rows(guess), known)
    entry = Filler(alone).entry("zork", "Zork", ())
    assert (entry.modality, entry.organ, entry.count) == ((), (), None)
    assert set(alone.rows[0].notes["not_taken"]) == {"modality", "organ", "dimension", "count"}
    (together,) = joined(rows(guess, sure), known)
    assert Filler(together).entry("zork", "Zork", ()).modality == ("CT", "CT angiography")


def test_the_sources_own_word_goes_before_a_lists(known: Known) -> None:
    link = ("https://openneuro.org/datasets/ds999999",)
    source = {
        "by": lists.OPENNEURO,
        "name": "ds999999",
        "links": link,
        "cells": {"license": cells.license("CC0"), "modality": cells.terms(vocab.modality, "fMRI")},
    }
    listed = {
        "by": lists.PORTAL,
        "name": "Zork",
        "links": link,
        "cells": {"license": cells.license("CC BY-NC 4.0"), "modality": cells.terms(vocab.modality, "CT")},
    }
    (group,) = joined(rows(listed, source), known)
    entry = Filler(group).entry(str(group.id), "Zork", ())
    assert (entry.license, entry.license_by, entry.verdict) == ("CC0-1.0", "source", "open")
    assert entry.modality == ("fMRI",)
    (group,) = joined(rows(listed | {"links": ("https://www.kaggle.com/datasets/a/b",)}), known)
    entry = Filler(group).entry("zork", "Zork", ())
    assert (entry.license, entry.license_by, entry.verdict) == ("CC-BY-NC-4.0", "mirror", "unknown")
    assert entry.commercial is None


def test_collections_say_what_their_builder_declares() -> None:
    small = min(index.collections(), key=lambda id_: index.collections()[id_].subjects or 10**9)
    entry, declared = catalogue.get(f"idc/{small}"), registry.get(f"idc/{small}").dataset
    configs = [declared.config(name) for name in declared.config_names]
    assert set(entry.modality) == set(declared.modality)
    assert set(entry.organ) == set(declared.organ)
    assert set(entry.task) == set(declared.task)
    assert entry.license == (None if declared.license == licenses.UNKNOWN else declared.license)
    assert entry.count == sum(sum(config.splits.values()) for config in configs)


def test_two_runs_give_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On lists of a few rows."""
    monkeypatch.setattr(idc, "listed", lambda: iter(()))
    for name in ("catalogue", "queue", "roster"):
        (tmp_path / name).mkdir()
    row = {
        "section": "CT Datasets", "name": "Zork", "url": "https://zork.org", "year": "2020", "dim": "3D",
        "modality": "CT", "structure": "Liver", "samples": "20", "task": "Seg", "diseases": "NA",
    }  # fmt: skip
    (tmp_path / "catalogue" / "imaging_x.json").write_text(json.dumps([row, row | {"section": "PET"}]))
    (tmp_path / "catalogue" / "imaging_x_portal.json").write_text("[]")
    (tmp_path / "catalogue" / "openneuro.tsv").write_text("name\n")
    for name in ("imaging_x_where.csv", "candidates.csv", "next.csv"):
        (tmp_path / "queue" / name).write_text("name\n")
    (tmp_path / "queue" / "torch_em.jsonl").write_text("")
    made = make(tmp_path)
    assert made == make(tmp_path)
    (entry,) = [json.loads(line) for line in made[catalogue.table.FILE].splitlines()]
    assert (entry["id"], entry["count"], entry["unit"]) == ("zork", 20, "volumes")
    first, second = (json.loads(line) for line in made[ledger.FILE].splitlines())
    assert "repeats" not in first
    assert second["repeats"] == 1
