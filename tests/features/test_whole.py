"""Files that appear whole or not at all."""

import os

import pytest

from features.whole import whole


def test_two_processes_that_write_one_file_do_not_take_each_others_work(tmp_path, monkeypatch):
    target = tmp_path / "bands.csv"
    with whole(target) as ours:
        ours.write_text("ours")
        monkeypatch.setattr(os, "getpid", lambda: 7)
        with whole(target) as theirs:
            theirs.write_text("theirs")
        assert target.read_text() == "theirs"
    assert target.read_text() == "ours"
    assert os.listdir(tmp_path) == ["bands.csv"]


def test_what_broke_off_leaves_what_was_there(tmp_path):
    target = tmp_path / "bands.csv"
    target.write_text("before")

    def breaks():
        with whole(target) as own:
            own.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        breaks()
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["bands.csv"]
