"""Builders against facts that do not come from them.

A builder, its legend and its miniature have one author, so that the contract cannot see a wrong meaning. `facts/`
says what each source means, read from elsewhere; here the declaration and the rows of the miniature are held
against it. A builder without facts fails, so does a legend value, a label code, a measure, a point or a box without
a fact, and a fact of which nothing is seen (unless `unseen` says why).

Keys of `facts/<slug>.yaml`; a value or code is a list: the source's own words, then our names.

- `source`: where the facts were read, in short; `unverified`: groups of facts that nobody could look up.
- `dimension`, `modality`, `organ`, `task`, `license`, `publish`, `access`, `splits`, `configs`: as declared; `files`:
  what the provider says of its files. `row_split`, `row_config`, `row_modality`, `row_organ`: pattern in a row's text
  (id, label.source and meta) -> what the row says, the first that occurs; `row_licenses`: licenses of single rows.
- `subjects`: how many persons there are; `subject`: pattern of a whole id, null where there is none; `no_subject`:
  some rows have an id and some none.
- `sequence`: channels of a 4-D image.
- `spacing`: "none" (the source tells none), "header" (that of the stored file), "known", "any", `fixed` (mm), or a
  column (`meta`); by config where it differs. `lost_spacing`: pattern of ids whose header is wrong, so unknown;
  `lost_affines`: ranges of case numbers, both ends among them, of which 1 mm along every axis means nothing.
- `masks`: `values` or `bits` (sums of them) of the stored map, of rows of `config` in whose text `where` occurs;
  `drawn`: only the values that are drawn on an image, and their overlaps, are in its legend. `pixels`: what the
  source's own mask file has at each pixel -> names.
- `codes`: label code -> names. `key` in label.source (`of: meta`: in meta; `field`: below it), or `how`: "columns"
  (one cell per code), "majority" (of several cells), "index", "flags", "regex" (the group is the code). `label`:
  prefix in the declaration's `labels`. All names of the group are assessed where the source says one of them, and
  no others; `optional`: but these; `assessed`: lists of names that are looked for together, or "some": not known.
- `looked_for`: pattern -> names that are assessed in such rows though no code says so. `always`: the same of
  names that are present. `measures`: name -> unit, and the column of label.source that has the value.
  `points`, `boxes`: their names.
"""

from __future__ import annotations

import functools
import io
import json
import re
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import PIL.Image
import pytest
from facts_table import FACTS, FOLDER, LICENSES
from miniatures import Miniature, built, copied, pixels

from medimg import licenses, registry
from medimg.phantom import Phantom

NAMES = list(FACTS)
Facts = dict[str, Any]
Row = dict[str, Any]
POSITIVE, NEGATIVE = ("1", "1.0", "True"), ("0", "0.0", "False")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    slug: str = request.param
    return slug


@pytest.fixture
def facts(name: str) -> Facts:
    return FACTS[name]


@pytest.fixture
def mini(name: str) -> Miniature:
    return built(registry.module_name(name))


@functools.cache
def rows(name: str) -> list[tuple[Row, str]]:
    """Rows of the miniature, each with what patterns look for: its id, label.source and meta."""

    def text(row: Row) -> str:
        told = [json.dumps(value, ensure_ascii=False) for value in (row["label"]["source"], row["meta"])]
        return " ".join([row["id"], *told])

    return [(row, text(row)) for row in built(registry.module_name(name)).rows()]


def first(patterns: dict[str, Any], row_text: str) -> Any:
    """What the first pattern that occurs says."""
    found = [value for pattern, value in patterns.items() if re.search(pattern, row_text)]
    assert found, f"no pattern of {list(patterns)} is in {row_text[:200]}"
    return found[0]


def test_every_builder_has_facts_and_every_fact_a_builder() -> None:
    assert NAMES == sorted(registry.slug(module) for module in registry.module_names())
    assert len(list(FOLDER.iterdir())) == len(NAMES) + 1


def test_facts_say_where_they_are_from(facts: Facts) -> None:
    assert len(facts["source"]) > 10
    known = {
        "source", "unverified", "dimension", "modality", "organ", "task", "license", "publish", "access", "splits",
        "configs", "files", "row_split", "row_config", "row_task", "row_modality", "row_organ", "row_licenses",
        "subjects", "subject", "no_subject", "sequence", "spacing", "lost_spacing", "lost_affines", "looked_for",
        "masks", "codes", "always", "measures", "points", "boxes",
    }  # fmt: skip
    assert set(facts) <= known


