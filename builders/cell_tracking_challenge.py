"""Cell Tracking Challenge: time-lapse microscopy of moving and dividing cells, twenty sets in 2-D and 3-D.

Frames are outlined cell by cell, by hand in some frames and by computer in all of some sets; markers follow every
cell and its daughters through the sequence.
"""

import re

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.join import Join, Lookup, Partner
from medimg.readers import raster, slide_files, tables, volumes
from medimg.schema import Row, Skipped

TRAINING = {
    "BF-C2DL-HSC": "0aa68ec37a9b06e72a5dfa07d809f56e1775157fb674bb75ff904936149657b1",
    "BF-C2DL-MuSC": "ca72b59042809120578a198ba236e5ed3504dd6a122ef969428b7c64f0a5e67d",
    "DIC-C2DH-HeLa": "832fed2d05bb7488cf9c51a2994b75f8f3f53b3c3098856211f2d39023c34e1a",
    "Fluo-C2DL-Huh7": "1912658c1b3d8b38b314eb658b559e7b39c256917150e9b3dd8bfdc77347617d",
    "Fluo-C2DL-MSC": "a083521f0cb673ae02d4957c5e6580c2e021943ef88101f6a2f61b944d671af2",
    "Fluo-N2DH-GOWT1": "1a7bd9a7d1d10c4122c7782427b437246fb69cc3322a975485c04e206f64fc2c",
    "Fluo-N2DH-SIM+": "3e809148c87ace80c72f563b56c35e0d9448dcdeb461a09c83f61e93f5e40ec8",
    "Fluo-N2DL-HeLa": "35dd99d58e071aba0b03880128d920bd1c063783cc280f9531fbdc5be614c82e",
    "PhC-C2DH-U373": "b18185c18fce54e8eeb93e4bbb9b201d757add9409bbf2283b8114185a11bc9e",
    "PhC-C2DL-PSC": "9d54bb8febc8798934a21bf92e05d92f5e8557c87e28834b2832591cdda78422",
    "Fluo-C3DH-A549": "46be7a5403f98070218414e5b71a302f29f697ffcae68f45ecaea5d737076026",
    "Fluo-C3DH-A549-SIM": "321bd505854a4e3c9b8255cb903ecc48f43f14abd444448ef6945fc1ec9fa4cf",
    "Fluo-C3DH-H157": "9540984397dfb7129b5bff8177b7da11c497708421e6de2713c186b5b15a3c9b",
    "Fluo-C3DL-MDA231": "b1044eeaac644f1abfbf91d9b6c97bebfb02f4dee2b2a4aed60d0039a375aa84",
    "Fluo-N3DH-CE": "eb3d37cacb3b51d3a427a0c43deaaf1d60cf2eba009f12569e720c2c2fd1e04c",
    "Fluo-N3DH-CHO": "48d7e32b6408dddd04f1b6e4153e91f19181b405f4c75610629a25e05d40fe77",
    "Fluo-N3DH-SIM+": "f874a297a97ba2b144f2cbe9f06f66f57996251e89b17f7d5ef96a5d99d0fd11",
    "Fluo-N3DL-DRO": "57c3039b746116fa068e97f25bb14e8deaf3bd11528d61709c5ae31bc7fc7f11",
    "Fluo-N3DL-TRIC": "225f0ed3ba706d9c28101b01bd22ad96974ce2d2334d5c2bf7cddbf2236ec6bb",
    "Fluo-N3DL-TRIF": None,
}
"""Set -> sha256 of its training archive."""
TEST = {
    "BF-C2DL-HSC": "fd1c05ec625fd0526c8369d1139babe137e885457eee98c10d957da578d0d5bc",
    "BF-C2DL-MuSC": "c5cae259e6090e82a2596967fb54c8a768717c1772398f8546ad1c8df0820450",
    "DIC-C2DH-HeLa": "5e5d5f2aa90aef99d750cf03f5c12d799d50b892f98c86950e07a2c5955ac01f",
    "Fluo-C2DL-Huh7": "cc7359f8fb6b0c43995365e83ce0116d32f477ac644b2ca02b98bc253e2bcbbe",
    "Fluo-C2DL-MSC": "c90b13e603dde52f17801d4f0cadde04ed7f21cc05296b1f0957d92dbfc8ffa6",
    "Fluo-N2DH-GOWT1": "c6893ec2d63459de49d4dc21009b04275573403c62cc02e6ee8d0cb1a5068add",
    "Fluo-N2DH-SIM+": "c4f257add739b284d02176057814de345dee2ac1a7438e360ccd2df73618db68",
    "Fluo-N2DL-HeLa": "45cf3daf05e8495aa2ce0febacca4cf0928fab808c0b14ed2eb7289a819e6bb8",
    "PhC-C2DH-U373": "7aa3162e4363a416b259149adc13c9b09cb8aecfe8165eb1428dd534b66bec8a",
    "PhC-C2DL-PSC": "8c98ac6203e7490157ceb6aa1131d60a3863001b61fb75e784bc49d47ee264d5",
}
"""Set -> sha256 of its test archive, where it was looked up."""
MODALITIES = {
    "BF": "microscopy",
    "DIC": "microscopy",
    "Fluo": "fluorescence microscopy",
    "PhC": "phase-contrast microscopy",
}
"""First part of a set's name -> modality: bright field, differential interference contrast, ..."""
NUCLEI, CELLS = {1: ("nucleus",)}, {1: ("cell",)}
HOST = "http://data.celltrackingchallenge.net"
LOADER = "constantinpape/torch-em:torch_em/data/datasets/light_microscopy/ctc.py@6f71247c"
PAGE = "http://celltrackingchallenge.net/datasets/"
TRACKS = ("tracks-2d", "tracks-3d")
SEQUENCE = (
    r"(?:(?:^|/)(?P<part>train|test)[^/]*/(?:[^/]+/)*?)?"
    rf"(?P<set>{'|'.join(map(re.escape, TRAINING))})/(?P<sequence>\d\d)"
)


