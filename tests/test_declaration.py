"""A declaration that contradicts itself, or a name that no vocabulary has, is refused with all that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.licenses import Verdict

RIGHT: dict[str, Any] = {
    "name": "made-up-2",
    "title": "Made up",
    "dimension": "3d",
    "modality": "CT",
    "organ": ("liver", "spleen"),
    "task": "segmentation",
    "license": "CC-BY-4.0",
    "homepage": "https://example.org/",
    "citation": Citation(title="Made up", authors="Nobody", year=2020),
    "sources": (Source(url="https://example.org/", kind="page"),),
    "splits": {"train": 3, "test": 0},
    "subject": "the folder",
    "evidence": Evidence(layout="read", labels="read", license="read"),
}


def declared(**other: Any) -> Dataset:
    return Dataset(**(RIGHT | other))


def refused(**other: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        declared(**other)
    return str(caught.value)


def test_the_homepage_is_the_first_page_of_the_sources_unless_it_is_named() -> None:
    unnamed = {key: value for key, value in RIGHT.items() if key != "homepage"}
    file = Source(url="https://example.org/a.zip")
    pages = tuple(Source(url=f"https://example.org/{name}", kind="page") for name in "bc")
    assert Dataset(**unnamed | {"sources": (file, *pages)}).homepage == "https://example.org/b"
    assert declared(sources=(file, *pages)).homepage == "https://example.org/"
    with pytest.raises(ValidationError, match="homepage"):
        Dataset(**unnamed | {"sources": (file,)})


def test_a_string_stands_for_a_list_of_one() -> None:
    dataset = declared(labels={"a": "liver", "b": ("liver", "liver tumor"), "c": ()})
    assert dataset.modality == ("CT",) and dataset.organ == ("liver", "spleen")
    assert dict(dataset.labels) == {"a": ("liver",), "b": ("liver", "liver tumor"), "c": ()}
    assert Config(name="a", title="A", modality="CT", organ="liver", task="segmentation").organ == ("liver",)


@pytest.mark.parametrize("name", ["Made-up", "made_up", "-made", "made-", "made--up", "", "made up"])
def test_a_name_is_a_slug(name: str) -> None:
    assert "is not a slug" in refused(name=name)


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("modality", "x ray machine", "modality"),
        ("organ", ("liver", "thing"), "organ"),
        ("task", "thinking", "task"),
        ("license", "CC BY 4.0", "license"),
        ("legend", {1: ("thing",)}, "label"),
        ("labels", {"a": "thing"}, "label"),
        ("configs", (Config(name="a", title="A", modality="x ray machine"),), "modality"),
        ("configs", (Config(name="a", title="A", organ="thing"),), "organ"),
        ("configs", (Config(name="a", title="A", task="thinking"),), "task"),
        ("configs", (Config(name="a", title="A", license="CC BY 4.0"),), "license"),
    ],
)
def test_every_name_is_of_its_vocabulary(field: str, value: Any, word: str) -> None:
    assert f"{word}: " in refused(**{field: value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = refused(name="Made up", organ="thing", homepage="TODO", access="registration", subject=None)
    for part in ("not a slug", "'thing'", "homepage is not filled in", "needs `how`", "either `subject`"):
        assert part in said


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("homepage", "TODO", "homepage"),
        ("citation", Citation(title="TODO", authors="x", year=2020), "citation.title"),
        ("sources", (Source(url="https://example.org/TODO"),), "sources.url"),
        ("notes", ("right", "TODO: more"), "notes"),
        ("evidence", Evidence(layout="read", labels="read", license="TODO"), "evidence.license"),
    ],
)
def test_what_is_left_to_fill_in_is_named(field: str, value: Any, place: str) -> None:
    assert f"{place} is not filled in" in refused(**{field: value})


@pytest.mark.parametrize("access", ["registration", "application", "unavailable"])
def test_a_source_that_is_not_open_says_how_it_is_had(access: str) -> None:
    assert "needs `how`" in refused(access=access)
    assert declared(access=access, how="ask").access == access
    assert declared(access="open").how is None


def test_either_the_patient_or_the_reason_why_there_is_none() -> None:
    assert "either `subject`" in refused(subject=None)
    assert "either `subject`" in refused(no_subject="none")
    assert declared(subject=None, no_subject="none").no_subject == "none"


def test_what_the_license_lets_be_published() -> None:
    assert declared().publish is Verdict.OPEN
    assert declared(license="LicenseRef-RSNA-Pneumonia-2018").publish is Verdict.GATED
    assert declared(license="LicenseRef-unknown").publish is Verdict.RECIPE


def test_a_dataset_without_sub_collections_is_one() -> None:
    dataset = declared()
    assert dataset.config_names == ("default",)
    config = dataset.config("default")
    assert (config.name, config.title, dict(config.splits)) == ("default", "Made up", {"train": 3, "test": 0})
    assert (config.dimension, config.modality, config.license) == ("3d", ("CT",), "CC-BY-4.0")
    with pytest.raises(KeyError):
        dataset.config("other")


def test_a_sub_collection_takes_what_it_does_not_say() -> None:
    own = Config(name="slides", title="Slides", dimension="2d", license="CC0-1.0", splits={"train": 7})
    dataset = declared(configs=(own, Config(name="volumes", title="Volumes", organ="liver", task="detection")))
    assert dataset.config_names == ("slides", "volumes")
    slides, volumes = dataset.config("slides"), dataset.config("volumes")
    assert (slides.dimension, slides.license, slides.modality) == ("2d", "CC0-1.0", ("CT",))
    assert (slides.organ, slides.task, dict(slides.splits)) == (
        ("liver", "spleen"),
        ("segmentation",),
        {"train": 7},
    )
    assert (volumes.dimension, volumes.license, volumes.organ) == ("3d", "CC-BY-4.0", ("liver",))
    assert volumes.task == ("detection",) and dict(volumes.splits) == {"train": 3, "test": 0}
    for name in ("default", "other"):
        with pytest.raises(KeyError):
            dataset.config(name)


def test_every_label_that_an_image_could_have_got() -> None:
    dataset = declared(labels={"a": ("liver", "liver tumor"), "b": "liver", "c": "spleen", "none": ()})
    assert dataset.every_label == ("liver", "liver tumor", "spleen")
    assert declared().every_label == ()


def test_evidence_says_what_nobody_looked_up() -> None:
    evidence = Evidence(layout="Unverified: x", labels="read", license="unverified", subject="read; unverified: y")
    assert evidence.unverified == ("layout", "license")
    nobody = Evidence(**dict.fromkeys(("layout", "labels", "license", "subject"), "unverified"))
    assert nobody.unverified == ("layout", "labels", "license", "subject")


@pytest.mark.parametrize(("field", "value"), [("md5", "a" * 31), ("md5", "g" * 32), ("sha256", "A" * 64)])
def test_checksums_are_lower_case_hexadecimal(field: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Source(url="https://example.org/x", **{field: value})


def test_a_part_is_of_sub_collections_and_modalities_that_there_are() -> None:
    scans = Config(name="scans", title="Scans")
    part = declared(configs=(scans,), parts=(Part(config="scans", modality="CT", names="liver"),)).parts[0]
    assert part.concerns("scans", "CT")
    assert not part.concerns("scans", "MRI") and not part.concerns("slides", "CT")
    assert Part().concerns("slides", "MRI") and not Part(modality="CT").concerns("scans", "MRI")
    assert "there is no config 'slides'" in refused(configs=(scans,), parts=(Part(config="slides"),))
    assert "thing" in refused(parts=(Part(names="thing"),))


def test_a_declaration_is_frozen_and_knows_its_fields() -> None:
    with pytest.raises(ValidationError):
        declared(colour="red")
    with pytest.raises(ValidationError):
        declared().name = "other"
    assert declared().bad_files == "stop" and declared().version == "1.0.0"


def test_the_doi_of_a_preprint_says_its_id() -> None:
    paper = {"title": "A set", "authors": "A B", "year": 2019}
    assert Citation(**paper, doi="10.48550/arXiv.1902.09063").preprints == ("1902.09063",)
    assert Citation(**paper, doi="10.1371/journal.pone.0200412").preprints == ()
    assert Citation(**paper).preprints == ()