def test_declaration(name: str, facts: Facts) -> None:
    dataset = registry.get(name).dataset
    for key in ("modality", "organ", "task"):
        assert list(getattr(dataset, key)) == facts[key], key
    for key in ("dimension", "license", "access"):
        assert getattr(dataset, key) == facts[key], key
    assert dataset.publish == facts["publish"] == LICENSES[facts["license"]]["publish"]
    assert dict(dataset.splits) == facts["splits"]
    assert {config.name for config in dataset.configs} == set(facts.get("configs", {}))
    for config in dataset.configs:
        said = facts["configs"][config.name]
        assert dict(config.splits) == said["splits"], config.name
        for key in ("dimension", "license", "modality", "organ", "task"):
            own = getattr(config, key)
            assert said.get(key, facts[key]) == (
                facts[key] if own is None else list(own) if isinstance(own, tuple) else own
            ), f"{config.name}: {key}"


def test_a_patient_is_known_where_the_source_tells(name: str, facts: Facts) -> None:
    dataset = registry.get(name).dataset
    assert bool(dataset.no_subject) == (facts["subject"] is None or facts.get("no_subject", False))
    found = {row["subject"] for row, _ in rows(name)}
    if facts["subject"] is None:
        assert found == {None}
        return
    assert facts.get("no_subject") or None not in found
    for subject in found - {None}:
        assert re.fullmatch(facts["subject"], subject), subject


def test_rows_say_modality_organ_and_license(name: str, facts: Facts) -> None:
    for row, row_text in rows(name):
        config = facts.get("configs", {}).get(row["config"], {})
        said = {key: config.get(key, facts[key]) for key in ("modality", "organ", "license")}
        if "row_modality" in facts:
            assert row["modality"] == first(facts["row_modality"], row_text), row["id"]
        else:
            assert [row["modality"]] == said["modality"], row["id"]
        organ = first(facts["row_organ"], row_text) if "row_organ" in facts else said["organ"]
        assert row["organ"] == organ, row["id"]
        assert row["license"] in facts.get("row_licenses", [said["license"]]), row["id"]


def test_rows_stand_in_their_split_and_config(name: str, facts: Facts) -> None:
    several = any(len(config.get("splits", {})) > 1 for config in [facts, *facts.get("configs", {}).values()])
    assert several == ("row_split" in facts)
    for row, row_text in rows(name):
        for key in ("split", "config"):
            if f"row_{key}" in facts:
                assert row[key] == first(facts[f"row_{key}"], row_text), f"{row['id']}: {key}"


def test_tasks_of_rows(name: str, facts: Facts) -> None:
    for row, _ in rows(name):
        said = facts.get("configs", {}).get(row["config"], {}).get("task", facts["task"])
        assert row["task"] == facts.get("row_task", {}).get(row["config"], said), row["id"]


def test_checksums_are_those_that_the_provider_tells(name: str, facts: Facts) -> None:
    told = facts.get("files", {})
    names = [url.rsplit("/", 1)[-1] for url in told]
    by_name = {file: sums for file, sums in zip(names, told.values(), strict=True) if names.count(file) == 1}
    for source in registry.get(name).dataset.sources:
        sums = told.get(source.url) or by_name.get(source.url.rsplit("/", 1)[-1], {})
        for key in sums.keys() & {"md5", "sha256", "size"}:
            assert getattr(source, key) in (None, sums[key]), f"{source.url}: {key}"


def test_sequences(name: str, facts: Facts) -> None:
    assert {tuple(row["sequence"]) for row, _ in rows(name)} == {tuple(facts.get("sequence", ()))}


def test_spacing(name: str, facts: Facts) -> None:
    lost = set()
    for row, _ in rows(name):
        said, spacing = facts["spacing"], row["spacing"]
        if isinstance(said, dict) and not {"fixed", "meta"} & said.keys():
            said = said.get(row["config"], said.get("default"))
        if re.search(facts.get("lost_spacing", "(?!)"), row["id"]):
            assert spacing is None, row["id"]
            lost.add(row["id"])
        elif said == "none":
            assert spacing is None, row["id"]
        elif said == "header":
            header = nibabel.Nifti1Image.from_bytes(bytes(row["image"]["bytes"])).header
            assert spacing == pytest.approx(list(header.get_zooms()[: len(spacing)]), rel=1e-6), row["id"]
        elif said == "known":
            assert spacing and all(0 < value < 1 for value in spacing), row["id"]
        elif isinstance(said, dict) and "fixed" in said:
            assert spacing == pytest.approx(said["fixed"], rel=1e-5), row["id"]
        elif isinstance(said, dict):
            expected = float(row["meta"][said["meta"]]) * said["scale"]
            assert spacing == pytest.approx([expected, expected], rel=1e-6), row["id"]
        else:
            assert said == "any", said
    assert bool(lost) == ("lost_spacing" in facts)


