"""Files that say too much, or what nothing can be made of: one line with the file and the line, in no time."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from features import yaml_text
from features.workspace import Settings, WorkspaceError, read_yaml


def bomb(levels=9, width=9, kind="list"):
    """A few lines that stand for width ** levels values."""
    lines = ["a0: &a0 {x: lol}" if kind == "merge" else "a0: &a0 lol"]
    for level in range(1, levels + 1):
        names = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} " + {"list": f"[{names}]", "merge": f"{{<<: [{names}]}}"}[kind])
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(), "more than 200,000 values"),
        (bomb(kind="merge"), "more than 200,000 values"),
        ("a: &a " + "x" * 900_000 + "\nb: [" + "*a, " * 2_000 + "]", "more than 200,000 values"),
        ("a: &a [1, *a]", "an alias inside of what it stands for"),
        ("name: " + "y" * yaml_text.LONGEST, "longer than 1,000,000 bytes"),
        ("a: 1" + ":59" * 200_000, "600,001 characters that is no text"),
        ("a: " + "9" * 5_000, "5,000 characters that is no text"),
        ("caps: [1]\nname: x\ncaps: [2]", "line 3: not valid YAML: the key 'caps' is there twice"),
        ("name: x\na: {b: 1, b: 1}", "line 2: not valid YAML: the key 'b' is there twice"),
        ("name: x\na: 2026-13-45", "line 2: not valid YAML"),
        ("a: !!timestamp x", "line 1: not valid YAML"),
        ("a: !!bool 3", "line 1: not valid YAML"),
        ('a: !!int ""', "line 1: not valid YAML"),
        ("a: " + "[" * 50_000, "nested too deeply"),
    ],
    ids=[
        "aliases",
        "merges",
        "text",
        "cycle",
        "long",
        "sixties",
        "digits",
        "twice",
        "inside",
        "date",
        "instant",
        "bool",
        "int",
        "deep",
    ],
)
def test_what_a_file_may_not_say_is_one_line(tmp_path, text, message):
    path = tmp_path / "tactful.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(WorkspaceError) as caught:
        read_yaml(path, Settings)
    told = str(caught.value)
    assert message in told
    assert told.startswith(str(path))
    assert "\n" not in told
    assert len(told) < len(str(path)) + 300
    assert time.process_time() - began < 60  # a hang is all that takes so long


def test_a_file_that_is_far_too_long_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "endless.yaml"
    with path.open("wb") as file:
        file.truncate(50 << 30)
    with pytest.raises(WorkspaceError, match="longer than 1,000,000 bytes"):
        read_yaml(path, Settings)


def test_aliases_and_merges_mean_what_they_do_elsewhere():
    text = "base: &base {a: 1, b: [x, y]}\nmore: {<<: *base, a: 2}\nlist: [*base, *base]\nempty:\nday: 2026-05-04\n"
    assert yaml_text.load(text.encode()) == yaml.safe_load(text)
    assert yaml_text.load(b"") is None


#: PyYAML writes line breaks of other alphabets into keys so that it does not read them itself.
text = st.text(st.characters(exclude_characters="\x85\u2028\u2029", exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_whatever_is_written_plainly_is_read_as_it_is(value):
    assert yaml_text.load(yaml.safe_dump(value, allow_unicode=True).encode()) == value


@given(st.text(alphabet="ab&*:<>[]{}-!#|%@\n \t'\"09,?.", max_size=60))
def test_any_text_is_read_or_refused_in_a_known_way(text):
    try:
        found = yaml_text.load(text.encode())
    except (yaml.YAMLError, RecursionError):
        return
    assert found == yaml.safe_load(text)


@pytest.mark.parametrize("written", ["010", "-007", "21:00", "1:30:00", "1:30.5"])
def test_numbers_that_only_yaml_takes_for_one_are_refused_where_they_stand(written):
    """A value of 010 was 8, a cost of `{cost: 0,05}` a key named 5."""
    with pytest.raises(yaml.YAMLError, match="is the number"):
        yaml_text.load(f"value: {written}".encode())
    assert yaml_text.load(f"value: '{written}'".encode()) == {"value": written}
    assert yaml_text.load(b"[0, 0.05, 10, 1_000, 2026-05-01T10:00:00Z, 0x1f]")[:4] == [0, 0.05, 10, 1000]
