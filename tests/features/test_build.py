"""Building tables of features: split, resumed, brought up to date, always what one computation in memory gives."""

import errno
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from building import CUTOFFS, DAY, START, TIGHT, built, content, log, run, same, whole, workspace
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from features import attributes
from features.buckets import Keys, bucket_of
from features.catalogue import DEFAULT, of
from features.clock import isoformat
from features.engine.build import build
from features.engine.command import build_features
from features.engine.cutoffs import parse_memory
from features.engine.merge import merged
from features.engine.reading import BASE
from features.engine.result import Staging
from features.engine.spill import Distinct
from features.hashing import hash_strings
from features.history import History, conform
from features.identity import links
from features.interactions import INSTANT
from features.manifest import Manifest
from features.workspace import Workspace, WorkspaceError

app = typer.Typer()
app.command()(build_features)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a workspace that holds `log()`, `shop`, and what a build in little room gave, `out`; only read."""
    folder = tmp_path_factory.mktemp("made")
    run(workspace(folder, log()), folder / "out")
    return folder


@pytest.fixture
def opened(made, tmp_path) -> Workspace:
    """That workspace, to be changed."""
    return Workspace.open(shutil.copytree(made / "shop", tmp_path / "shop"))


@pytest.fixture
def out(made, tmp_path, opened):
    """That result, to be brought up to date with `opened`."""
    return shutil.copytree(made / "out", tmp_path / "out")


def test_many_buckets_give_what_one_computation_gives(tmp_path):
    """Of the whole catalogue."""
    opened = workspace(tmp_path, log(), catalogue=None)
    wanted = whole(opened, log())
    assert tuple(wanted.column_names[2:]) == DEFAULT.names
    for memory in (BASE + (1 << 20), 4 << 30):
        out = tmp_path / f"out-{memory}"
        done = run(opened, out, memory=memory)
        same(built(out), wanted)
        assert done.rows == wanted.num_rows
        assert (done.manifest.buckets > 4) == (memory < 4 << 30)
        assert len(content(out)) == done.manifest.buckets


def test_rows_are_by_cutoff_then_customer_within_a_bucket(made):
    buckets = Manifest.read(made / "out").buckets
    assert buckets > 4
    for bucket in range(buckets):
        part = pq.read_table(made / "out" / f"part-{bucket:05d}.parquet")
        keys = list(zip(part["as_of"].to_pylist(), part["customer_id"].to_pylist(), strict=True))
        assert keys == sorted(keys)
        assert set(bucket_of(part["customer_id"], buckets)) <= {bucket}


def test_one_file_holds_all_buckets_and_the_manifest(tmp_path, opened):
    out = tmp_path / "f.parquet"
    done = run(opened, out)
    same(built(out), whole(opened, log()))
    assert Manifest.read(out) == done.manifest
    assert len(done.manifest.groups) == done.manifest.buckets > 4
    assert [path.name for path in tmp_path.iterdir() if "f.parquet" in path.name] == ["f.parquet"]


def test_a_guess_that_was_too_low_splits_further(tmp_path, monkeypatch):
    opened = workspace(tmp_path, log(), catalogue=None)
    for guess in (1, 3):
        monkeypatch.setattr("features.engine.reading.Reading.guess", lambda _self, n=guess: n)
        monkeypatch.setattr("features.engine.spill.CHUNK_ROWS", 500)
        out = tmp_path / f"out{guess}"
        assert run(opened, out, memory=BASE + (1 << 19)).manifest.buckets > 3
        same(built(out), whole(opened, log()))


def test_the_manifest_says_what_it_is_and_the_fingerprint_minds_no_order(tmp_path):
    table = log(300)
    opened = workspace(tmp_path / "a", table)
    one = run(opened, tmp_path / "a.parquet", memory=BASE + (1 << 17)).manifest
    order = np.random.default_rng(0).permutation(table.num_rows)
    shuffled = table.take(pa.array(order))
    other = run(workspace(tmp_path / "b", shuffled.slice(0, 99), shuffled.slice(99)), tmp_path / "b.parquet").manifest
    assert one.buckets > 1
    assert one.data == other.data
    assert one.catalogue == of(opened).version
    assert one.features == of(opened).names
    assert one.cutoffs == tuple(isoformat(cutoff) for cutoff in CUTOFFS)
    assert one.words["channel"] == ["email", "fax", "web"]
    assert "topic" not in one.words
    values = table["value"].to_pylist()
    values[5] = 1.0 if values[5] is None else values[5] + 0.01
    changed = table.set_column(table.column_names.index("value"), "value", pa.array(values, pa.float64()))
    assert run(workspace(tmp_path / "c", changed), tmp_path / "c.parquet").manifest.data != one.data


def test_manifests_tell_what_does_not_fit(tmp_path):
    opened = workspace(tmp_path, log(300), catalogue=None)
    out = tmp_path / "f.parquet"
    said = run(opened, out).manifest
    said.check(out, DEFAULT, opened.settings)
    said.check(out, DEFAULT, opened.settings, said)
    fewer = type(DEFAULT)(DEFAULT.features[:-1])
    with pytest.raises(WorkspaceError, match=rf"does not fit: catalogue .* \(not both have {DEFAULT.names[-1]}\)"):
        said.check(out, fewer, opened.settings)
    with pytest.raises(WorkspaceError, match=r"`channels` of tactful\.yaml differs"):
        said.check(out, DEFAULT, opened.settings.model_copy(update={"channels": ["web"]}))
    with pytest.raises(WorkspaceError, match="the interactions are others"):
        said.check(out, DEFAULT, opened.settings, replace(said, data="1-0-0"))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(WorkspaceError, match=r"no table of features: its metadata have no manifest"):
        Manifest.read(tmp_path / "x.parquet")
    with pytest.raises(WorkspaceError, match="there is no such file"):
        Manifest.read(tmp_path / "y.parquet")


# --- up to date ---


@pytest.mark.parametrize(("name", "memory"), [("out", TIGHT), ("out.parquet", TIGHT), ("out.parquet", 4 << 30)])
def test_a_new_day_recomputes_whom_it_touches_and_equals_a_full_build(tmp_path, opened, name, memory):
    old, out = log(), tmp_path / name
    assert run(opened, out, memory=memory).recomputed is None
    new = log(40, customers=120, seed=9, first=10_000, days=(1, 45))
    History(opened).append(conform(pa.concat_tables([new, old.slice(0, 5)])), "a new day")
    done = run(opened, out, memory=memory)
    seen = [row for row in new.to_pylist() if row["occurred_at"] < _at(CUTOFFS[-1]) >= row["received_at"]]
    assert done.recomputed == len({row["customer_id"] for row in seen}) > 10
    fresh = tmp_path / f"fresh-{name}"
    full = run(opened, fresh, memory=memory)
    same(built(out), built(fresh))
    same(built(out), whole(opened, pa.concat_tables([old, new])))
    assert (done.manifest.data, done.manifest.rows) == (full.manifest.data, full.manifest.rows)
    if name == "out" and done.manifest.buckets == full.manifest.buckets:
        assert content(out) == content(fresh), "to the last byte"


def test_nothing_new_touches_nothing(opened, out):
    first = Manifest.read(out)
    before = (out / "_manifest.json").stat().st_ino
    again = run(opened, out)
    assert (again.recomputed, again.manifest) == (0, first)
    assert (out / "_manifest.json").stat().st_ino == before
    later = log(50, seed=3, first=20_000, days=(60, 70))
    History(opened).append(conform(later), "after every cutoff")
    assert run(opened, out).recomputed == 0
    same(built(out), whole(opened, log()))


def test_a_folder_is_a_data_set_to_any_reader(made):
    rows = Manifest.read(made / "out").rows
    assert pq.read_table(made / "out").num_rows == rows > 0
    assert len(pd.read_parquet(made / "out")) == rows


def test_untouched_parts_are_taken_over_as_they_are(opened, out):
    n = Manifest.read(out).buckets
    before = {path.name: path.stat().st_ino for path in out.glob("part-*")}
    one = log(1, customers=1, seed=5, first=30_000, days=(2, 3))
    History(opened).append(conform(one), "one row")
    assert run(opened, out).recomputed == 1
    changed = {path.name for path in out.glob("part-*") if before[path.name] != path.stat().st_ino}
    assert changed == {f"part-{bucket_of(one['customer_id'], n)[0]:05d}.parquet"}


def test_other_cutoffs_or_settings_build_anew(opened, out):
    assert build(opened, CUTOFFS[:2], out, memory=TIGHT).recomputed is None
    same(built(out), whole(opened, log(), CUTOFFS[:2]))
    (opened.folder / "tactful.yaml").write_text("sensitive_topics: [billing]\n")
    stricter = Workspace.open(opened.folder)
    assert build(stricter, CUTOFFS[:2], out, memory=TIGHT).recomputed is None
    same(built(out), whole(stricter, log(), CUTOFFS[:2]))


def test_attributes_and_links_are_split_with_their_customers_and_bring_news(tmp_path):
    opened = workspace(tmp_path, log(), settings="attributes: {age: number}\n")
    history, out = History(opened), tmp_path / "out"
    history.append_attributes(_ages([("c1", 30), ("c2", 40), ("c17", 50), ("nobody", 5)]), "crm")
    history.append_links(_links([("c3", "c4"), ("c5", "c6")]), "logins")
    run(opened, out)
    same(built(out), whole(opened, history.past()))
    history.append_attributes(_ages([("c2", 41), ("c60", 9)]), "crm")
    history.append_links(_links([("c4", "c7"), ("c30", "c31")]), "logins")
    done = run(opened, out)
    assert done.recomputed == 4, "c2, c60, who was c3, c4 and c7, and who was c30 and c31"
    same(built(out), whole(opened, history.past()))
    history.append_links(_links([("c3", None)], "erase"), "a request")
    run(opened, out)
    found = built(out)
    same(found, whole(opened, history.past()))
    assert "c3" not in found["customer_id"].to_pylist()


def test_keys_follow_representatives():
    ids = pa.array(["ann", "bob", None, "cid", "bob"])
    plain = Keys().of(ids)
    linked = Keys({"bob": "ann", "zoe": "ann"}).of(ids.dictionary_encode())
    assert linked.tolist() == [plain[0], plain[0], 0, plain[3], plain[0]]
    assert (bucket_of(ids, 7) == (plain % 7)).all()


def test_the_command_says_what_it_did(tmp_path):
    pq.write_table(log(200), tmp_path / "log.parquet")
    opened, out = workspace(tmp_path), tmp_path / "out"
    more = ("--source", str(tmp_path / "log.parquet"), "--memory", "1GB")
    assert f" rows (1 cutoffs) in {out}" in _command(opened, out, *more, code=0)
    assert "It was built before: nothing new was known." in _command(opened, out, *more, code=0)
    assert "write a number and a unit" in _command(opened, out, "--memory", "some", code=2)


KEYS = st.sets(st.tuples(st.integers(0, 3), st.sampled_from("abcdefgh")), max_size=24)


@given(KEYS, st.sets(st.sampled_from("abcdefgh")), st.lists(st.integers(0, 24), max_size=4), st.integers(1, 9))
def test_merging_gives_the_order_of_a_full_build_wherever_tables_are_cut(keys, touched, cuts, group):
    def table(rows):
        at = pa.array([cutoff for cutoff, _ in rows], pa.int64()).cast(INSTANT)
        return pa.table({"customer_id": pa.array([who for _, who in rows], pa.string()), "as_of": at})

    kept = sorted(key for key in keys if key[1] not in touched)
    fresh = sorted(key for key in keys if key[1] in touched)
    edges = sorted({0, len(kept), *(cut for cut in cuts if cut < len(kept))})
    earlier = [table(kept[start:end]) for start, end in itertools.pairwise(edges)]
    later = [table(fresh[start : start + group]) for start in range(0, len(fresh), group)]
    found = [table([]), *merged(iter(earlier), iter(later))]
    assert pa.concat_tables(found).equals(table(sorted(keys)))


def test_customers_are_counted_nearly():
    for customers in (10, 5_000, 900_000):
        counter = Distinct()
        for part in range(3):
            counter.add(hash_strings(pa.array([f"customer {number}" for number in range(part, customers)])))
        assert int(counter) == pytest.approx(customers, rel=0.01)


# --- interrupted ---


def _stopped(monkeypatch, after: int, error: BaseException = KeyboardInterrupt()):
    """`error` strikes when `after` parts are written; returns the list of buckets written."""
    write, parts = Staging.write, []

    def struck(self, bucket, tables, schema):
        if len(parts) == after:
            list(tables)
            raise error
        parts.append(bucket)
        write(self, bucket, tables, schema)

    monkeypatch.setattr(Staging, "write", struck)
    return parts


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_a_stopped_build_goes_on_where_it_was(tmp_path, opened, monkeypatch, name):
    out = tmp_path / name
    with monkeypatch.context() as patch:
        parts = _stopped(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(opened, out)
    assert not out.exists()
    assert Staging(out).finished() == set(parts)
    assert not Staging(out).spill.exists()
    with monkeypatch.context() as patch:
        rest = _stopped(patch, 10_000)
        done = run(opened, out)
    assert sorted([*parts, *rest]) == list(range(done.manifest.buckets))
    same(built(out), whole(opened, log()))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "shop"])


def test_what_was_begun_for_something_else_is_not_taken_up(tmp_path, opened, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        _stopped(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(opened, out)
    History(opened).append(conform(log(10, seed=4, first=50_000, days=(18, 22))), "meanwhile")
    run(opened, out)
    same(built(out), whole(opened, History(opened).interactions()))


def test_an_interrupted_update_leaves_the_old_result_and_goes_on(opened, out, monkeypatch):
    before = content(out)
    History(opened).append(conform(log(60, seed=4, first=50_000, days=(18, 22))), "a new day")
    with monkeypatch.context() as patch:
        _stopped(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(opened, out)
    assert content(out) == before
    run(opened, out)
    same(built(out), whole(opened, History(opened).interactions()))


def test_ctrl_c_is_one_line_and_exit_code_130(tmp_path, monkeypatch):
    opened, out = workspace(tmp_path, log(300, days=(18, 22))), tmp_path / "out"
    _stopped(monkeypatch, 0)
    said = _command(opened, out, code=130)
    assert said.strip() == f"stopped: {out} is as it was"
    assert not out.exists()


def test_a_kill_between_the_last_renames_loses_nothing(tmp_path, opened, out, monkeypatch):
    before = content(out)
    History(opened).append(conform(log(60, seed=4, first=50_000, days=(18, 22))), "a new day")

    def killed(new, old):
        old.rename(new.with_name("replaced"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("features.engine.result._exchange", killed)
        with pytest.raises(KeyboardInterrupt):
            run(opened, out)
    assert content(out) == before
    os.rename(out, tmp_path / ".out.building" / "replaced")  # as it lies where the process is killed
    assert run(opened, out).recomputed, "the old result is back, and brought up to date"
    same(built(out), whole(opened, History(opened).interactions()))


def test_a_full_disk_is_one_line_and_leaves_the_old_result(opened, out):
    before = content(out)
    History(opened).append(conform(log(500, seed=4, first=50_000, days=(18, 22))), "a new day")
    for memory in (TIGHT, 4 << 30):
        with _largest_file(3_000), pytest.raises(WorkspaceError, match="cannot be written: File too large; what was"):
            build(opened, CUTOFFS, out, memory=memory)
        assert content(out) == before
        assert not Staging(out).folder.exists()
    run(opened, out)
    same(built(out), whole(opened, History(opened).interactions()))


def test_no_space_left_is_told_as_such(tmp_path, monkeypatch):
    opened, out = workspace(tmp_path, log(300, days=(18, 22))), tmp_path / "out.parquet"
    out.write_bytes(b"old")
    _stopped(monkeypatch, 0, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    said = _command(opened, out, code=2)
    assert said.strip() == f"error: {out}: cannot be written: No space left on device; what was there is unchanged"
    assert out.read_bytes() == b"old"


def test_two_builds_of_one_result_do_not_mix(tmp_path):
    opened, out = workspace(tmp_path, log(300, days=(18, 22))), tmp_path / "out"
    other = Staging(out)
    with other.locked():
        other.spill.mkdir(parents=True)
        with pytest.raises(WorkspaceError, match="another build is writing it"):
            run(opened, out)
        assert other.spill.exists()
    run(opened, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shop"]


def test_a_result_that_lost_a_part_is_built_anew(tmp_path):
    opened, out = workspace(tmp_path, log(600)), tmp_path / "out"
    run(opened, out)
    (out / "part-00000.parquet").unlink()
    assert run(opened, out).recomputed is None
    cut = (out / "part-00000.parquet").read_bytes()[:-9]
    (out / "part-00000.parquet").write_bytes(cut)
    assert run(opened, out).recomputed is None
    same(built(out), whole(opened, log(600)))


def test_foreign_things_are_not_replaced(tmp_path):
    opened = workspace(tmp_path, log(300, days=(18, 22)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "f.parquet").mkdir()
    (tmp_path / "file").write_text("x")
    for name, why in (("mine", "other things in it"), ("f.parquet", "is a folder"), ("file", "is a file")):
        with pytest.raises(WorkspaceError, match=why):
            run(opened, tmp_path / name)
    with pytest.raises(WorkspaceError, match="does not exist"):
        run(opened, tmp_path / "no" / "where")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_sizes_are_read_and_refused(tmp_path):
    assert parse_memory("4GB") == 4 << 30
    assert parse_memory("1.5g") == 3 << 29
    assert parse_memory("2048MB") == 2 << 30
    for text, why in (("much", "write a number and a unit"), ("300MB", "at least 1GB")):
        with pytest.raises(WorkspaceError, match=why):
            parse_memory(text)


@pytest.mark.slow
def test_kill_9_half_way_then_on(tmp_path):
    table = log(200_000, customers=20_000)
    opened, out = workspace(tmp_path, table.slice(0, 150_000), catalogue=None), tmp_path / "out"
    run(opened, out, memory=BASE + (16 << 20))
    before = content(out)
    History(opened).append(conform(table.slice(150_000)), "more")
    for done in (2, 4, 6):
        asked = [sys.executable, "-c", _CHILD, str(opened.folder), str(out), json.dumps(CUTOFFS)]
        with subprocess.Popen(asked, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"half way\n"
            child.send_signal(signal.SIGKILL)
        assert content(out) == before, "the old result is whole until the new one is"
        assert len(Staging(out).finished()) == done
    run(opened, out, memory=BASE + (16 << 20))
    same(built(out), whole(opened, table))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shop"]


#: Writes two parts and half of a third, and waits there to be killed.
_CHILD = """
import json, signal, sys
from pathlib import Path
from features.engine.build import build
from features.engine.reading import BASE
from features.engine.result import Staging
from features.workspace import Workspace
write, written = Staging.write, []
def half_way(self, bucket, tables, schema):
    if len(written) == 2:
        self.part(bucket).with_suffix(".tmp").write_bytes(b"half")
        print("half way", flush=True)
        signal.pause()
    write(self, bucket, tables, schema)
    written.append(bucket)