LOST = FACTS.having("lost_affines")


@pytest.mark.parametrize("name", LOST)
def test_a_spacing_of_1_mm_means_nothing_in_the_cases_that_lost_theirs(name: str, tmp_path: Path) -> None:
    said = FACTS[name]["lost_affines"]
    lost = {number for low, high in said["ranges"] for number in range(low, high + 1)}
    numbers = sorted(lost | {low - 1 for low, _ in said["ranges"]} | {high + 1 for _, high in said["ranges"]})
    make = Phantom()
    for number in numbers:
        make.nifti(said["image"].format(number), (4, 3, 2), spacing=(1, 1, 1))
        make.nifti(said["mask"].format(number), (4, 3, 2), spacing=(1, 1, 1), labels=(1,), dtype="uint8")
    found = copied(registry.module_name(name), make.files, tmp_path).rows()
    unknown = {row["id"] for row in found if row["spacing"] is None}
    assert len(found) == len(numbers)
    assert unknown == {f"{name}/{said['id'].format(number)}" for number in lost}


@pytest.mark.parametrize("name", LOST)
def test_another_spacing_of_such_a_case_stands(name: str, tmp_path: Path) -> None:
    said, make = FACTS[name]["lost_affines"], Phantom()
    number = said["ranges"][0][0]
    for key, own in (("image", {}), ("mask", {"labels": (1,), "dtype": "uint8"})):
        make.nifti(said[key].format(number), (4, 3, 2), spacing=(1, 1, 2.5), **own)
    (row,) = copied(registry.module_name(name), make.files, tmp_path).rows()
    assert row["spacing"] == [1, 1, 2.5]


def of_row(entries: list[Facts], row: Row, row_text: str) -> list[Facts]:
    """The entries that hold for a row."""
    return [
        entry
        for entry in entries
        if row["config"] in entry.get("config", [row["config"]]) and re.search(entry.get("where", ""), row_text)
    ]


def sums(bits: dict[int, list[str]]) -> dict[int, set[str]]:
    """Every sum of bits -> names."""
    found: dict[int, set[str]] = {0: set()}
    for bit, (_, *names) in bits.items():
        found |= {value + bit: known | set(names) for value, known in found.items()}
    return {value: names for value, names in found.items() if value}


def test_legends(name: str, facts: Facts) -> None:
    entries = facts.get("masks", [])
    seen: list[set[int]] = [set() for _ in entries]
    for row, row_text in rows(name):
        label = row["label"]
        found = {entry["value"]: entry["names"] for entry in label["legend"]}
        if label["mask"] is None:
            assert not found
            continue
        (entry,) = of_row(entries, row, row_text)
        assert label["instances"] == entry.get("instances", False)
        said = seen[entries.index(entry)]
        if "bits" in entry:
            known = sums(entry["bits"])
            assert {value: set(names) for value, names in found.items()}.items() <= known.items(), row["id"]
            said.update(found.keys() & entry["bits"].keys())
            continue
        listed = {value: names for value, (_, *names) in entry["values"].items()}
        if entry.get("drawn"):
            check_drawn(*({value: set(names) for value, names in one.items()} for one in (found, listed)))
            said.update(found.keys() & listed.keys())
        else:
            assert found == listed, row["id"]
            said.update(listed)
    for entry, said in zip(entries, seen, strict=True):
        expected = (entry.get("bits") or entry["values"]).keys()
        assert said | entry.get("unseen", {}).keys() == expected, f"no row has {sorted(expected - said)}"


def check_drawn(found: dict[int, set[str]], known: dict[int, set[str]]) -> None:
    """Values beyond those known are overlaps of values that are there, each a set of its own."""
    single = list(known.values())
    for value, names in found.items():
        if value in known:
            assert names == known[value], value
        else:
            parts = [part for part in single if part <= names]
            assert len(parts) > 1 and set().union(*parts) == names, value
    assert len({frozenset(names) for names in found.values()}) == len(found)


