"""Read published repositories back through plain `datasets`. Runs on its own: no code of medimg reads.

Usage: HF_ENDPOINT=<hub> python readback.py, then one request per line on standard input, one report per line back.

Request: {"repo": "<namespace>/<name>", "revision": sha, "deep": false}.
Report: {"configs": {config: {split: {"rows": n, "ids": [...], "contents": [...], "decoded": k}}}} or {"error": ...}.
"""

import json
import os
import sys
import time

TRIES, STRANGE = 7, 3


def check(repo, revision, deep, sample=3):
    """Load every config of one repository, streaming, and decode the first rows."""
    from datasets import get_dataset_config_names, load_dataset

    report = {}
    for config in get_dataset_config_names(repo, revision=revision):
        splits = load_dataset(repo, config, streaming=True, revision=revision)
        report[config] = {}
        for split, rows in splits.items():
            found = {"rows": 0, "ids": [], "contents": [], "decoded": 0, "features": str(rows.features)}
            rows = undecoded(rows)
            for row in rows if deep or config == "metadata" else rows.take(sample):
                found["rows"] += 1
                found["ids"].append(row["id"])
                found["contents"].append(row.get("content"))
                if config != "metadata":
                    found["decoded"] += touch(row)
            report[config][split] = found
    return report


def undecoded(rows):
    """Videos as bytes: decoding them needs torchcodec, which few readers have."""
    from datasets import Video

    for column, feature in (rows.features or {}).items():
        if isinstance(feature, Video):
            rows = rows.cast_column(column, Video(decode=False))
    return rows


def touch(row):
    """Decode the pixels of a row; returns the number of images decoded."""
    images = [row.get("image"), (row.get("label") or {}).get("mask"), (row.get("label") or {}).get("target")]
    count = 0
    for image in images:
        if image is not None:
            size = len(image["bytes"]) if isinstance(image, dict) else pixels(image).size
            if size == 0:
                raise ValueError(f"{row['id']}: an image without pixels")
            count += 1
    return count


def pixels(image):
    """The array of a picture or a volume."""
    import numpy as np

    return np.asarray(image.dataobj if hasattr(image, "dataobj") else image)


def passing(error):
    """Whether another try may help: the connection broke, or the Hub is busy."""
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "status", None)
        if isinstance(status, int):
            return status in (408, 425, 429, 500, 502, 503, 504)
        names = {each.__name__ for each in type(error).__mro__}
        if names & {"TransportError", "ClientError"} or isinstance(error, ConnectionError | TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False


def forget():
    """Drop what clients remember: an answer that was cut may be in there."""
    from huggingface_hub import HfFileSystem

    HfFileSystem.clear_instance_cache()


def answer(wish):
    """The report on one request."""
    wait = float(os.environ.get("MEDIMG_READBACK_WAIT", "1"))
    tries = strange = 0
    while True:
        try:
            return {"configs": check(wish["repo"], wish.get("revision"), wish.get("deep", False))}
        except Exception as error:  # every failure is the answer that is asked for
            tries += 1
            # Some versions report a broken connection as a file that is not there.
            strange += not passing(error)
            if tries >= TRIES or strange >= STRANGE:
                return {"error": f"{type(error).__name__}: {error}"}
        time.sleep(wait * 2 ** (tries - 1))
        forget()


def main():
    """Answer each line."""
    import datasets

    from medimg import clients

    clients.parse_cards_once()
    datasets.disable_progress_bars()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints does not get between the answers
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
