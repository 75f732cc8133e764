"""EchoNet-Dynamic: 10,030 apical four-chamber echocardiography videos of Stanford Hospital.

Each has the ejection fraction, the volumes at end-systole and end-diastole, and the left ventricle traced in
those two frames.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables, tracings
from medimg.schema import Measure, Row, skipped

LOADER = "echonet/dynamic:echonet/datasets/echo.py@e01d029"
PAGE = "echonet/dynamic:docs/index.html@e01d029"
SPLITS = {"TRAIN": "train", "VAL": "validation", "TEST": "test"}
MEASURES = {
    "EF": ("ejection fraction", "%"),
    "ESV": ("left ventricular end-systolic volume", "mL"),
    "EDV": ("left ventricular end-diastolic volume", "mL"),
}
COLUMNS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")

DATASET = Dataset(
    name="echonet-dynamic",
    title="EchoNet-Dynamic",
    aliases=("EchoNet Dynamic",),
    dimension="video",
    modality="echocardiography",
    organ="heart",
    task=("segmentation", "regression"),
    license="LicenseRef-Stanford-RUA",
    homepage="https://echonet.github.io/dynamic/",
    citation=Citation(
        title="Video-based AI for beat-to-beat assessment of cardiac function",
        authors="Ouyang D, He B, Ghorbani A, et al.",
        venue="Nature 580:252-256",
        year=2020,
        doi="10.1038/s41586-020-2145-8",
    ),
    access="registration",
    how="Sign in at https://stanford.redivis.com/datasets/66s1-2hsmzj5rn, accept the agreement, download "
    'EchoNet-Dynamic.zip and pass it: medimg.load("echonet-dynamic", source="~/EchoNet-Dynamic.zip").',
    sources=(
        Source(url="https://stanford.redivis.com/datasets/66s1-2hsmzj5rn", kind="page"),
        Source(
            url="https://stanfordaimi.azurewebsites.net/datasets/834e1cd1-92f7-4268-9daa-d359198b310a",
            kind="page",
        ),
    ),
    legend={1: ("left ventricle cavity",), tracings.UNTRACED: ()},
    splits={"train": 7465, "validation": 1288, "test": 1277},
    subject="the file name: one video stands for one patient; the source says neither so nor otherwise",
    keys=("FileName; FrameHeight; FrameWidth; FPS; NumberOfFrames; Split; EF; ESV; EDV; X1, Y1, X2, Y2 by Frame"),
    evidence=Evidence(
        layout=f"{LOADER}; djaechung/team-echo@0d84a5f (FileList.csv, 10,030 rows counted)",
        labels=f"{LOADER} (tracings to polygon), {PAGE} (endocardial border; EF in percent); mL "
        "from a public description of FileList.csv (edv / esv in mL, ef in percent), as the numbers suggest",
        license=f"{PAGE} (text of the Research Use Agreement)",
        subject="unverified: one video per patient",
    ),
    notes=(
        "A video's mask is a volume (width, height, frames). Frames without a tracing hold 255: not "
        "annotated, not background.",
        "Masks follow the tracing's coordinates; the official loader rounds them to whole pixels first.",
        "Most videos have two traced frames. A few have less: the official loader drops them.",
        "FrameHeight and FrameWidth of FileList.csv are not the video's size in six rows: use `shape`.",
    ),
)


def rows(files):
    videos = files.index(r"([^/]+)\.avi$")
    table = files.find(r"(?:^|/)VolumeTracings\.csv$", lost="outlines of the left ventricle are")
    chords = traced(table) if table else {}
    listed = files.need(r"(?:^|/)FileList\.csv$")
    for line in tables.rows(listed):
        name = name_of(line)
        video = videos.pop(name, None)
        if video is None:
            files.tell(listed, "a line of the table is no row: its video is not in this copy")
            continue
        with files.row(video):
            yield row(video, name, line, chords.get(name, {}), table)
    yield from skipped(videos.values(), "FileList.csv has no row for it")


def row(video, name, line, chords, table):
    stated = {column: line[column] for column in MEASURES if line[column].strip()}
    mask, source = None, stated
    if chords:
        outlines = {frame: [(1, polygon(one))] for frame, one in chords.items()}
        mask = tracings.mask(video, outlines, center=0.0, table=table)
        source = stated | {"X1, Y1, X2, Y2 by Frame": chords}
    return Row(
        id=name,
        split=line.one_of("Split", SPLITS),
        subject=name,
        image=video,
        mask=mask,
        measures=[
            Measure(name=MEASURES[column][0], value=line.number(column), unit=MEASURES[column][1]) for column in stated
        ],
        source=source,
        meta={column: cell for column, cell in line.items() if column not in MEASURES},
    )


def name_of(line):
    """Of the video: one table has its suffix, the other has not."""
    return tables.file_name(line["FileName"].strip()).removesuffix(".avi")


def traced(table):
    """Name of the video -> frame -> [(x1, y1, x2, y2), …], in the table's order."""
    found = {}
    for line in tables.rows(table, columns=COLUMNS):
        name = name_of(line)
        if not name:
            raise line.wrong("FileName", "is blank: the chord belongs to no video")
        chord = tuple(line.number(column) for column in COLUMNS[1:5])
        found.setdefault(name, {}).setdefault(line.integer("Frame"), []).append(chord)
    return found


def polygon(chords):
    """Down one side of the chords and up the other; the first is the long axis and no chord."""
    return [chord[:2] for chord in chords[1:]] + [chord[2:] for chord in reversed(chords[1:])]


def miniature(make):
    head = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
    names = [f"0X{n:016X}" for n in range(0x1002E8FBACD08477, 0x1002E8FBACD08477 + 5)]
    table = [
        (name, 60.5 - n, 21.25, 53.75, 112, 112, 50, 6, split)
        for n, (name, split) in enumerate(zip(names, "TRAIN VAL TEST TRAIN TRAIN".split(), strict=True))
    ]
    table[1] = (*table[1][:4], 768, 1024, *table[1][6:])
    make.csv("EchoNet-Dynamic/FileList.csv", head, table)
    # The third video has one traced frame, the fourth none, the fifth is not there, the sixth is not in the list.
    for name in (*names[:4], "0X0000000000000000"):
        make.video(f"EchoNet-Dynamic/Videos/{name}.avi", 6)
    chords = [(60, 20, 55, 80), (58, 30, 64, 30.5), (50, 45, 70, 45), (48.2, 60, 72.7, 60), (50, 78, 66, 78)]
    traced = [(name, frame) for name in names[:3] for frame in (1, 4)][:-1]
    lines = [(f"{name}.avi", *line, frame) for name, frame in traced for line in chords]
    make.csv("EchoNet-Dynamic/VolumeTracings.csv", COLUMNS, lines)
