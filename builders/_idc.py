"""Any collection of the Imaging Data Commons: declaration and rows follow from its index.

Names are `idc/<collection>` or `idc/<collection>?modality=CT&license=CC-BY-4.0`. Sub-collections keep apart what cannot
stand together: volumes, single images, cines and slides; terms that allow commercial use and terms that do not; the
collection's own drawings and those of each analysis result.
"""

import functools
import re
from itertools import groupby

from medimg import idc, licenses, vocab
from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Source
from medimg.errors import MedimgError, UnknownTermError
from medimg.readers import dicom, dicom_slides, drawn, rtstruct
from medimg.schema import Row, Skipped

HOME = "https://portal.imaging.datacommons.cancer.gov/explore/filters/?collection_id="
CAPTURE, RAW = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66"
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
CINES = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(3\.1|7\.[1-4]|12\.[12]|12\.1\.1|13\.1\.[45]|20)")
"""Multi-frame ultrasound and captures, angiography and fluoroscopy, tomosynthesis projections, nuclear medicine."""
DIMENSION = {"volumes": "3d", "images": "2d", "cines": "3d", "slides": "2d"}
TITLE = {"volumes": "Volumes", "images": "Single images", "cines": "Frames in order", "slides": "Slides"}
REGIONS = {
    "CHESTABDPELVIS": ("chest", "abdomen", "pelvis"),
    "CHESTABDOMEN": ("chest", "abdomen"),
    "ABDOMENPELVIS": ("abdomen", "pelvis"),
    "NECKCHESTABDPELV": ("neck", "chest", "abdomen", "pelvis"),
    "NECKCHESTABDOMEN": ("neck", "chest", "abdomen"),
    "NECKCHEST": ("neck", "chest"),
}
"""DICOM's terms for several regions (PS3.16 annex L)."""
SAME = {_tcia.collection(slug): ((slug, "the same collection"),) for slug in _tcia.COMMONS} | {
    "c4kc_kits": (("kits19", "its 210 training cases"),)
}
"""Collections of which there is a builder by hand."""
MINIATURE = 24
"""Most series of a patient in a miniature."""
UNMAPPED = ("unmapped structure",)


@functools.lru_cache(maxsize=64)
def find(name):
    """What stands for a builder's module: `idc/<collection>[?filters]`, or `idc-<collection>`.

    Raises:
        UnknownDatasetError: no such collection, or a filter that there is not.
        MissingExtraError: the index is not installed.
    """
    return Collection(idc.parse(name[4:]))