def legend(name):
    """Of the masks of a set: nuclei where its name says so (N2DH, N3DL), else whole cells."""
    return NUCLEI if "-N" in name else CELLS


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
            for part, sets in (("training", TRAINING), ("test", TEST))
            for name, digest in sets.items()
        ),
        Source(url=PAGE, kind="page"),
    ),
    splits={"train": 0, "test": 0},
    configs=(
        *(
            Config(
                name=name,
                title=name,
                dimension="3d" if "3D" in name else "2d",
                modality=MODALITIES[name.split("-")[0]],
                task="instance segmentation",
            )
            for name in TRAINING
        ),
        Config(
            name="slices",
            title="Single slices of volumes that were outlined",
            dimension="2d",
            task="instance segmentation",
            splits={"train": 0},
        ),
        *(
            Config(
                name=name,
                title=f"Markers of tracked cells, {name[-2]}-D sets",
                dimension=name[-2:],
                task="tracking",
                splits={"train": 0},
            )
            for name in TRACKS
        ),
    ),
    parts=(
        *(Part(config=name, legend=legend(name)) for name in TRAINING),
        # Only fluorescence shows nuclei alone.
        *(Part(config=TRACKS, legend=one, modality=MODALITIES["Fluo"]) for one in (NUCLEI, CELLS)),
        Part(config=TRACKS[0], legend=CELLS, modality=(MODALITIES["BF"], MODALITIES["PhC"])),
        *(Part(config="slices", legend=one) for one in (NUCLEI, CELLS)),
    ),
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


def frame(case):
    """(name, what all rows of a frame share)."""
    split = "train" if case.part == "train" or (case.part is None and case.trained) else "test"
    return f"{split}-{case.sequence}-{case.stem}", {
        "split": split,
        "subject": f"{case.set}/{split}/{case.sequence}",
        "modality": MODALITIES[case.set.split("-")[0]],
        "spacing": (),
    }


def row(case):
    solid = "3D" in case.set
    name, shared = frame(case)
    cells = {"instances": True, "legend": legend(case.set)}
    image = raster.stack(case.image) if solid else case.image
    meta = {"sequence": case.sequence, "time": int(case.time)}
    if truth := case.gold or case.silver:
        said = meta | {"truth": "gold" if case.gold else "silver"}
        mask = label_map(truth, solid)
        yield Row(id=name, config=case.set, image=image, mask=mask, meta=said, **shared, **cells)
    else:
        yield Row(id=name, config=case.set, image=image, meta=meta, **shared)
    if case.gold and case.silver:
        yield Skipped(file=case.silver, reason="silver truth of a frame that has gold truth")
    if case.marks:
        known = [line for line in case.tracks or () if line[1] <= int(case.time) <= line[2]]
        yield Row(
            id=f"{case.set}-{name}",
            config="tracks-3d" if solid else "tracks-2d",
            image=image,
            mask=label_map(case.marks, solid),
            source=known or None,
            meta=meta,
            **shared,
            **cells,
        )
    for page, mask in case.slices.items():
        yield Row(
            id=f"{case.set}-{name}-z{int(page)}",
            config="slices",
            image=raster.picture(case.image, page=int(page)),
            mask=mask,
            meta=meta | {"slice": int(page)},
            **shared,
            **cells,
        )


