"""The vocabulary as kept in the store: what any process added, every process sees, and no code is ever given twice."""

import threading
from collections.abc import Iterable

import orjson

from features.vocabulary import Entry, Vocabulary
from serving.store.codes import Codes
from serving.store.tx import Reader, Tx


class Words:
    """A vocabulary that follows the store's table."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self._known: set[Entry] = set()  # those in the table
        self._stale = False
        self._lock = threading.Lock()
        self._codes = Codes()

    def __len__(self) -> int:
        return len(self.vocabulary)

    def forget(self) -> None:
        """Something was rolled back: codes given since may not be in the table."""
        self._stale = True

    def refresh(self, connection: Reader) -> Vocabulary:
        """The same object, grown by what the table has more; a new one only after a roll-back."""
        with self._lock:
            if self._stale:
                self.vocabulary, self._codes, self._stale = Vocabulary(), Codes(), False
                self._known = set()
            rows = connection.execute(
                "SELECT code, entry FROM vocabulary WHERE code >= ? ORDER BY code", (len(self.vocabulary),)
            )
            for code, text in rows:
                entry = orjson.loads(text)
                self._known.add(tuple(entry))
                if self.vocabulary.code(*entry) != code:
                    raise RuntimeError(f"the vocabulary table is inconsistent at code {code}; restore a backup")
            return self.vocabulary

    def holding(self, tx: Tx, entries: Iterable[Entry]) -> Vocabulary:
        """The vocabulary with these entries in it; new ones are given codes and written, inside this transaction."""
        wanted = dict.fromkeys(entries)
        vocabulary = self.refresh(tx)
        if not self._known.issuperset(wanted):
            vocabulary = self.growing(tx)
            known = len(vocabulary)
            for entry in wanted:
                vocabulary.code(*entry)
            self.append(tx, known)
        return vocabulary

    def growing(self, tx: Tx) -> Vocabulary:
        """The vocabulary, which nobody else adds to before this transaction ends: then `append` what was added."""
        tx.alone("vocabulary")
        return self.refresh(tx)

    def codes(self) -> Codes:
        """What each code is to a decision."""
        known = self._codes  # one name for all of it: another thread may put an older or newer one there meanwhile
        if len(known) != len(self.vocabulary):
            known = self._codes = Codes(self.vocabulary.entries)
        return known

    def append(self, tx: Tx, known: int) -> None:
        """Writes the entries from position `known` on, given inside this transaction."""
        fresh = self.vocabulary.entries[known:]
        if not fresh:
            return
        self._known.update(fresh)
        tx.executemany(
            "INSERT INTO vocabulary (code, entry) VALUES (?, ?)",
            [(known + i, orjson.dumps(entry).decode()) for i, entry in enumerate(fresh)],
        )