class Collection:
    """A collection in the place of a builder's module."""

    def __init__(self, selection):
        self.selection = selection
        self.about = idc.collections()[selection.collection]
        self.ADDRESS = f"idc/{selection.text}"
        self.__doc__ = (
            f"{self.about.title}: a collection of the Imaging Data Commons.\n\n{self.about.description}"
        )
        self.__name__ = f"{__name__}.{selection.collection}"

    @functools.cached_property
    def series(self):
        return idc.series(self.selection)

    @functools.cached_property
    def wanted(self):
        """(kind, whether commercial use is allowed, analysis) -> (series, licenses), of what can become rows."""
        found = {}
        for _, held in idc.patients(self.series):
            objects = {(one.analysis, one.license) for one in held if one.modality in idc.OBJECTS}
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
        """(kind, commercial, analysis) -> name of the sub-collection; all "default" where there is only one."""
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
        terms = {one for _, found in self.wanted.values() for one in found}
        shown = {kind(one): set() for one in self.series if kind(one)}
        for one in self.series:
            if kind(one):
                shown[kind(one)].add(modality(one))
        organs = self.organs
        drawn_on = any(one.modality in idc.OBJECTS for one in self.series)
        configs = [
            Config(
                name=name,
                title=TITLE[what]
                + (f", {analysis}" if analysis else "")
                + ("" if free else ", non-commercial"),
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
        slug = "-".join(["idc", self.selection.collection, *filters]).lower()
        narrowed = (
            f" ({', '.join(f'{key} {value}' for key, value in self.selection.filters)})" if filters else ""
        )
        return Dataset(
            name=re.sub(r"[^a-z0-9]+", "-", slug).strip("-"),
            title=f"{self.about.title}, Imaging Data Commons{narrowed}",
            aliases=(self.ADDRESS,),
            dimension=DIMENSION.get(next(iter(self.wanted), ("volumes",))[0]),
            modality=tuple(sorted(set().union(*shown.values()))),
            organ=organs,
            task=("segmentation",) if drawn_on else (),
            license=one_of(terms),
            homepage=HOME + self.selection.collection,
            citation=cited(self.about),
            sources=(Source(url=f"idc://{self.selection.text}"),),
            splits=configs[0].splits if len(configs) == 1 else {},
            configs=tuple(configs) if len(configs) > 1 else (),
            subject="PatientID of the DICOM header",
            overlaps=tuple(
                Overlap(dataset=slug, relation=relation, evidence="the collection's description in the index")
                for slug, relation in SAME.get(self.selection.collection, ())
            ),
            evidence=Evidence(
                layout=f"idc-index-data {idc.version()}, collection {self.selection.collection}",
                labels="codes of the segments in each DICOM SEG (SNOMED CT), else names of segments and structures "
                "that are synonyms in the vocabulary; others are an unmapped structure, named in label.source",
                license=f"license_short_name of each series in idc-index-data {idc.version()}",
                subject=f"PatientID in idc-index-data {idc.version()}",
            ),
            notes=(
                "Built from the index and the DICOM headers; nobody has looked at this collection by hand.",
                "A row has the license of its series, or that of what was drawn on it where this is stricter.",
                "Series of one patient are several rows: keep all rows of a patient in one split.",
                *(
                    (
                        "Cite the analysis results beside the collection: "
                        + "; ".join(part.citation for part in self.about.sources[1:])
                        + ".",
                    )
                    if self.about.sources[1:]
                    else ()
                ),
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
        known = idc.by_uid(self.series)
        for folders in _tcia.patients(files):
            images, objects = [], {}
            for members in folders:
                said = re.search(r"_([\d.]+)$", members[0].parent)
                one = known.get(said[1]) if said else None
                if one is None:
                    uid = uid_of(members[0])
                    one = known.get(uid) if uid else None
                if one is None:
                    what = "unreadable" if said is None and not uid else "not in the index, or not selected"
                    yield from _tcia.skipped(members, f"{what}: so its license is not known")
                elif one.modality in idc.OBJECTS:
                    objects.setdefault(one.analysis, []).append((members, one))
                elif (what := kind(one)) is None:
                    yield from _tcia.skipped(members, excluded(one))
                else:
                    images.append((members, one, what))
            yield from self._patient(images, objects, config)

    def _patient(self, images, objects, config):
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
                yield from READ[what](members, one, fields, held)
        for analysis in asked & set(objects):
            for members, _ in objects[analysis]:
                left = [file for file in members if file not in used]
                yield from _tcia.skipped(left, "drawn on no volume of this copy, or not said on which series")

    def miniature(self, make):
        """A patient of each sub-collection, if need be: real identifiers, phantom pixels."""
        for patient, held in self._examples():
            written = {}
            for one in (each for each in held if kind(each)):
                written[one.uid] = PHANTOM[kind(one)](make, one)
            volumes = [one for one in held if kind(one) == "volumes"]
            for one in (each for each in held if each.modality in idc.OBJECTS and volumes):
                near = next((each for each in volumes if each.study == one.study), volumes[0])
                path = f"{one.folder}/i{one.uid[-12:]}.dcm"
                tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study}
                if one.modality == "RTSTRUCT":
                    rois = {"GTV-1": [(1, 3, 6)], "Outline": [(0, 1, 9), (1, 1, 9)], "iso": [(0, 4, 4)]}
                    _tcia_phantom.structures(make, path, written[near.uid], rois, patient, **tags)
                else:
                    _tcia_phantom.segmentation(
                        make,
                        path,
                        written[near.uid],
                        {"1": [(1, 3, 6), (2, 3, 6)], "2": [(1, 5, 9)]},
                        patient,
                        **tags,
                        SegmentSequence=SEGMENTS,
                    )

    def _examples(self):
        """Patients, each with few series, until every sub-collection is met."""
        missing = set(self.configs)
        for patient, held in idc.patients(self.series):
            mine = [one for one in held if kind(one)]
            objects = [one for one in held if one.modality in idc.OBJECTS]
            met = {
                key
                for one in mine
                for analysis, other in [("", one), *((each.analysis, each) for each in objects)]
                if (key := (kind(one), commercial(strictest(one.license, other.license)), analysis))
                in missing
            }
            if not met:
                continue
            missing -= met
            picked = {}
            for one in [*mine, *objects]:
                picked.setdefault((one.modality, kind(one), one.analysis, one.license), []).append(one)
            few = len(mine) + len(objects) <= MINIATURE
            yield (
                patient,
                [one for some in picked.values() for one in (some if few else some[:2])][:MINIATURE],
            )
            if not missing:
                return


def kind(series):
    """volumes, images, cines or slides; None for what is no image of its own."""
    if series.modality in idc.NO_IMAGES or series.sop_class == RAW:
        return None
    if series.modality == "SM":
        return "slides"
    if CINES.fullmatch(series.sop_class):
        return "cines"
    if series.modality in ("CT", "MR", "PT"):
        return None if series.sop_class.startswith(CAPTURE) else "volumes"
    return "volumes" if series.sop_class == TOMOSYNTHESIS else "images"


def excluded(series):
    """Why a series is no row."""
    if series.sop_class == RAW:
        return "raw data, no image"
    if series.modality in ("CT", "MR", "PT"):
        return "a secondary capture: a picture of a screen"
    return _tcia.SUPPLEMENTS.get(series.modality, f"{series.modality}, no image of its own")


def modality(series):
    """Vocabulary id of a series' modality."""
    if series.sop_class == TOMOSYNTHESIS:
        return "digital breast tomosynthesis"
    return vocab.modality.resolve("whole-slide image" if series.modality == "SM" else series.modality)


@functools.cache
def body(region):
    """Vocabulary ids of a body part; () where it is none."""
    if region.upper() in REGIONS:
        return REGIONS[region.upper()]
    try:
        return (vocab.organ.resolve(region),) if region else ()
    except UnknownTermError:
        return ()


def commercial(id):
    """Whether a license allows commercial use."""
    return licenses.get(id).commercial is True


@functools.cache
def strictest(one, other):
    """The license that restricts more; what is not published restricts most."""
    if one == other:
        return one
    return licenses.combine([one, other], adapted=False, pushed=False).strictest


def one_of(ids):
    """The only license, or that every row states its own."""
    return next(iter(ids)) if len(ids) == 1 else licenses.PER_ROW if ids else licenses.UNKNOWN


def cited(about):
    """The citation of the collection; the index has one text."""
    text = about.sources[0].citation if about.sources else about.title
    year = re.search(r"\b(19|20)\d\d\b", text)
    return Citation(
        title=about.sources[0].title if about.sources else about.title,
        authors=text.split(" (")[0],
        year=int(year[0]) if year else 0,
        venue="Imaging Data Commons",
        doi=(about.sources[0].doi or None) if about.sources else None,
    )


def uid_of(file):
    """SeriesInstanceUID of a file, None where it cannot be read."""
    try:
        return next(dicom.headers([file]))[1].get("SeriesInstanceUID")
    except MedimgError:
        return None


@functools.cache
def _codes():
    return {term.snomed: id for id in vocab.label if (term := vocab.label[id]).snomed}


def _called(text):
    """The vocabulary's name of a text, None where it has none."""
    try:
        return vocab.label.resolve(text) if text else None
    except UnknownTermError:
        return None


def _coded(code):
    if code is None:
        return None
    return _codes().get(dicom.snomed(code)) or _called(code.meaning)


def names(part):
    """Canonical names of what was drawn: by code, with side and place where the vocabulary has such a term."""
    if part.segment is None:
        return (_called(part.name),) if _called(part.name) else UNMAPPED
    kind = _coded(part.segment.type)
    if kind is None:
        return (_called(part.name),) if _called(part.name) else UNMAPPED
    sides = [code.meaning for code in part.segment.modifiers]
    places = [_coded(code) for code in part.segment.anatomy]
    for word in [*sides, *(place for place in places if place)]:
        if narrower := _called(f"{word} {kind}"):
            return (narrower,)
    return (kind,)


def _volumes(members, one, fields, held):
    said = {}
    try:
        _, tags = next(dicom.headers(members[:1]))
    except MedimgError as error:
        yield from _tcia.skipped(members, f"quarantined: {error.problem}")
        return
    if reason := "a localizer" if "LOCALIZER" in str(tags.get("ImageType", "")).upper() else None:
        yield from _tcia.skipped(members, reason)
        return
    single = len(members) == 1
    if single and int(tags.get("NumberOfFrames") or 1) < 2:
        yield from _tcia.skipped(members, "a series of one image: a scout, no volume")
        return
    for apart, part in [({}, members)] if single else _tcia.frames(members):
        image = dicom.multiframe(part[0], allow_gaps=True) if single else dicom.series(part, allow_gaps=True)
        label = {"assessed": ()}
        if held:
            drawing = drawn.drawing(image, [file for file, _ in held], names)
            try:
                label = _label(drawing, held)
            except MedimgError as error:  # of the image: its row tells
                said.setdefault(held[0][0], error.problem)
            for file, problem in drawing.failed.items() if label["assessed"] else ():
                said.setdefault(file, problem)
        yield Row(
            id="_".join([one.patient, one.uid, *(f"{key}-{value}" for key, value in apart.items())]),
            subject=one.patient,
            image=image,
            modality=modality(one),
            meta=_meta(one, tags) | apart,
            **fields,
            **label,
        )
    for file, problem in said.items():
        yield Skipped(file=file, reason=f"left out of the mask: {problem}")


def _label(drawing, held):
    objects = {file: {"object": file.path, "license": one.license, "parts": []} for file, one in held}
    for value, part in enumerate(drawing.parts, 1):
        entry = {"value": value, "number": part.number, "name": part.name}
        if part.segment is not None:
            coded = {"type": part.segment.type, "category": part.segment.category}
            entry |= {key: list(code) for key, code in coded.items() if code}
            lists = {"anatomy": part.segment.anatomy, "modifiers": part.segment.modifiers}
            entry |= {key: [list(code) for code in codes] for key, codes in lists.items() if codes}
        objects[part.file]["parts"].append(entry)
    source = {"objects": [one for one in objects.values() if one["parts"]]}
    if drawing.combinations:
        source["combinations"] = drawing.combinations
    if not drawing.parts:
        return {"assessed": ()}
    return {
        "mask": drawing.mask,
        "legend": drawing.legend,
        "assessed": drawing.assessed,
        "source": source,
    }


def _images(members, one, fields, held):
    for n, file in enumerate(members, 1):
        yield Row(
            id="_".join([one.patient, one.uid, *([str(n)] if len(members) > 1 else [])]),
            subject=one.patient,
            image=dicom.picture(file),
            modality=modality(one),
            assessed=(),
            meta=_meta(one),
            **fields,
        )


def _cines(members, one, fields, held):
    for row in _images(members, one, fields, held):
        (file,) = row.image.files()
        yield row.model_copy(update={"image": dicom.multiframe(file, allow_gaps=True)})


def _slides(members, one, fields, held):
    used = None
    try:
        for tile, place in dicom_slides.tiles(members):
            (used,) = tile.files()
            yield Row(
                id=f"{one.patient}_{one.uid}_{place.level}-{place.x}-{place.y}",
                subject=one.patient,
                image=tile,
                modality=modality(one),
                assessed=(),
                meta=_meta(one) | place.meta,
                **fields,
            )
    except MedimgError as error:
        yield from _tcia.skipped(members, f"quarantined: {error.problem}")
        return
    reason = "another resolution of the slide, or its label" if used else "a slide without tissue"
    yield from _tcia.skipped([file for file in members if file != used], reason)


def _meta(one, tags=None):
    about = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "series_aws_url": one.address}
    return about | (_tcia.said(tags) if tags else {})


READ = {"volumes": _volumes, "images": _images, "cines": _cines, "slides": _slides}


def _phantom_volume(make, one):
    tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "SOPClassUID": one.sop_class}
    more = {"intercept": -1024 if one.modality == "CT" else 0}
    return make.dicom_series(
        one.folder,
        4,
        modality=one.modality,
        patient=one.patient,
        names=f"i{one.uid[-6:]}-{{:04d}}.dcm",
        tags=tags | ({"BodyPartExamined": one.body_part} if one.body_part else {}),
        **more,
    )


def _phantom_image(make, one, frames=1):
    tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "SOPClassUID": one.sop_class}
    more = {"NumberOfFrames": frames} if frames > 1 else {}
    size = (16, 12 * frames)
    make.dicom(
        f"{one.folder}/i{one.uid[-6:]}.dcm",
        size,
        modality=one.modality,
        patient=one.patient,
        dtype="uint16",
        tags=tags | more | ({"Rows": 12} if frames > 1 else {}),
    )


def _phantom_slide(make, one):
    for scale in (1, 2):
        spacing = {"PixelMeasuresSequence": [{"PixelSpacing": [0.0005 * scale, 0.0005 * scale]}]}
        _tcia_phantom.slide(
            make,
            f"{one.folder}/i{one.uid[-6:]}-{scale}.dcm",
            one.patient,
            (72 // scale, 40 // scale),
            SeriesInstanceUID=one.uid,
            StudyInstanceUID=one.study,
            SharedFunctionalGroupsSequence=[spacing],
        )


PHANTOM = {
    "volumes": _phantom_volume,
    "images": _phantom_image,
    "cines": functools.partial(_phantom_image, frames=3),
    "slides": _phantom_slide,
}


def _item(value, meaning):
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}


SEGMENTS = [
    {
        "SegmentNumber": number,
        "SegmentLabel": meaning,
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": [_item("49755003", "Morphologically Altered Structure")],
        "SegmentedPropertyTypeCodeSequence": [_item(code, meaning)],
    }
    for number, (code, meaning) in enumerate([("108369006", "Neoplasm"), ("0", "Phantom structure")], 1)
]