def label_map(mask, solid):
    return volumes.mask(raster.stack(mask)) if solid else mask


def tracks(files):
    """Sequence -> lines of its man_track.txt: label, first and last frame, parent."""
    return {
        tuple(key): [[int(cell) for cell in line.split()] for line in tables.lines(file)]
        for file, *key in files.match(SEQUENCE + r"_GT/TRA/man_track\.txt$")
    }


def trained(files):
    """Sequences that have a truth."""
    return {tuple(key): True for _, *key in files.match(SEQUENCE + r"_(?:GT|ST)/(?:SEG|TRA)/man_\w+\.tif$")}


ORPHAN = "truth whose frame is not in this copy"
OF = ("part", "set", "sequence")

rows = Join(
    SEQUENCE + r"/t0*(?P<time>\d+)\.tif$",
    row,
    gold=Partner(SEQUENCE + r"_GT/SEG/man_seg0*(?P<time>\d+)\.tif$", orphan=ORPHAN),
    silver=Partner(SEQUENCE + r"_ST/SEG/man_seg0*(?P<time>\d+)\.tif$", orphan=ORPHAN),
    marks=Partner(SEQUENCE + r"_GT/TRA/man_track0*(?P<time>\d+)\.tif$", orphan=ORPHAN),
    slices=Partner(SEQUENCE + r"_GT/SEG/man_seg_0*(?P<time>\d+)_(?P<page>\d+)\.tif$", by="page", orphan=ORPHAN),
    tracks=Lookup(tracks, OF),
    trained=Lookup(trained, OF),
)


def miniature(make):
    """Two whole sequences with all quirks, and one frame of each other set; frames count with 3 or 4 digits."""
    for name in TRAINING:
        full = name in ("Fluo-N2DH-SIM+", "Fluo-N3DH-CE")
        with make.zip(f"training/{name}.zip") as inner:
            for sequence in ("01", "02") if full else ("01",):
                digits, count = (4, 2) if "HSC" in name else (3, 3 if full else 1)
                write_sequence(inner, f"{name}/{sequence}", count, digits, "3D" in name)
        with make.zip(f"test/{name}.zip") as inner:
            write_frame(inner, f"{name}/01/t000.tif", "3D" in name)


def write_sequence(make, path, count, digits, volume):
    for number in range(count):
        time = f"{number:0{digits}d}"
        write_frame(make, f"{path}/t{time}.tif", volume)
        write_frame(make, f"{path}_GT/TRA/man_track{time}.tif", volume, (1, 2 + number))
        if number < max(1, count - 1):  # the gold truth has some frames alone
            write_frame(make, f"{path}_GT/SEG/man_seg{time}.tif", volume, (1, 2))
        if count > 2:  # and many sets have no silver truth
            write_frame(make, f"{path}_ST/SEG/man_seg{time}.tif", volume, (1, 2))
    tracks = [(2 + number, number, number, max(1 + number if number else 0, 0)) for number in range(count)]
    lines = [f"1 0 {count - 1} 0", *(" ".join(map(str, track)) for track in tracks)]
    make.text(f"{path}_GT/TRA/man_track.txt", "\n".join(lines) + "\n")
    if volume and count > 1:  # a frame of which one slice is outlined
        write_frame(make, f"{path}_GT/SEG/man_seg_002_001.tif", False, (1, 3))


def write_frame(make, path, volume, labels=None):
    picture = {"size": (24, 20), "mode": "I;16", "labels": labels, "nested": False}
    if not volume:
        make.image(path, compression="tiff_lzw", **picture)
        return
    inner = type(make)()
    for number in range(3):
        inner.image(f"{number}.png", seed=f"{path}/{number}", **picture)
    make.bytes(path, slide_files.multipage(list(inner.files.values())))
