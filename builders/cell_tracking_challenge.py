"""Cell Tracking Challenge: time-lapse microscopy of moving and dividing cells, twenty sets in 2-D and 3-D.

Frames are outlined cell by cell, by hand in some frames and by computer in all of some sets; markers follow every
cell and its daughters through the sequence.
"""

import re

from medimg.builders import _ctc
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import raster, tables, volumes
from medimg.schema import Row, Skipped

HOST = "http://data.celltrackingchallenge.net"
LOADER = "constantinpape/torch-em:torch_em/data/datasets/light_microscopy/ctc.py@6f71247c"
PAGE = "http://celltrackingchallenge.net/datasets/"
SETS = {name: _ctc.solid(name) for name in _ctc.TRAINING}
FRAMES = {"train": 0, "test": 0}
SET = r"(?:(?:^|/)(train|test)[^/]*/(?:[^/]+/)*?)?(" + "|".join(map(re.escape, SETS)) + r")/(\d\d)"

DATASET = Dataset(
    name="cell-tracking-challenge",
    title="Cell Tracking Challenge",
    aliases=("CTC", "ISBI Cell Tracking Challenge", "Cell Tracking", "ISBI细胞跟踪"),
    dimension="2d",
    modality=("microscopy", "fluorescence microscopy", "phase-contrast microscopy"),
    organ="cell",
    task=("instance segmentation", "tracking"),
    license="LicenseRef-Cell-Tracking-Challenge",
    homepage="http://celltrackingchallenge.net/",
    citation=Citation(
        title="An objective comparison of cell-tracking algorithms",
        authors="Ulman V, Maška M, Magnusson KEG, et al.",
        venue="Nature Methods 14:1141-1152",
        year=2017,
        doi="10.1038/nmeth.4473",
    ),
    sources=(
        *(
            Source(url=f"{HOST}/{part}-datasets/{name}.zip", path=f"{part}/{name}.zip", sha256=digest)
            for part, sets in (("training", _ctc.TRAINING), ("test", _ctc.TEST))
            for name, digest in sets.items()
        ),
        Source(url=PAGE, kind="page"),
    ),
    splits=FRAMES,
    configs=_ctc.configs(FRAMES),
    parts=_ctc.parts(),
    subject="set, part and sequence (01, 02): frames of one sequence belong together",
    keys="sequence; time; truth; slice",
    evidence=Evidence(
        layout=f"{LOADER}; {PAGE}",
        labels=f"{LOADER}; {PAGE} (SEG, TRA, ST; man_track.txt: label, first and last frame, parent)",
        license=f"{PAGE} (use beyond the challenge needs permission of each data provider)",
        subject=PAGE,
    ),
    notes=(
        "Each frame is a row; `meta` has its sequence and time. Truth says gold (by hand) or silver (by computer).",
        "The gold truth has few frames; frames without a mask are not empty.",
        "Training and test archives have the same names: keep them in folders training and test.",
        "Configs tracks-2d and tracks-3d have the markers of every frame, whose values follow a cell through the "
        "sequence; `source` has the lines of man_track.txt that concern the frame.",
        "Voxel sizes are on the site, not in the files. Fluo-N3DL-TRIF is 320 GB.",
    ),
)


def rows(files):
    truths, slices, tracks = {}, {}, {}
    pattern = SET + r"_(GT|ST)/(SEG|TRA)/man_(?:seg|track)_?(\d+)(?:_(\d+))?\.tif$"
    for file, *key, kind, what, time, page in files.match(pattern):
        where = (*key, int(time))
        if page:
            slices.setdefault(where, []).append((int(page), file))
        else:
            truths.setdefault(where, {})["TRA" if what == "TRA" else kind] = file
    for file, *key in files.match(SET + r"_GT/TRA/man_track\.txt$"):
        tracks[tuple(key)] = [[int(cell) for cell in line.split()] for line in tables.lines(file)]
    trained = {key[:3] for key in truths}
    for file, part, name, sequence, digits in files.match(SET + r"/t(\d+)\.tif$"):
        time, solid = int(digits), SETS[name]
        found = truths.pop((part, name, sequence, time), {})
        train = part == "train" or (part is None and (part, name, sequence) in trained)
        split = "train" if train else "test"
        row = {
            "split": split,
            "subject": f"{name}/{split}/{sequence}",
            "modality": _ctc.MODALITIES[name.split("-")[0]],
            "spacing": (),
        }
        cells = {"instances": True, "legend": _ctc.legend(name)}
        meta, frame = {"sequence": sequence, "time": time}, f"{split}-{sequence}-t{digits}"
        image, read = (raster.stack(file), _volume) if solid else (file, lambda mask: mask)
        gold, silver = found.get("GT"), found.get("ST")
        truth = {} if not (gold or silver) else {"mask": read(gold or silver), **cells}
        said = {"truth": "gold" if gold else "silver"} if truth else {}
        yield Row(id=frame, config=name, image=image, meta=meta | said, **row, **truth)
        if gold and silver:
            yield Skipped(file=silver, reason="silver truth of a frame that has gold truth")
        if marks := found.get("TRA"):
            known = [line for line in tracks.get((part, name, sequence), []) if line[1] <= time <= line[2]]
            config = "tracks-3d" if solid else "tracks-2d"
            truth = {"mask": read(marks), "source": known or None, **cells}
            yield Row(id=f"{name}-{frame}", config=config, image=image, meta=meta, **row, **truth)
        for page, mask in slices.pop((part, name, sequence, time), []):
            own = {"id": f"{name}-{frame}-z{page}", "config": "slices", "meta": meta | {"slice": page}}
            yield Row(image=raster.picture(file, page=page), mask=mask, **own, **row, **cells)
    left = [file for found in truths.values() for file in found.values()]
    for file in (*left, *(mask for found in slices.values() for _, mask in found)):
        yield Skipped(file=file, reason="truth whose frame is not in this copy")


def _volume(mask):
    return volumes.mask(raster.stack(mask))


def miniature(make):
    _ctc.miniature(make)
