"""Mixing: every row once per epoch, in an order that a state resumes exactly."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import Features, Value
from datasets.distributed import split_dataset_by_node
from hypothesis import given, settings
from hypothesis import strategies as st

from medimg.errors import SourceError
from medimg.fusion.errors import RequestError, StateError
from medimg.fusion.mix import Stream, mix

ID = Features({"id": Value("string")})
WEIGHTS = ["concatenate", "interleave", "uniform", "proportional", {"temperature": 2.0}]


def numbers(start: int, *, name: str, rows: int) -> Iterator[Any]:
    yield from (f"{name}{index}" for index in range(start, rows))


def pieces(item: str, *, pattern: tuple[int, ...]) -> list[str]:
    """0, 1 or several pieces of an item."""
    count = pattern[int(item[1:]) % len(pattern)]
    return [f"{item}.{piece}" for piece in range(count)]


def as_row(item: str) -> dict[str, str]:
    return {"id": item}


def as_even_row(item: str) -> dict[str, str] | None:
    """None for odd numbers: such items turn out to be no row when they are decoded."""
    return None if int(item[1:].split(".")[0]) % 2 else {"id": item}


def member(
    name: str,
    rows: int,
    *,
    known: bool = True,
    block: int | None = None,
    pattern: tuple[int, ...] = (),
    even: bool = False,
) -> Stream:
    return Stream(
        name,
        partial(numbers, name=name, rows=rows),
        rows=rows if known else None,
        block=block if known else None,
        expand=partial(pieces, pattern=pattern) if pattern else None,
        finish=as_even_row if even else as_row,
    )


def ids(dataset: Any) -> list[str]:
    return [row["id"] for row in dataset]


def everything(streams: list[Stream]) -> list[str]:
    return sorted(
        piece
        for stream in streams
        for item in stream.open(0)
        for piece in (stream.expand(item) if stream.expand else [item])
        if stream.finish is None or stream.finish(piece) is not None
    )


members = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.booleans(),
        st.sampled_from([None, 1, 3]),
        st.sampled_from([(), (1, 0), (2, 0, 1), (0,)]),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
).map(
    lambda many: [member("abcde"[i], n, known=k, block=b, pattern=p, even=e) for i, (n, k, b, p, e) in enumerate(many)]
)


@st.composite
def mixtures(draw: st.DrawFn, *, repeat: bool = False) -> tuple[list[Stream], dict[str, Any]]:
    streams = draw(members)
    choices: list[Any] = ["interleave", "uniform", {s.name: 1.0 + i for i, s in enumerate(streams)}]
    if not repeat:
        choices.append("concatenate")
    if all(stream.rows is not None for stream in streams):
        choices += ["proportional", {"temperature": 3.0}]
    arguments = {
        "weights": draw(st.sampled_from(choices)),
        "shuffle": draw(st.sampled_from([0, 1, 4, 100])),
        "seed": draw(st.integers(0, 3)),
        "repeat": repeat,
    }
    return streams, arguments


@settings(max_examples=150, deadline=None)
@given(
    mixtures() | mixtures(repeat=True),
    st.integers(0, 2),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=2),
    st.integers(0, 40),
)
def test_resume_after_any_row_gives_exactly_the_rest(
    mixture: tuple[list[Stream], dict[str, Any]], epoch: int, splits: list[tuple[int, int]], after: int
) -> None:
    def make() -> datasets.IterableDataset:
        made = mix(mixture[0], features=ID, **mixture[1])
        for count, index in splits:
            made = made.shard(count, index % count)
        made.set_epoch(epoch)
        return made

    whole = ids(make())
    first = make()
    head = ids(islice(first, after))
    state = json.loads(json.dumps(first.state_dict()))  # it survives a checkpoint in JSON
    resumed = make()
    resumed.load_state_dict(state)
    tail = ids(resumed)
    assert head + tail == whole
    assert head == whole[:after]
    # and once more from the resumed stream's own state
    again = make()
    again.load_state_dict(state)
    middle = ids(islice(again, 3))
    last = make()
    last.load_state_dict(again.state_dict())
    assert head + middle + ids(last) == whole


@settings(max_examples=100, deadline=None)
@given(mixtures(), st.integers(0, 2), st.integers(1, 7), st.integers(1, 5))
def test_every_row_once_over_nodes_and_workers(
    mixture: tuple[list[Stream], dict[str, Any]], epoch: int, nodes: int, workers: int
) -> None:
    streams, arguments = mixture
    made = mix(streams, features=ID, **arguments)
    made.set_epoch(epoch)
    found: list[str] = []
    for node in range(nodes):
        iterable = split_dataset_by_node(made, node, nodes)._prepare_ex_iterable_for_iteration()
        for worker in range(workers):  # what `datasets` does in a worker process
            if iterable.split_shard_indices_by_worker(workers, worker, contiguous=False):
                found += [row["id"] for _, row in iterable.shard_data_sources(workers, worker, contiguous=False)]
    assert sorted(found) == everything(streams)


@pytest.mark.parametrize("nodes", [7, 9, 11])
def test_every_row_once_over_a_number_of_nodes_that_divides_nothing(nodes: int) -> None:
    streams = [member("a", 23), member("b", 40, known=False)]
    made = mix(streams, features=ID, weights="uniform", shuffle=5)
    found = [one for node in range(nodes) for one in ids(split_dataset_by_node(made, node, nodes))]
    assert sorted(found) == everything(streams)


def test_more_workers_than_shards_lose_nothing() -> None:
    streams = [member("a", 10)]
    made = mix(streams, features=ID)._ex_iterable
    made._shards = 2
    found = []
    for worker in range(5):
        if made.split_shard_indices_by_worker(5, worker, contiguous=False):
            found += [row["id"] for _, row in made.shard_data_sources(5, worker, contiguous=False)]
    assert sorted(found) == everything(streams)


def test_many_small_members_are_shared_evenly() -> None:
    streams = [member(f"{chr(97 + i)}", 1) for i in range(24)]
    made = mix(streams, features=ID)
    sizes = [len(ids(made.shard(2, node).shard(3, worker))) for node in range(2) for worker in range(3)]
    assert sizes == [4] * 6


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shuffle", [0, 8])
def test_deterministic_by_seed_and_epoch(weights: Any, shuffle: int) -> None:
    streams = [member("a", 30), member("b", 50, block=10), member("c", 7)]

    def order(seed: int, epoch: int) -> list[str]:
        made = mix(streams, features=ID, weights=weights, shuffle=shuffle, seed=seed)
        made.set_epoch(epoch)
        return ids(made)

    orders = [order(0, 0), order(1, 0), order(0, 1)]
    assert all(sorted(each) == everything(streams) for each in orders)
    assert order(0, 0) == orders[0] and order(0, 1) == orders[2]
    drawn = shuffle > 0 or weights not in ("concatenate", "interleave")
    assert len({tuple(each) for each in orders}) == (3 if drawn else 1)


def test_the_order_is_the_same_on_every_machine() -> None:
    made = mix([member("a", 4), member("b", 4)], features=ID, weights={"a": 1, "b": 3}, shuffle=3, seed=5)
    assert ids(made) == ["b1", "b2", "b0", "a0", "a1", "b3", "a2", "a3"]


def test_orders_without_chance() -> None:
    streams = [member("a", 1), member("b", 3), member("c", 2)]
    assert ids(mix(streams, features=ID)) == ["a0", "b0", "b1", "b2", "c0", "c1"]
    assert ids(mix(streams, features=ID, weights="interleave")) == ["a0", "b0", "c0", "b1", "c1", "b2"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("uniform", (0.5, 0.5)),
        ("proportional", (0.9, 0.1)),
        ({"temperature": 2.0}, (0.75, 0.25)),
        ({"temperature": float("inf")}, (0.5, 0.5)),
        ({"a": 1, "b": 4}, (0.2, 0.8)),
    ],
)
def test_weights_are_the_shares_of_rows(weights: Any, expected: tuple[float, float]) -> None:
    streams = [member("a", 90_000), member("b", 10_000)]
    made = mix(streams, features=ID, weights=weights)
    drawn = Counter(name[0] for name in ids(islice(made, 6000)))
    assert np.allclose([drawn["a"] / 6000, drawn["b"] / 6000], expected, atol=0.025)


@pytest.mark.parametrize("weights", ["interleave", "uniform"])
@pytest.mark.parametrize("shuffle", [0, 5])
def test_repeat_goes_on_until_each_was_seen_in_full(weights: Any, shuffle: int) -> None:
    streams = [member("a", 40), member("b", 6), member("c", 0), member("d", 5, pattern=(0,))]
    found = Counter(ids(mix(streams, features=ID, weights=weights, repeat=True, shuffle=shuffle)))
    assert {name for name in found if name[0] == "a"} == {f"a{i}" for i in range(40)}
    assert all(found[f"a{i}"] == 1 for i in range(40))
    counts = [found[f"b{i}"] for i in range(6)]
    assert min(counts) >= 3 and max(counts) - min(counts) <= 1


def test_shuffling_spreads_rows_and_blocks() -> None:
    near = ids(mix([member("a", 1000)], features=ID, shuffle=50))
    moved = [abs(int(name[1:]) - place) for place, name in enumerate(near)]
    assert max(moved) < 50 and np.mean(moved) > 10
    far = ids(mix([member("a", 1000, block=20)], features=ID, shuffle=50))
    assert np.mean([abs(int(name[1:]) - place) for place, name in enumerate(far)]) > 200
    assert sorted(near) == sorted(far)


def test_a_resumed_state_reads_at_most_one_window_again() -> None:
    opened: list[int] = []

    def spying(start: int) -> Iterator[str]:
        for index in range(start, 1000):
            opened.append(index)
            yield f"a{index}"

    made = mix([Stream("a", spying, rows=1000, finish=as_row)], features=ID, shuffle=10)
    list(islice(made, 905))
    state = made.state_dict()
    opened.clear()
    made.load_state_dict(state)
    next(iter(made))
    assert min(opened) == 900


def test_finish_runs_only_for_rows_that_come_out() -> None:
    done: list[str] = []

    def finish(item: str) -> dict[str, str]:
        done.append(item)
        return as_row(item)

    made = mix([Stream("a", partial(numbers, name="a", rows=100), finish=finish)], features=ID, shuffle=50)
    list(islice(made, 3))
    assert len(done) == 3
    state = made.state_dict()
    made.load_state_dict(state)
    list(islice(made, 2))
    assert len(done) == 5
    list(
        islice(
            mix([Stream("a", partial(numbers, name="a", rows=100), finish=finish)], features=ID).shard(4, 1),
            5,
        )
    )
    assert len(done) == 10


def test_a_state_of_something_else_is_refused() -> None:
    made = mix([member("a", 9), member("b", 9)], features=ID, weights="uniform")
    next(iter(made))
    state = made.state_dict()
    for other, what in (
        (mix([member("a", 9), member("b", 9)], features=ID, weights="uniform", seed=1), "request"),
        (mix([member("a", 9)], features=ID, weights="uniform"), "request"),
        (mix([member("a", 9), member("b", 9)], features=ID, weights="uniform", identity="other"), "request"),
        (made.shard(2, 0), "epoch, node or worker"),
    ):
        other.load_state_dict(state)
        with pytest.raises(StateError, match=f"another mixture: its {what}.*Next: resume with"):
            list(other)


def test_a_state_that_was_saved_before_a_worker_began_is_its_beginning() -> None:
    """What `datasets` reports of a worker that has not yielded is the state of the whole stream of its node."""
    made = mix([member("a", 9), member("b", 9)], features=ID, weights="uniform", shuffle=3)
    node = made.shard(2, 0)
    for state in (made.state_dict(), node.state_dict()):
        worker = node.shard(5, 1)
        worker.load_state_dict(state)
        iterator = iter(worker)
        begun = [next(iterator)["id"]]
        again = node.shard(5, 1)
        again.load_state_dict(worker.state_dict())
        assert begun + ids(again) == ids(node.shard(5, 1)), "and it is the worker's own from then on"
    other = made.shard(20, 1)
    other.load_state_dict(made.shard(2, 1).state_dict())
    with pytest.raises(StateError):
        list(other)


@pytest.mark.parametrize(("said", "word"), [(9, "fewer"), (7, "more")])
@pytest.mark.parametrize("block", [None, 2])
def test_a_member_that_changed_is_an_error(said: int, word: str, block: int | None) -> None:
    wrong = Stream("a", partial(numbers, name="a", rows=8), rows=said, block=block, finish=as_row)
    with pytest.raises(SourceError, match=f"a: .*{word}"):
        ids(mix([wrong], features=ID, shuffle=3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": {"a": 1}}, "b: no weight.*Next: give one weight for each of a, b"),
        ({"weights": {"a": 1, "b": 1, "c": 1}}, "c: no such member"),
        ({"weights": {"a": "much", "b": 1}}, "'a' is a positive number"),
        ({"weights": {"temperature": "hot"}}, "is a positive number"),
        ({"weights": {"a": float("nan"), "b": 1}}, "positive and finite"),
        ({"weights": {}}, "a, b: no weight"),
        ({"weights": {"a": 1, "b": 0}}, "positive"),
        ({"weights": "proportional"}, "not known of b"),
        ({"weights": {"temperature": 0}}, "positive"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        mix([member("a", 3), member("b", 3, known=False)], features=ID, **arguments)
    with pytest.raises(ValueError, match="different names"):
        mix([member("a", 3), member("a", 3)], features=ID)


def test_two_iterators_of_one_stream_do_not_disturb_each_other() -> None:
    made = mix([member("a", 20), member("b", 20)], features=ID, weights="uniform", shuffle=4)
    assert all(left == right for left, right in zip(made, made, strict=True))
    assert ids(made) == ids(made)


def test_stock_operations_work_on_top() -> None:
    streams = [member("a", 10), member("b", 15)]
    made = mix(streams, features=ID, weights="interleave", split="train")
    assert type(made) is datasets.IterableDataset and made.features == ID and str(made.split) == "train"
    assert ids(made.take(3)) == ["a0", "b0", "a1"] and len(ids(made.skip(20))) == 5
    assert ids(made.filter(lambda row: row["id"][0] == "b"))[:2] == ["b0", "b1"]
    assert [len(batch["id"]) for batch in made.batch(10)] == [10, 10, 5]
    assert sorted(ids(made.shuffle(seed=1, buffer_size=5))) == everything(streams)
    both = datasets.concatenate_datasets([made, mix([member("c", 2)], features=ID)])
    assert len(ids(both)) == 27
    assert ids(pickle.loads(pickle.dumps(made))) == ids(made)


def test_a_row_costs_the_same_among_many_members() -> None:
    def seconds(count: int, weights: str) -> float:
        rows = 20_000 // count
        streams = [
            Stream(str(i), partial(numbers, name="a", rows=rows), rows=rows, finish=as_row) for i in range(count)
        ]
        iterable = mix(streams, features=ID, weights=weights)._ex_iterable  # type: ignore[arg-type]
        start = time.process_time()
        assert sum(1 for _ in iterable) == rows * count
        return time.process_time() - start

    for weights in ("interleave", "uniform"):
        few = min(seconds(2, weights) for _ in range(3))
        many = min(seconds(500, weights) for _ in range(3))
        assert many < 3 * few, f"{weights}: {many / few:.1f} times the cost with 500 members instead of 2"


def write(folder: Path, groups: tuple[tuple[int, ...], ...]) -> list[str]:
    """One Parquet file per tuple, one row group per number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, number = [], 0
    for index, sizes in enumerate(groups):
        path = folder / f"{index}.parquet"
        with pq.ParquetWriter(path, pa.schema({"id": pa.string(), "other": pa.int32()})) as writer:
            for size in sizes:
                rows = [{"id": f"p{number + row}", "other": row} for row in range(size)]
                writer.write_table(pa.Table.from_pylist(rows, writer.schema), row_group_size=max(size, 1))
                number += size
        files.append(str(path))
    return files


