"""One CT series of the Imaging Data Commons from S3 to an array: ours against what a notebook does today.

    python benchmarks/commons_stream.py [--slices 120] [--latency 0.03] [--runs 3]

A bucket on this machine holds a phantom series under the address that the index has for it, and answers every request
after `--latency` seconds, as S3 does over a network. In each run, in turn:

- medimg: `medimg.load("idc/...", source="official", streaming=True)`, the first row;
- s3fs + pydicom: list, open every object, read, sort by position, stack;
- boto3 + SimpleITK: download every object to a temporary folder, read the series from there.

Prints the median seconds of each and the ratios; the voxels are compared.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore
import numpy as np
import pydicom
import s3fs
import SimpleITK
from botocore.config import Config
from moto.moto_server import werkzeug_app
from moto.server import ThreadedMotoServer

import medimg
from medimg.builders.idc import index
from medimg.phantom import Phantom

COLLECTION = "c4kc_kits"


def serve(latency: float) -> ThreadedMotoServer:
    """An S3 stand-in that takes its time."""
    answer = werkzeug_app.DomainDispatcherApplication.__call__

    def slowly(self: Any, environ: Any, start_response: Any) -> Any:
        time.sleep(latency)
        return answer(self, environ, start_response)

    werkzeug_app.DomainDispatcherApplication.__call__ = slowly  # type: ignore[method-assign]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server


def medimg_row(endpoint: str, one: index.ListedSeries) -> np.ndarray[Any, Any]:
    """Voxels (column, row, slice)."""
    rows = medimg.load(
        f"idc/{COLLECTION}?series={one.uid}&drawings=none",
        source="official",
        split="train",
        streaming=True,
        storage_options={"endpoint_url": endpoint, "skip_instance_cache": True},
    )
    return np.asanyarray(next(iter(rows))["image"].dataobj)


def s3fs_pydicom(endpoint: str, one: index.ListedSeries) -> np.ndarray[Any, Any]:
    """The same with one open object after the other."""
    bucket = s3fs.S3FileSystem(anon=True, endpoint_url=endpoint, skip_instance_cache=True)
    slices = []
    for path in bucket.ls(one.address):
        with bucket.open(path, "rb") as file:
            slices.append(pydicom.dcmread(file))
    slices.sort(key=lambda each: each.ImagePositionPatient[2])
    stored = np.stack([each.pixel_array.T for each in slices], axis=-1)
    return stored * slices[0].RescaleSlope + slices[0].RescaleIntercept


def boto3_simpleitk(endpoint: str, one: index.ListedSeries) -> np.ndarray[Any, Any]:
    """The same through files on disk."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        config=Config(signature_version=botocore.UNSIGNED),
    )
    holder, prefix = one.address.removeprefix("s3://").split("/")
    with tempfile.TemporaryDirectory() as folder:
        for entry in client.list_objects_v2(Bucket=holder, Prefix=f"{prefix}/")["Contents"]:
            client.download_file(holder, entry["Key"], str(Path(folder) / entry["Key"].rpartition("/")[2]))
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
        return SimpleITK.GetArrayFromImage(reader.Execute()).T


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--latency", type=float, default=0.03)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    one = next(each for each in index.series(index.parse(COLLECTION)) if each.modality == "CT")
    make = Phantom()
    make.dicom_series(
        "series", options.slices, (512, 512), patient=one.patient, names="{:04d}.dcm",
        tags={"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study},
    )  # fmt: skip
    server = serve(0.0)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    owner = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    holder, prefix = one.address.removeprefix("s3://").split("/")
    owner.create_bucket(Bucket=holder)
    for path, data in make.files.items():
        key = f"{prefix}/{path.rpartition('/')[2]}"
        owner.put_object(Bucket=holder, Key=key, Body=data, ACL="public-read")
    server.stop()
    server = serve(options.latency)  # moto keeps its buckets
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    contestants: dict[str, Callable[[str, index.ListedSeries], np.ndarray[Any, Any]]] = {
        "medimg": medimg_row,
        "s3fs + pydicom": s3fs_pydicom,
        "boto3 + SimpleITK": boto3_simpleitk,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.runs):
        voxels = {}
        for name, read in contestants.items():
            began = time.perf_counter()
            voxels[name] = read(endpoint, one)
            seconds[name].append(time.perf_counter() - began)
        for name in contestants:
            assert np.array_equal(voxels[name], voxels["medimg"]), name
    server.stop()
    ours = statistics.median(seconds["medimg"])
    print(f"{options.slices} slices of 512 x 512, {options.latency * 1000:.0f} ms a request, {options.runs} runs")
    for name, each in seconds.items():
        median = statistics.median(each)
        print(f"{name:20} {median:7.2f} s   {median / ours:5.2f} x")


if __name__ == "__main__":
    main()
