"""Sessions, tries to sign in and looks at customers, on each store there is."""

from concurrent.futures import ThreadPoolExecutor

SALT = b"s" * 16


def test_a_session_is_for_a_key_until_it_ends(store, opened):
    store.begin_session("a" * 64, "k" * 64, 1_000, 10).result()
    store.begin_session("b" * 64, "k" * 64, 2_000, 10).result()
    other = opened()
    assert other.session("a" * 64, 999) == "k" * 64, "on every machine"
    assert other.session("a" * 64, 1_000) is None, "over"
    assert other.session("c" * 64, 10) is None
    other.end_session("b" * 64).result()
    assert store.session("b" * 64, 10) is None


def test_sessions_that_are_over_are_forgotten(store, place):
    store.begin_session("a" * 64, "k" * 64, 1_000, 10).result()
    store.begin_session("b" * 64, "k" * 64, 3_000, 1_000).result()
    assert place.query("SELECT hash FROM sessions") == [("b" * 64,)]


def test_tries_are_counted_by_place_and_minute_over_everyone_who_counts(store, opened, place):
    other = opened()
    with ThreadPoolExecutor(8) as pool:
        counted = [
            pool.submit(each.tried(["*", f"10.0.0.{k % 2}"], 7).result) for k in range(10) for each in (store, other)
        ]
        found = sorted(each.result()[0] for each in counted)
    assert found == list(range(1, 21)), "each try is a number of its own"
    assert store.tried(["*", "10.0.0.1"], 7).result() == [21, 11]
    assert store.tried(["*", "10.0.0.1"], 8).result() == [1, 1]
    store.tried(["*"], 18).result()
    kept = sorted(place.query("SELECT place, minute, tries FROM sign_ins"))
    assert kept == [("*", 8, 1), ("*", 18, 1), ("10.0.0.1", 8, 1)]


def test_looks_are_told_to_the_customer_and_go_with_them(store, place):
    store.looked("marketing", ["C1"], "customers/{customer}", 5).result()
    store.looked("admin", ["C1", "C2"], "customers", 4).result()
    assert store.export_customer(["C1"])["looks"] == [
        {"customer_id": "C1", "who": "admin", "page": "customers", "at": 4},
        {"customer_id": "C1", "who": "marketing", "page": "customers/{customer}", "at": 5},
    ]
    assert store.erase(["C1"], SALT, 9).result()["looks"] == 2
    store.looked("marketing", ["C1"], "customers", 10).result()
    store.looked("marketing", ["C3", "C1"], "customers", 11).result()
    left = sorted(place.query("SELECT customer_id FROM looks"))
    assert left == [("C2",), ("C3",)], "whoever was erased leaves no look behind"