def test_parquet_is_read_from_any_row_and_nothing_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    from medimg.fusion.parquet import parquet_rows

    files = write(tmp_path, ((3, 1, 40), (), (2, 2)))
    read_from = partial(parquet_rows, files, (44, 0, 4), columns=["id"], options={})
    for start in range(50):
        assert [row["id"] for row in read_from(start)] == [f"p{index}" for index in range(start, 48)]
    assert next(read_from(0)) == {"id": "p0"}
    groups: list[int] = []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, i, **kwargs: groups.append(i) or read(self, i, **kwargs),
    )
    next(read_from(46))
    assert groups == [1]
    made = mix(
        [Stream("p", read_from, rows=48, block=44), member("a", 9)], features=ID, weights="interleave", shuffle=6
    )
    assert sorted(ids(made)) == sorted([f"p{index}" for index in range(48)] + [f"a{index}" for index in range(9)])


def test_in_workers_of_torch_every_row_comes_once_and_resumes() -> None:
    torch = pytest.importorskip("torch", reason="the tests with a DataLoader need torch")
    data = torch.utils.data
    streams = [member("a", 11), member("b", 6, known=False), member("c", 1)]
    made = mix(streams, features=ID, weights="uniform", shuffle=4)

    class Reporting(data.IterableDataset):  # type: ignore[misc, name-defined]
        """Rows with worker and state; resumes each worker from its own state, as a stateful loader does."""

        def __init__(self, states: dict[int, Any]) -> None:
            self.states = states

        def __iter__(self) -> Iterator[tuple[str, int, Any]]:
            worker = data.get_worker_info().id
            if worker in self.states:
                made.load_state_dict(self.states[worker])
            for row in made:
                yield row["id"], worker, made.state_dict()

    def run(states: dict[int, Any]) -> list[tuple[str, int, Any]]:
        return list(data.DataLoader(Reporting(states), batch_size=None, num_workers=3))

    whole = run({})
    assert sorted(name for name, _, _ in whole) == everything(streams)
    assert {worker for _, worker, _ in whole} == {0, 1, 2}
    for after in (4, 9, 15):
        states = {worker: state for _, worker, state in whole[:after]}
        rest = run(states)
        for worker in states:
            assert [n for n, w, _ in whole[after:] if w == worker] == [n for n, w, _ in rest if w == worker]
    plain = data.DataLoader(made, batch_size=None, num_workers=2)
    assert sorted(row["id"] for row in plain) == everything(streams)
    made.set_epoch(1)
    assert sorted(row["id"] for row in plain) == everything(streams)


