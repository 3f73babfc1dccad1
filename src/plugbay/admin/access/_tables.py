"""The tables of users and of what they show to be let in. Steps are only ever appended."""

from __future__ import annotations

COMPONENT = "admin"

STEPS = (
    """
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        password TEXT NOT NULL,
        created REAL NOT NULL
    ) STRICT;
    CREATE TABLE sessions (
        hash BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        csrf TEXT NOT NULL,
        expires REAL NOT NULL
    ) STRICT;
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL
    ) STRICT;
    """,
    # `operator` was also what `publisher` is now: nobody loses what they had.
    """
    ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
    UPDATE users SET roles = CASE role WHEN 'operator' THEN 'operator publisher' ELSE role END;
    ALTER TABLE users DROP COLUMN role;
    ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE users ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
    ALTER TABLE users ADD COLUMN subject TEXT NOT NULL DEFAULT '';
    ALTER TABLE users ADD COLUMN totp BLOB;
    ALTER TABLE users ADD COLUMN totp_pending BLOB;
    ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
    CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject) WHERE subject <> '';
    DELETE FROM sessions;
    ALTER TABLE sessions ADD COLUMN created REAL NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN used REAL NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
    ALTER TABLE tokens ADD COLUMN plugins TEXT NOT NULL DEFAULT '';
    ALTER TABLE tokens ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
    CREATE TABLE recovery_codes (
        hash BLOB PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE refresh_families (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        method TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL NOT NULL
    ) STRICT;
    CREATE TABLE refresh_tokens (
        hash BLOB PRIMARY KEY,
        family TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
        expires REAL NOT NULL,
        used REAL
    ) STRICT;
    CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
    CREATE TABLE trace_keys (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL NOT NULL,
        revoked INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    """,
)