Staging.write = half_way
build(Workspace.open(sys.argv[1]), json.loads(sys.argv[3]), Path(sys.argv[2]), memory=BASE + (16 << 20))
"""


@pytest.mark.slow
def test_one_customer_of_five_million_interactions(tmp_path):
    rows = 5_000_000
    heavy = log(rows, customers=1, days=(0, 40))
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.concat_tables([heavy, log(2000, first=rows)]), source)
    opened = workspace(tmp_path, catalogue=None)
    run(opened, out, source, memory=2 << 30)  # what grows with the square of a customer's rows would never end
    found = {row["customer_id"]: row for row in built(out).select(["customer_id", "as_of"]).to_pylist()}
    assert len(found) == 90


@pytest.mark.slow
def test_memory_stays_within_the_bound(tmp_path):
    """Six million rows of 600,000 customers at six cutoffs would take several times the gigabyte that they may have."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(6):
        rows = log(1_000_000, customers=600_000, seed=number, first=number * 1_000_000)
        pq.write_table(rows, source / f"{number}.parquet")
    opened = workspace(tmp_path, catalogue=None)
    child = subprocess.Popen([sys.executable, "-c", _BOUNDED, str(opened.folder), str(source), str(out)])
    process, peak = psutil.Process(child.pid), 0
    while child.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.02)
    assert child.wait() == 0
    assert peak < 1.25 * (1 << 30)
    said = Manifest.read(out)
    assert said.buckets > 4
    assert said.rows > 6 * 400_000


