"""CQ500: 491 head CT of several centers in New Delhi, read by three senior radiologists.

Each reader said which kinds of hemorrhage, fracture, mass effect and midline shift a scan shows.
"""

from medimg.builders import _tcia_phantom
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import dicom, dicom_stacks, tables
from medimg.schema import Row, skipped

KINDS = {
    "ICH": "intracranial hemorrhage",
    "IPH": "intraparenchymal hemorrhage",
    "IVH": "intraventricular hemorrhage",
    "SDH": "subdural hemorrhage",
    "EDH": "epidural hemorrhage",
    "SAH": "subarachnoid hemorrhage",
    "BleedLocation-Left": "left intracranial hemorrhage",
    "BleedLocation-Right": "right intracranial hemorrhage",
    "ChronicBleed": "chronic intracranial hemorrhage",
    "Fracture": "skull fracture",
    "CalvarialFracture": "calvarial fracture",
    "OtherFracture": "other skull fracture",
    "MassEffect": "mass effect",
    "MidlineShift": "midline shift",
}

DATASET = Dataset(
    name="cq500",
    title="CQ500",
    aliases=("Qure.ai CQ500", "qure.ai headctstudy"),
    dimension="3d",
    modality="CT",
    organ="brain",
    task="classification",
    license="CC-BY-NC-SA-4.0",
    citation=Citation(
        title="Deep learning algorithms for detection of critical findings in head CT scans: a retrospective study",
        authors="Chilamkurthy S, Ghosh R, Tanamala S, et al.",
        venue="The Lancet 392:2388-2396",
        year=2018,
        doi="10.1016/S0140-6736(18)31645-3",
        arxiv=("1803.05854",),
    ),
    sources=(
        Source(url="http://headctstudy.qure.ai/dataset", kind="page"),
        Source(url="https://academictorrents.com/details/47e9d8aab761e75fd0a81982fa62bddf3a173831", kind="page"),
    ),
    labels=KINDS,
    splits={"test": 491},
    subject="the scan's number (CQ500-CT-# in the table, CQ500CT# in the folders)",
    keys="series; Category; name; R1:*; R2:*; R3:*",
    evidence=Evidence(
        layout="ten public CQ500 loaders (CQ500CT0 CQ500CT0/Unknown Study/CT Plain/CT000000.dcm)",
        labels="header of reads.csv in public code; majority of three readers: 10.1016/S0140-6736(18)31645-3",
        license="register of licenses read on provider pages 2026-09-17 (CC BY-NC-SA 4.0)",
        subject="public CQ500 loaders",
    ),
    notes=(
        "A finding is present where at least two of the three readers say so; `label.source` has all reads.",
        "Labels are of the scan. It has several series (meta.series): thick and thin plain ones are rows, "
        "perfusion and contrast series are left out, since the plain scan was read.",
        "The count of the split is of scans. The official domain no longer answers, the torrent does.",
    ),
    bad_files="quarantine",
)


READS = r"(?:^|/)reads\.csv$"
ADDED = ("cc sec", "d3d", "contrast", "cect", "perfusion", "post")
"""Words of the names of perfusion and contrast series, but for "pre contrast" and "posterior"."""


def rows(files):
    files.need(READS)
    reads = tables.lines_by(files, READS, "name")
    series = {}
    for file, number, name in files.match(r"CQ500CT(\d+)(?: CQ500CT\d+)?/(?:.*/)?([^/]+)/[^/]+\.dcm$"):
        series.setdefault((f"CQ500-CT-{number}", name), []).append(file)
    for (scan, name), members in series.items():
        plain = name.lower().replace("pre contrast", "").replace("posterior", "")
        if any(word in plain for word in ADDED):
            reason = "a perfusion or contrast series: the readers were shown the plain scan"
            yield from skipped(members, reason)
        elif scan not in reads:
            yield from skipped(members, "reads.csv has no row for it")
        else:
            with files.row(*members):
                yield from series_rows(scan, name, members, reads[scan])
    reads.tell_rest("its scan is not in this copy")


def series_rows(scan, name, members, line):
    votes = {finding: answers(line, kind) for kind, finding in KINDS.items()}
    given = {finding: (sum(cells), len(cells)) for finding, cells in votes.items() if cells}
    for stack in dicom_stacks.stacks(members):
        yield Row(
            id=stack.name(scan, name),
            split="test",
            subject=scan,
            image=dicom.series(stack.files, allow_gaps=True),
            classes=[finding for finding, (yes, count) in given.items() if yes > count / 2],
            # Two readers of whom one saw it decide nothing.
            uncertain=[finding for finding, (yes, count) in given.items() if yes == count / 2],
            assessed=tuple(given),
            source=line,
            meta={"series": name, "Category": line["Category"]} | stack.apart,
        )


def answers(line, kind):
    """What the three readers say of a finding; one who said nothing does not count."""
    columns = [f"R{n}:{kind}" for n in (1, 2, 3)]
    return [line.one_of(column, {"0": 0, "1": 1}) for column in columns if line[column].strip()]


def miniature(make):
    head = ["name", "Category", *(f"R{n}:{kind}" for n in (1, 2, 3) for kind in KINDS)]
    hits = {(0, 1): ("ICH", "SDH"), (0, 2): ("ICH", "SDH"), (0, 3): ("ICH", "IPH"), (14, 2): ("Fracture",)}
    table = [
        (f"CQ500-CT-{n}", "B1", *(int(kind in hits.get((n, r), ())) for r in (1, 2, 3) for kind in KINDS))
        for n in (0, 14)
    ]
    make.csv("reads.csv", head, table)
    names = {0: ("CT Plain", "CT PLAIN THIN", "CT POST CONTRAST", "CT 4cc sec 150cc D3D on-2")}
    names[14] = ("CT PRE CONTRAST THIN",)
    for number, series in names.items():
        with make.zip(f"CQ500-CT-{number}.zip") as inner:
            root = f"CQ500CT{number} CQ500CT{number}/Unknown Study"
            for name in series:
                patient, files = f"CQ500-CT-{number}", "CT{:06d}.dcm"
                if "4cc" in name:
                    points = [{"AcquisitionNumber": n} for n in (1, 2)]
                    _tcia_phantom.dynamic(inner, f"{root}/{name}", points, patient, modality="CT")
                else:
                    inner.dicom_series(f"{root}/{name}", 3, patient=patient, names=files, series=name)
