"""The SQLite file's tables, as numbered steps. A step is never edited once released: add the next one."""

import sqlite3
from collections.abc import Iterator

APPLICATION = 0x74616374  # "tact": tells our file from anyone else's

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE customers (
        customer_id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        seen_to INTEGER NOT NULL,
        profile BLOB,
        state BLOB
    );
    CREATE TABLE vocabulary (code INTEGER PRIMARY KEY, entry TEXT NOT NULL UNIQUE);
    CREATE TABLE seen (id INTEGER PRIMARY KEY);
    CREATE TABLE absorbed (batch_id TEXT PRIMARY KEY, rows INTEGER NOT NULL);
    CREATE TABLE interactions (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        customer_id TEXT NOT NULL,
        body BLOB NOT NULL
    );
    CREATE TABLE decisions (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        decision_id TEXT NOT NULL UNIQUE,
        request_id TEXT UNIQUE,
        fingerprint TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        action TEXT,
        body BLOB NOT NULL
    );
    CREATE TABLE contacts (
        contact_id TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        action TEXT NOT NULL,
        issue TEXT NOT NULL,
        grp TEXT NOT NULL,
        channel TEXT NOT NULL,
        counts INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'claimed', 'sent', 'failed', 'expired')),
        reserved_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        touched_at INTEGER,
        closed_at INTEGER,
        breach INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX contacts_holding ON contacts (customer_id) WHERE state IN ('reserved', 'claimed', 'sent');
    CREATE INDEX contacts_by_decision ON contacts (decision_id);
    CREATE TABLE contact_log (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        contact_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE TABLE keys (
        name TEXT NOT NULL,
        hash TEXT PRIMARY KEY,
        scope TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    );
    CREATE TABLE synced (log TEXT PRIMARY KEY, position INTEGER NOT NULL);
    """,
    """
    CREATE TABLE attributes (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        customer_id TEXT NOT NULL,
        body BLOB NOT NULL
    );
    """,
    """
    CREATE TABLE links (position INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
    CREATE TABLE edges (
        identifier TEXT NOT NULL,
        kind TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        valid_from INTEGER NOT NULL,
        linked INTEGER NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (identifier, kind, customer_id)
    ) WITHOUT ROWID;
    CREATE INDEX edges_of_customer ON edges (customer_id);
    CREATE TABLE persons (raw TEXT PRIMARY KEY, customer_id TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX persons_by_customer ON persons (customer_id);
    CREATE TRIGGER person_changes AFTER UPDATE OF version ON customers
    WHEN EXISTS (SELECT 1 FROM persons WHERE raw = NEW.customer_id AND customer_id <> raw)
    BEGIN
        UPDATE customers SET version = version + 1
        WHERE customer_id = (SELECT customer_id FROM persons WHERE raw = NEW.customer_id);
    END;
    CREATE TABLE identity_kinds (kinds TEXT NOT NULL);
    """,
    """
    ALTER TABLE customers ADD COLUMN assigned_at INTEGER;
    ALTER TABLE customers ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE interactions ADD COLUMN at INTEGER;
    ALTER TABLE attributes ADD COLUMN at INTEGER;
    ALTER TABLE links ADD COLUMN at INTEGER;
    ALTER TABLE links ADD COLUMN identifier TEXT;
    ALTER TABLE links ADD COLUMN customer_id TEXT;
    UPDATE interactions SET at = json_extract(CAST(body AS TEXT), '$.occurred_at');
    UPDATE attributes SET at = json_extract(CAST(body AS TEXT), '$.received_at');
    UPDATE links SET at = json_extract(CAST(body AS TEXT), '$.received_at'),
        identifier = json_extract(CAST(body AS TEXT), '$.identifier'),
        customer_id = json_extract(CAST(body AS TEXT), '$.customer_id');
    CREATE TABLE contacts_now (
        contact_id TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        action TEXT NOT NULL,
        issue TEXT NOT NULL,
        grp TEXT NOT NULL,
        channel TEXT NOT NULL,
        counts INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'claimed', 'sent', 'failed', 'expired', 'ghost')),
        reserved_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        touched_at INTEGER,
        closed_at INTEGER,
        breach INTEGER NOT NULL DEFAULT 0,
        tags TEXT NOT NULL DEFAULT '[]',
        purpose TEXT NOT NULL DEFAULT 'marketing',
        local_day TEXT,
        zone TEXT,
        respond_by INTEGER,
        claim_id TEXT
    );
    INSERT INTO contacts_now (contact_id, customer_id, decision_id, action, issue, grp, channel, counts, state,
        reserved_at, expires_at, touched_at, closed_at, breach)
        SELECT contact_id, customer_id, decision_id, action, issue, grp, channel, counts, state,
        reserved_at, expires_at, touched_at, closed_at, breach FROM contacts;
    DROP TABLE contacts;
    ALTER TABLE contacts_now RENAME TO contacts;
    CREATE INDEX contacts_holding ON contacts (customer_id) WHERE state IN ('reserved', 'claimed', 'sent', 'ghost');
    CREATE INDEX contacts_by_decision ON contacts (decision_id);
    CREATE INDEX contacts_of_customer ON contacts (customer_id);
    CREATE INDEX contact_log_of_contact ON contact_log (contact_id);
    CREATE INDEX interactions_of_customer ON interactions (customer_id);
    CREATE INDEX decisions_of_customer ON decisions (customer_id);
    CREATE INDEX attributes_of_customer ON attributes (customer_id);
    CREATE TABLE leases (
        action TEXT NOT NULL, day TEXT NOT NULL, granted INTEGER NOT NULL, PRIMARY KEY (action, day)
    ) WITHOUT ROWID;
    CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        outbox_id TEXT NOT NULL UNIQUE,
        customer_id TEXT NOT NULL,
        channel TEXT,
        contact_id TEXT,
        decision_id TEXT,
        body BLOB NOT NULL,
        due_at INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        done_at INTEGER
    );
    CREATE INDEX outbox_due ON outbox (due_at) WHERE done_at IS NULL;
    CREATE INDEX outbox_waiting ON outbox (position) WHERE done_at IS NULL;
    CREATE INDEX outbox_of_customer ON outbox (customer_id);
    CREATE TABLE nudges (
        customer_id TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (customer_id, name)
    ) WITHOUT ROWID;
    CREATE TABLE tombstones (hash TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE salts (salt TEXT PRIMARY KEY) WITHOUT ROWID;
    """,
    """
    ALTER TABLE contacts ADD COLUMN settled_at INTEGER;
    CREATE INDEX contacts_unsettled ON contacts (respond_by) WHERE settled_at IS NULL AND state IN ('claimed', 'sent');
    """,
    """
    CREATE TABLE states (customer_id TEXT PRIMARY KEY, state BLOB NOT NULL);
    INSERT INTO states (customer_id, state) SELECT customer_id, state FROM customers WHERE state IS NOT NULL;
    ALTER TABLE customers DROP COLUMN state;
    """,
    """
    ALTER TABLE decisions ADD COLUMN number INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE placed (
        position INTEGER NOT NULL,
        place INTEGER NOT NULL,
        decision_id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        job TEXT NOT NULL,
        action TEXT,
        PRIMARY KEY (position, place)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX placed_by_decision ON placed (decision_id);
    CREATE INDEX placed_of_customer ON placed (customer_id, job);
    """,
    """
    DROP INDEX contacts_unsettled;
    CREATE INDEX contacts_unsettled ON contacts (respond_by) WHERE settled_at IS NULL AND state = 'sent';
    """,
    """
    CREATE TABLE sessions (hash TEXT PRIMARY KEY, key_hash TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE sign_ins (
        place TEXT NOT NULL, minute INTEGER NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (place, minute)
    ) WITHOUT ROWID;
    CREATE TABLE looks (at INTEGER NOT NULL, who TEXT NOT NULL, customer_id TEXT NOT NULL);
    CREATE INDEX looks_of_customer ON looks (customer_id);
    """,
    """
    ALTER TABLE looks ADD COLUMN page TEXT NOT NULL DEFAULT 'customers/{customer}';
    """,
)
VERSION = len(STEPS)


class WrongFile(Exception):
    """The file is no store of ours, or one from a newer version."""


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Brings the file to this version, one transaction; safe to be run by several processes at once.

    Raises WrongFile. The connection must be in autocommit mode.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION and tables:
            raise WrongFile(f"{name} is a database, but not a Tactful store; name another file in tactful.yaml")
        if version > VERSION:
            raise WrongFile(
                f"{name} was written by a newer Tactful (schema {version}, this one knows {VERSION}); upgrade Tactful"
            )
        for step in STEPS[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(step: str) -> Iterator[str]:
    """One by one; the semicolons inside a trigger end none."""
    statement = ""
    for piece in step.split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
