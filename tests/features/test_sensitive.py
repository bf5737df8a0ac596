"""One definition of a sensitive topic, for one row and for a column of them."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sensitive import is_sensitive, on_sensitive, sensitive_topics
from features.workspace import Settings

WRITTEN = st.sampled_from(["health", " Health", "HEALTH\t", "\u2003health", "ΥΓΕΙΑΣ", "υγειας", "healthy", "", None])


@given(st.lists(st.one_of(WRITTEN, st.text(max_size=3))), st.sampled_from([["health"], ["ΥΓΕΙΑΣ "], []]))
def test_a_column_is_judged_as_its_rows_are(topics, listed):
    sensitive = sensitive_topics(Settings(name="x", sensitive_topics=listed))
    by_row = [is_sensitive(topic, sensitive) for topic in topics]
    column = pa.chunked_array([pa.array(topics[:2], pa.string()), pa.array(topics[2:], pa.string())])
    assert on_sensitive(column, sensitive).tolist() == by_row
    assert on_sensitive(pa.chunked_array([column.combine_chunks().dictionary_encode()]), sensitive).tolist() == by_row


@pytest.mark.parametrize("topic", ["health", "Health ", "\thealth"])
def test_case_and_blanks_do_not_matter(topic):
    sensitive = sensitive_topics(Settings(name="x", sensitive_topics=[" HEALTH"]))
    assert on_sensitive(pa.chunked_array([[topic, "healthy", None]]), sensitive).tolist() == [True, False, False]