@pytest.mark.parametrize("name", FACTS.having("pixels"))
def test_pixels_of_the_source_mean_what_the_row_says(name: str) -> None:
    facts, mini = FACTS[name], built(registry.module_name(name))
    for entry in (entry for entry in facts["masks"] if "pixels" in entry):
        said, seen = entry["pixels"], set()
        for row, row_text in rows(name):
            found = re.search(said["id"], row["id"])
            if row["label"]["mask"] is None or not found or entry not in of_row([entry], row, row_text):
                continue
            names = {one["value"]: set(one["names"]) for one in row["label"]["legend"]} | {0: set()}
            drawn = source_pixels(mini, said["file"].format(*found.groups()))
            mask = pixels(row["label"]["mask"]).astype(int)
            for key in np.unique(drawn):
                assert key in said["values"], f"{row['id']}: {key} has no fact"
                for value in np.unique(mask[drawn == key]):
                    assert names[int(value)] == set(said["values"][key]), f"{row['id']}: {key}"
                seen.add(key)
        assert seen == set(said["values"])


def source_pixels(mini: Miniature, pattern: str) -> np.ndarray[Any, Any]:
    """The source's mask file, each pixel as text: "255" or "255,0,0"."""
    files = {mini.files[path] for path in mini.files if re.search(pattern, path)}
    (data,) = files
    array = np.asarray(PIL.Image.open(io.BytesIO(data))).astype(int)
    if array.ndim == 2:
        return array.astype(str)
    texts = [",".join(map(str, pixel)) for pixel in array.reshape(-1, array.shape[2])]
    return np.array(texts).reshape(array.shape[:2])


def below(value: Any, path: str) -> list[Any]:
    """What stands below a value, lists flattened."""
    values = value if isinstance(value, list) else [value]
    for part in path.split("."):
        values = [inner for one in values for inner in (one[part] if isinstance(one[part], list) else [one[part]])]
    return values


def plain(value: Any, entry: Facts) -> str:
    """A code as the facts write it."""
    said = " ".join(str(value).split())
    return said.casefold() if entry.get("casefold") else said


def told(entry: Facts, row: Row, row_text: str) -> tuple[set[str], set[str], set[str], set[str]] | None:
    """(codes, present, uncertain, assessed) of one group of codes; None where the source says nothing of it."""
    source = row["meta"] if entry.get("of") == "meta" else row["label"]["source"]
    names = {str(code): set(words[1:]) for code, words in entry["values"].items()}
    how = entry.get("how", "code")
    if how in ("columns", "majority"):
        return columns(entry, source, names)
    codes: list[str] = []
    if how == "regex":
        codes = [match[1] for match in re.finditer(entry["key"], row_text)]
    elif how == "index":
        codes = [str(source[0])]
    elif how == "flags":
        assert len(source) == len(names)
        codes = [str(n) for n, flag in enumerate(source) if flag]
    else:
        value = source
        if "key" in entry:
            if not isinstance(source, dict) or entry["key"] not in source:
                return None
            value = source[entry["key"]]
        elif not isinstance(source, str):
            return None
        values = below(value, entry["field"]) if "field" in entry else value if isinstance(value, list) else [value]
        separator = entry.get("separator")
        parts = [part for one in values for part in (str(one).split(separator) if separator else [one])]
        codes = [plain(part, entry) for part in parts]
        codes = [code.rsplit("/", 1)[-1] for code in codes] if entry.get("last") else codes
        codes = [code for code in codes if code not in entry.get("ignore", []) and (code or "" in names)]
    if not codes and how != "flags":
        return None
    present: set[str] = set()
    doubtful: set[str] = set()
    for code in codes:
        suspected = code.startswith(tuple(entry.get("uncertain", ())))
        assert code in names or "others" in entry, f"{row['id']}: the code {code!r} has no fact"
        (doubtful if suspected else present).update(names.get(code, entry.get("others", ())))
    return set(codes), present, doubtful, looked_for(entry, names, present | doubtful)


def looked_for(entry: Facts, names: dict[str, set[str]], found: set[str]) -> set[str]:
    """What was looked for where the source says that this was found."""
    rule = entry.get("assessed", "all")
    if rule == "some":
        return found
    if rule == "all":
        idle = set().union(*(names[code] for code in entry.get("optional", ())))
        return set().union(*names.values()) - idle | found
    return set().union(*(set(group) for group in rule if set(group) & found))