@pytest.mark.parametrize("shuffle", [0, 4])
def test_a_stateful_loader_resumes_after_any_number_of_rows(shuffle: int) -> None:
    loading = pytest.importorskip("torchdata.stateful_dataloader", reason="resuming workers needs torch and torchdata")
    streams = [member("a", 11), member("b", 6, known=False)]

    def loader() -> Any:
        made = mix(streams, features=ID, weights="uniform", shuffle=shuffle)
        return loading.StatefulDataLoader(made, batch_size=None, num_workers=3)

    whole = ids(loader())
    assert sorted(whole) == everything(streams)
    for after in (0, 1, 2, 5, 16):
        first = loader()
        head = ids(islice(first, after))
        state = first.state_dict()
        resumed = loader()
        resumed.load_state_dict(state)
        assert head + ids(resumed) == whole, f"saved after {after} rows"


def test_the_training_example_of_the_docs_runs(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the training example needs torch")
    text = (Path(__file__).parents[1] / "docs" / "training.md").read_text("utf-8")
    program = tmp_path / "train.py"
    _, _, example = text.split("```python", 1)[1].split("```")[0].partition("\n")  # the first line names extras
    program.write_text(example, "utf-8")
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in done.stdout.splitlines()]
    assert len(losses) == 3 and all(0 < loss < 10 for loss in losses)