_BOUNDED = f"""
import sys
from pathlib import Path
from features.engine.build import build
from features.workspace import Workspace
cutoffs = [{START} + day * {DAY} for day in (15, 20, 25, 30, 35, 40)]
build(Workspace.open(sys.argv[1]), cutoffs, Path(sys.argv[3]), sys.argv[2], memory=1 << 30)
"""


def _command(opened: Workspace, out, *more: str, code: int) -> str:
    asked = ["--as-of", isoformat(CUTOFFS[0]), "--out", str(out), "-w", str(opened.folder), *more]
    result = CliRunner().invoke(app, asked, env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


@contextmanager
def _largest_file(size: int):
    """Files that grow beyond `size` bytes fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _at(us: int):
    return pa.scalar(us, pa.timestamp("us", tz="UTC")).as_py()


def _ages(records: list[tuple[str, int]]) -> pa.Table:
    return attributes.conform(
        pa.table(
            {
                "customer_id": [customer for customer, _ in records],
                "valid_from": pa.array([START + 25 * DAY] * len(records), pa.int64()).cast(
                    pa.timestamp("us", tz="UTC")
                ),
                "attributes": [json.dumps({"age": age}) for _, age in records],
            }
        )
    )


def _links(pairs: list[tuple[str, str | None]], op: str = "link") -> pa.Table:
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    return links.links_from(left, ["customer"] * len(pairs), right, [START + 10 * DAY] * len(pairs), [op] * len(pairs))