def columns(
    entry: Facts, source: Any, names: dict[str, set[str]]
) -> tuple[set[str], set[str], set[str], set[str]] | None:
    """As `told`, where each code has a cell of its own, or several, of which most decide."""
    keys = entry.get("key", [])
    tables = [source[key] for key in keys if isinstance(source, dict) and key in source] if keys else [source]
    cells = tables[0] if tables else None
    places = entry.get("columns", ["{}"])
    if not isinstance(cells, dict) or not any(place.format(code) in cells for code in names for place in places):
        return None
    present: set[str] = set()
    doubtful: set[str] = set()
    assessed: set[str] = set()
    for code, meant in names.items():
        said = [str(cells.get(place.format(code), "")).strip() for place in places]
        said = [cell for cell in said if cell]
        if not said:
            continue
        assert set(said) <= {*POSITIVE, *NEGATIVE, *entry.get("uncertain", ())}, said
        assessed |= meant
        if 2 * sum(cell in POSITIVE for cell in said) > len(said):
            present |= meant
        elif set(said) & set(entry.get("uncertain", ())):
            doubtful |= meant
    if "none_of_them" in entry:
        assessed.add(entry["none_of_them"])
        if not present:
            present.add(entry["none_of_them"])
    return set(names), present, doubtful, assessed


def matching(patterns: dict[str, list[str]], row_text: str) -> set[str]:
    """Names of all patterns that occur."""
    return {name for pattern, names in patterns.items() if re.search(pattern, row_text) for name in names}


def test_classes(name: str, facts: Facts) -> None:
    groups = facts.get("codes", [])
    for row, row_text in rows(name):
        label = row["label"]
        present = {
            name for pattern, names in facts.get("always", {}).items() if re.search(pattern, row_text) for name in names
        }
        doubtful, assessed, exact = set(), set(present), True
        for entry in of_row(groups, row, row_text):
            found = told(entry, row, row_text)
            if found is not None:
                present |= found[1]
                doubtful |= found[2]
                assessed |= found[3]
                exact = exact and entry.get("assessed") != "some"
        assert set(label["classes"]) == present, row["id"]
        assert set(label["uncertain"]) == doubtful - present, row["id"]
        assessed |= {name for entry in label["legend"] for name in entry["names"]}
        assessed |= matching(facts.get("looked_for", {}), row_text)
        assert assessed <= set(label["assessed"]), row["id"]
        assert not exact or assessed == set(label["assessed"]), row["id"]


def test_declared_labels(name: str, facts: Facts) -> None:
    declared = {key: set(names) for key, names in registry.get(name).dataset.labels.items()}
    said: dict[str, set[str]] = {}
    others: set[str] = set()
    for entry in facts.get("codes", []):
        prefix = f"{entry['label']}/" if "label" in entry else ""
        for code, (_, *names) in entry["values"].items():
            said.setdefault(f"{prefix}{code}", set(names))
        others |= set(entry.get("others", ()))
    for key, names in declared.items():
        assert names == (others if key not in said and others else said.get(key)), f"{key!r}: {names}"


def test_no_fact_is_idle(name: str, facts: Facts) -> None:
    declared = set(registry.get(name).dataset.labels)
    for entry in facts.get("codes", []):
        prefix = f"{entry['label']}/" if "label" in entry else ""
        seen: set[str] = set()
        for row, row_text in rows(name):
            if of_row([entry], row, row_text) and (found := told(entry, row, row_text)):
                seen |= found[0]
        idle = [code for code in map(str, entry["values"]) if code not in seen and f"{prefix}{code}" not in declared]
        assert set(idle) == set(entry.get("unseen", {})), "neither in a row nor in the declaration"


def test_measures(name: str, facts: Facts) -> None:
    said = facts.get("measures", {})
    seen = set()
    for row, _ in rows(name):
        for measure in row["label"]["measures"]:
            fact = said[measure["name"]]
            assert measure["unit"] == fact["unit"], measure
            source = row["label"]["source"]
            cells = [source[key] for key in fact.get("from", ()) if key in source]
            cells += [row["meta"][key] for key in fact.get("from_meta", ()) if key in row["meta"]]
            assert cells or not {"from", "from_meta"} & fact.keys(), row["id"]
            assert not cells or measure["value"] == pytest.approx(float(cells[0])), row["id"]
            seen.add(measure["name"])
    assert seen == set(said)


@pytest.mark.parametrize("kind", ["points", "boxes"])
def test_points_and_boxes(name: str, facts: Facts, kind: str) -> None:
    found = {one["name"] for row, _ in rows(name) for one in row["label"][kind]}
    assert found == set(facts.get(kind, ()))


@pytest.mark.parametrize("id_", sorted({*LICENSES, *licenses.known()}))
def test_a_license_lets_publish_what_its_text_says(id_: str) -> None:
    license, said = licenses.get(id_), LICENSES[id_]
    assert license.publish == said["publish"]
    for key in ("adapt", "commercial", "share_alike"):
        assert getattr(license, key) is said[key], key


def test_a_row_is_publishable_as_its_own_license_says(name: str, mini: Miniature) -> None:
    for record in mini.records:
        assert record.publishable == (LICENSES[record.license]["publish"] != "recipe")