def test_no_other_thread_reads_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of Arrow that calls Python while it ends takes the process down with it."""
    from medimg.fusion.parquet import parquet_rows

    readers: set[int] = set()

    class Told(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            readers.add(threading.get_ident())
            return super().read(-1 if size is None else size)

    (path,) = write(tmp_path, ((3, 1, 40),))
    monkeypatch.setattr("fsspec.open", lambda file, mode, **options: Told(file, mode))
    assert len(list(parquet_rows([path], [44], options={}))) == 44
    assert readers == {threading.get_ident()}


def test_parquet_behind_an_address_survives_cut_connections(tmp_path: Path) -> None:
    from medimg.errors import SourceError
    from medimg.fusion.parquet import parquet_rows
    from tests.servers import web

    (path,) = write(tmp_path, ((3, 1, 40),))
    with web() as server:
        server.files["p.parquet"] = Path(path).read_bytes()
        options = {"skip_instance_cache": True, "block_size": 64}
        read_from = partial(parquet_rows, [server.url("p.parquet")], [44], options=options)
        for after in range(0, 44, 6):
            rows = read_from(0)
            got = [next(rows)["id"] for _ in range(after)]
            server.fail = 2
            assert [*got, *(row["id"] for row in rows)] == [f"p{index}" for index in range(44)]
        server.fail = 1000
        with pytest.raises(SourceError, match=r"p\.parquet.*try again"):
            list(read_from(0))
