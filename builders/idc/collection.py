"""Any collection of the Imaging Data Commons: declaration and rows follow from its index.

Names are `idc/<collection>` or `idc/<collection>?modality=CT&license=CC-BY-4.0`. Configs keep apart what cannot
stand together: volumes, single images, cines and slides; terms that allow commercial use and terms that do not; the
collection's own drawings and those of each analysis result.
"""

import functools
import re
from itertools import groupby

from medimg import licenses
from medimg.builders import _tcia
from medimg.builders.idc import index, phantom
from medimg.builders.idc.index import DIMENSION, OBJECTS, body, kind, modality, one_of, strictest
from medimg.builders.idc.series import READ, TITLE, excluded, unknown
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Source
from medimg.errors import MedimgError
from medimg.readers import rtstruct
from medimg.schema import Skipped, skipped
from medimg.text import slug

SAME = {_tcia.collection(name): ((name, "the same collection"),) for name in _tcia.COMMONS} | {
    "c4kc_kits": (("kits19", "its 210 training cases"),)
}
"""Collections of which there is a builder by hand."""


class CommonsCollection:
    """A collection in the place of a builder's module."""

    def __init__(self, selection):
        self.selection = selection
        self.about = index.collections()[selection.collection]
        self.ADDRESS = f"idc/{selection.text}"
        self.__doc__ = f"{self.about.title}: a collection of the Imaging Data Commons.\n\n{self.about.description}"

    @functools.cached_property
    def series(self):
        """Of the selection."""
        return index.series(self.selection)

    @functools.cached_property
    def INDEX(self):
        """What the index says of these series, on which rows and miniature depend."""
        return "\n".join(map(repr, self.series))

    @functools.cached_property
    def wanted(self):
        """(kind, whether commercial use is allowed, analysis) -> (series, licenses), of what can become rows."""
        found = {}
        for _, held in index.patients(self.series):
            objects = {(one.analysis, one.license) for one in held if one.modality in OBJECTS}
            for one in held:
                if (what := kind(one)) is None:
                    continue
                drawings = [("", one.license)] + (sorted(objects) if what == "volumes" else [])
                for key, group in groupby(drawings, key=lambda drawing: drawing[0]):
                    for terms in {strictest(one.license, other) for _, other in group}:
                        entry = found.setdefault((what, commercial(terms), key), [0, set()])
                        entry[0] += 1
                        entry[1].add(terms)
        order = list(DIMENSION)
        return dict(sorted(found.items(), key=lambda one: (one[0][2], order.index(one[0][0]), not one[0][1])))

    @functools.cached_property
    def configs(self):
        """(kind, commercial, analysis) -> name of the config; all "default" where there is only one."""
        if len(self.wanted) == 1:
            return dict.fromkeys(self.wanted, "default")
        apart = {(what, by) for what, free, by in self.wanted if not free} & {
            (what, by) for what, free, by in self.wanted if free
        }
        names = {}
        for what, free, analysis in self.wanted:
            parts = [what, analysis.replace("_", "-"), "" if free or (what, analysis) not in apart else "nc"]
            names[what, free, analysis] = "-".join(part for part in parts if part)
        return names

    @functools.cached_property
    def DATASET(self):
        """The declaration."""
        terms = {one for _, found in self.wanted.values() for one in found}
        shown = {}
        for one in self.series:
            if what := kind(one):
                shown.setdefault(what, set()).add(modality(one))
        results = "; ".join(part.citation for part in self.about.sources[1:])
        drawn_on = any(one.modality in OBJECTS for one in self.series)
        configs = [
            Config(
                name=name,
                title=TITLE[what] + (f", {analysis}" if analysis else "") + ("" if free else ", non-commercial"),
                dimension=DIMENSION[what],
                modality=tuple(sorted(shown[what])),
                license=one_of(self.wanted[what, free, analysis][1]),
                # Which series an analysis was drawn on stands in its objects only.
                splits={"train": 0 if analysis else self.wanted[what, free, analysis][0]},
            )
            for (what, free, analysis), name in self.configs.items()
        ]
        if not configs:
            configs = [Config(name="default", title="Nothing", splits={"train": 0})]
            shown = {"volumes": {"CT"}}
        filters = [f"{key}-{value}" for key, value in self.selection.filters]
        narrowed = f" ({', '.join(f'{key} {value}' for key, value in self.selection.filters)})" if filters else ""
        return Dataset(
            name=slug("-".join(["idc", self.selection.collection, *filters])),
            title=f"{self.about.title}, Imaging Data Commons{narrowed}",
            aliases=(self.ADDRESS,),
            dimension=DIMENSION.get(next(iter(self.wanted), ("volumes",))[0]),
            modality=tuple(sorted(set().union(*shown.values()))),
            organ=self.organs,
            task=("segmentation",) if drawn_on else (),
            license=one_of(terms),
            homepage=index.HOME + self.selection.collection,
            citation=cited(self.about),
            sources=(Source(url=f"idc://{self.selection.text}"),),
            splits=configs[0].splits if len(configs) == 1 else {},
            configs=tuple(configs) if len(configs) > 1 else (),
            subject="PatientID of the DICOM header",
            overlaps=tuple(
                Overlap(dataset=name, relation=relation, evidence="the collection's description in the index")
                for name, relation in SAME.get(self.selection.collection, ())
            ),
            keys="SeriesInstanceUID; series_aws_url; level; x; y; downsample; tissue; frame; direction; objects; "
            "object; license; parts; value; number; name; type; category; anatomy; modifiers; combinations",
            evidence=Evidence(
                layout=f"idc-index-data {index.version()}, collection {self.selection.collection}",
                labels="codes of the segments in each DICOM SEG (SNOMED CT), else names of segments and structures "
                "that the vocabulary has for a place or a lesion; others are an unmapped structure, named in "
                "label.source",
                license=f"license_short_name of each series in idc-index-data {index.version()}",
                subject=f"PatientID in idc-index-data {index.version()}",
            ),
            notes=(
                "Built from the index and the DICOM headers; nobody has looked at this collection by hand.",
                "A row has the license of its series, or that of what was drawn on it where this is stricter.",
                "Series of one patient are several rows: keep all rows of a patient in one split.",
                *([f"Cite the analysis results beside the collection: {results}."] if results else []),
            ),
            bad_files="quarantine",
        )

    @functools.cached_property
    def organs(self):
        """Of the index: regions of the series, else the sites of the tumors."""
        regions = {one.body_part for one in self.series if kind(one) and one.body_part}
        found = {organ for region in regions for organ in body(region)}
        for text in () if found else re.split(r"[,;]", self.about.locations):
            found.update(body(text.strip()))
        return tuple(sorted(found))

    def rows(self, files, config=None):
        """Rows and skipped files of one config, or of all."""
        known = {one.uid: one for one in self.series}
        for folders in _tcia.patients(files):
            images, objects = [], {}
            for members in folders:
                said = re.search(r"_([\d.]+)$", members[0].parent)
                one = known.get(said[1]) if said else None
                if one is None:
                    _, tags = _tcia.headed(members)
                    one = known.get(tags.get("SeriesInstanceUID"))
                if one is None:
                    yield from skipped(members, unknown(tags))
                elif one.modality in OBJECTS:
                    objects.setdefault(one.analysis, []).append((members, one))
                elif (what := kind(one)) is None:
                    yield from skipped(members, excluded(one))
                else:
                    images.append((members, one, what))
            yield from self._patient(files, images, objects, config)

    def _patient(self, files, images, objects, config):
        drawings, used = {}, set()
        asked = {analysis for (_, _, analysis), name in self.configs.items() if config in (None, name)}
        for analysis in asked & set(objects):
            for members, one in objects[analysis]:
                for file in members:
                    try:
                        for uid in rtstruct.references(file):
                            drawings.setdefault((uid, analysis), []).append((file, one))
                    except MedimgError as error:
                        used.add(file)
                        yield Skipped(file=file, reason=f"quarantined: {error.problem}")
        for members, one, what in images:
            for analysis in ("", *sorted(asked - {""})):
                held = drawings.get((one.uid, analysis), ()) if what == "volumes" else ()
                if analysis and not held:
                    continue
                terms = functools.reduce(strictest, (other.license for _, other in held), one.license)
                name = self.configs.get((what, commercial(terms), analysis))
                if name is None or config not in (None, name):
                    continue
                used.update(file for file, _ in held)
                fields = {"config": name, "license": terms, "organ": body(one.body_part) or None}
                with files.row(*members):
                    yield from READ[what](members, one, fields, held)
        for analysis in asked & set(objects):
            for members, _ in objects[analysis]:
                left = [file for file in members if file not in used]
                yield from skipped(left, "drawn on no volume of this copy, or not said on which series")

    def miniature(self, make):
        """Patients of which each config has rows."""
        for patient, held in self._examples():
            phantom.patient(make, patient, held)

    def _examples(self):
        """Patients, each with few series, until every config is met."""
        missing = set(self.configs)
        for patient, held in index.patients(self.series):
            mine = [one for one in held if kind(one)]
            objects = [one for one in held if one.modality in OBJECTS]
            met = {
                key
                for one in mine
                for analysis, other in [("", one), *((each.analysis, each) for each in objects)]
                if (key := (kind(one), commercial(strictest(one.license, other.license)), analysis)) in missing
            }
            if not met:
                continue
            missing -= met
            few = len(mine) + len(objects) <= phantom.MOST
            picked = {}
            for one in [*mine, *objects]:
                picked.setdefault((one.modality, kind(one), one.analysis, one.license), []).append(one)
            taken = [one for some in picked.values() for one in (some if few else some[:2])]
            yield patient, taken[: phantom.MOST]
            if not missing:
                return


def commercial(id):
    """Whether a license allows commercial use."""
    return licenses.get(id).commercial is True


def cited(about):
    """The citation of the collection; the index has one text."""
    first = about.sources[0] if about.sources else index.Reference(about.title, "", about.title)
    year = re.search(r"\b(19|20)\d\d\b", first.citation)
    return Citation(
        title=first.title,
        authors=first.citation.split(" (")[0],
        year=int(year[0]) if year else 0,
        venue="Imaging Data Commons",
        doi=first.doi or None,
    )
