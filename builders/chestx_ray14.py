"""ChestX-ray14 of the NIH Clinical Center: 112,120 frontal chest radiographs of 30,805 patients.

Fourteen findings were mined from the radiology reports; 880 images have boxes around eight of them.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.readers import table_lines, tables
from medimg.schema import Box, Row, Skipped

TABLES = "mlmed/torchxrayvision:torchxrayvision/data/*.csv.gz@f4087a0b"

FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "pulmonary infiltrate",
    "Mass": "lung mass",
    "Nodule": "lung nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema",
    "Emphysema": "emphysema",
    "Fibrosis": "pulmonary fibrosis",
    "Pleural_Thickening": "pleural thickening",
    "Hernia": "hernia",
}
"""In the order of the publication, which is also that of ChestMNIST."""

ARCHIVES = {
    "vfk49d74nhbxq3nqjg0900w5nvkorp5c": "fe8ed0a6961412fddcbb3603c11b3698",
    "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1": "ab07a2d7cbe6f65ddd97b4ed7bde10bf",
    "f1t00wrtdk94satdfb9olcolqx20z2jp": "2301d03bde4c246388bad3876965d574",
    "0aowwzs5lhjrceb3qp67ahp0rd1l1etg": "9f1b7f5aae01b13f4bc8e2c44a4b8ef6",
    "v5e3goj22zr6h8tzualxfsqlqaygfbsn": "1861f3cd0ef7734df8104f2b0309023b",
    "asi7ikud9jwnkrnkj99jnpfkjdes7l6l": "456b53a8b351afd92a35bc41444c58c8",
    "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n": "1075121ea20a137b87f290d6a4a5965e",
    "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j": "b61f34cec3aa69f295fbb593cbd9d443",
    "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj": "442a3caa61ae9b64e61c561294d1e183",
    "l6nilvfa9cg3s28tqv1qc1olm3gnz54p": "09ec81c4c31e32858ad8cf965c494b74",
    "hhq8fkdgvcari67vfhs7ppg2w6ni4jze": "499aefc67207a5a97692424cf5dbeed5",
    "ioqwiy20ihqwyr8pf4c24eazhh281pbu": "dc9fda1757c2de0032b63347a7d2895c",
}
"""Address and MD5 of the twelve archives, in order."""

SOURCES = tuple(
    Source(url=f"https://nihcc.box.com/shared/static/{key}.gz", path=f"images_{n:03d}.tar.gz", md5=md5)
    for n, (key, md5) in enumerate(ARCHIVES.items(), 1)
)


DATASET = Dataset(
    name="chestx-ray14",
    title="NIH ChestX-ray14",
    aliases=("ChestXray", "NIH Chest X-ray", "ChestX-ray8", "NIH-CXR14"),
    dimension="2d",
    modality="X-ray",
    organ=("chest", "lung", "heart"),
    task=("multi-label classification", "detection"),
    license="LicenseRef-NIH-ChestXray14",
    citation=Citation(
        title="ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks",
        authors="Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM",
        venue="CVPR",
        year=2017,
        doi="10.1109/CVPR.2017.369",
    ),
    sources=(*SOURCES, Source(url="https://nihcc.app.box.com/v/ChestXray-NIHCC", kind="page")),
    labels={**FINDINGS, "Infiltrate": "pulmonary infiltrate", "No Finding": ()},
    splits={"train": 86524, "test": 25596},
    subject="the first eight digits of the file name, which are the Patient ID",
    overlaps=(
        Overlap(
            dataset="rsna-pneumonia",
            relation="superset of",
            evidence="https://s3.amazonaws.com/east1.public.rsna.org/AI/2018/pneumonia-challenge-dataset-"
            "mappings_2018.json (21,804 training and 8,196 test images)",
        ),
        Overlap(dataset="siim-acr-pneumothorax", relation="superset of", evidence="stated by SIIM, no list"),
        Overlap(dataset="medmnist-v1", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py"),
        Overlap(dataset="medmnist-v2", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py"),
    ),
    keys=(
        "Follow-up #; Patient ID; OriginalImage*; Height; y; "
        "official_list; Finding Labels; Bbox [x,y,w,h]; Patient Gender"
    ),
    evidence=Evidence(
        layout=f"{TABLES}; sunlabuiuc/PyHealth:pyhealth/datasets/chestxray14.py@b51fed70 (archives, sums)",
        labels=f"{TABLES} (15 values of Finding Labels, 8 of the boxes')",
        license="cloud.google.com/healthcare/docs/resources/public-datasets/nih-chest, quoting the NIH",
        subject=f"{TABLES} (Patient ID)",
    ),
    notes=(
        "The authors estimate that over 90 % of the mined findings are right.",
        "OriginalImagePixelSpacing (in meta) is that of the radiograph before it was resized to 1024 x 1024.",
        "The NIH asks to link its download site, to cite the paper and to acknowledge the Clinical Center.",
    ),
)


def rows(files):
    entry = files.find(r"Data_Entry_2017_v2020\.csv$") or files.need(r"(Data_Entry_2017|sample_labels)\.csv$")
    entries = table_lines.Lines(files)
    for line in tables.rows(entry):
        entries.add(line["Image Index"], line, "Image Index")
    boxes = drawn(files)
    parts = listed(files)
    sample = entry.name.startswith("sample")
    for image, name, patient in files.stream(r"((\d{8})_\d{3}\.png)$"):
        if name not in entries:
            yield Skipped(file=image, reason=f"not in {entry.name}: nothing is known about this image")
            continue
        official = part_of(name, parts)
        if official is None and not sample:
            yield Skipped(file=image, reason="no official list in this copy says of which part it is")
            continue
        with files.row(image):
            line, outlined = entries[name], boxes.get(name, [])
            source = {"Finding Labels": line["Finding Labels"]}
            if outlined:
                source["Bbox [x,y,w,h]"] = [list(one.values())[1:6] for one in outlined]
            meta = dict(list(line.items())[2:])
            meta["official_list"] = next((part for part, names in parts.items() if name in names), None)
            yield Row(
                id=name.removesuffix(".png"),
                split="test" if official == "test" else "train",
                subject=patient,
                image=image,
                classes=findings(line),
                assessed=tuple(FINDINGS.values()),
                boxes=[box(one) for one in outlined],
                source=source,
                meta=meta,
            )


def drawn(files):
    """Image -> its lines of the list of boxes."""
    found, table = {}, files.find(r"BBox_List_2017\.csv$", lost="boxes are")
    for line in tables.rows(table, pad=True) if table else ():
        found.setdefault(tables.file_name(line["Image Index"]), []).append(line)
    return found


def listed(files):
    """Official part -> its images, of the lists that are here."""
    found = {}
    for part in ("train_val", "test"):
        if table := files.find(rf"{part}_list(?:_NIH)?\.txt$", lost=f"the official list {part} is"):
            found[part] = {tables.file_name(name) for name in tables.lines(table)}
    return found


def part_of(name, parts):
    """The official part of an image. The two lists are all there is: what is not in one of them is in the other."""
    if name in parts.get("test", ()) or ("test" not in parts and parts and name not in parts["train_val"]):
        return "test"
    return "train_val" if parts else None


def findings(line):
    found = []
    for finding in line["Finding Labels"].split("|"):
        if finding not in DATASET.labels:
            raise line.wrong("Finding Labels", f"has {finding!r}, which is no finding of this set")
        found += DATASET.labels[finding]
    return found


def box(line):
    # The header's "Bbox [x,y,w,h]" is cut at its commas.
    if len(line) != 6:
        raise line.wrong(list(line)[5], "stands in a line of more than six cells: a decimal comma cuts a number in two")
    x, y, width, height = (line.number(column) for column in list(line)[2:6])
    (name,) = line.one_of("Finding Label", DATASET.labels)
    return Box(name=name, box=(x, y, x + width, y + height))


def miniature(make):
    # Headers as in the source: they hold commas. One radiograph has four channels, the last is in no archive.
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View Position,"
    header += "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    images = ["00000001_000", "00000001_001", "00000002_000", "00013118_008", "00014716_007", "00030805_000"]
    findings = [
        "Cardiomegaly|Emphysema",
        "No Finding",
        "Hernia|Consolidation|Edema|Fibrosis|Nodule|Pleural_Thickening",
        "Atelectasis|Infiltration",
        "Mass",
        "Nodule",
    ]
    entries = [
        (f"{name}.png", finding, int(name[-3:]), int(name[:8]), 57, "M", "PA", 2682, 2749, 0.143, 0.143)
        for name, finding in zip(images, findings, strict=True)
    ]
    make.csv("Data_Entry_2017_v2020.csv", [header], entries)
    boxes = [(3, "Atelectasis", "7.084745762712", "17.019216763771", "2.7796610169491", 2.4)]
    boxes += [(3, "Infiltrate", 3, 4.5, 10, 12.25), (4, "Mass", 21, 4.1, 5, 9.7)]
    boxes = [(f"{images[n]}.png", *box) for n, *box in boxes]
    make.csv("BBox_List_2017.csv", ["Image Index,Finding Label,Bbox [x,y,w,h],,,"], boxes)
    for number, part, names in ((1, "train_val", images[:3]), (2, "test", images[3:])):
        make.text(f"{part}_list.txt", "\n".join(f"{name}.png" for name in names))
        with make.tar(f"images_{number:03d}.tar.gz") as inner:
            for name in names[: 4 - number]:
                inner.image(f"images/{name}.png", (32, 32), mode="RGBA" if name == images[4] else "L")
