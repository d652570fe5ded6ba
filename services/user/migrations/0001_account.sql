-- Accounts, their sessions, and the key that signs access tokens.

CREATE TABLE account (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL CHECK (octet_length(email) BETWEEN 3 AND 254),
    name          text NOT NULL CHECK (char_length(name) BETWEEN 2 AND 50),
    role          text NOT NULL CHECK (role IN ('USER', 'ADMIN')),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    signup_id     bytea CHECK (octet_length(signup_id) = 16), -- of the Idempotency-Key that made it
    created_at    timestamptz NOT NULL
);

-- Unique whatever the case. E-mail addresses are ASCII here, so the C collation is exact.
CREATE UNIQUE INDEX account_email ON account (lower(email COLLATE "C"));

-- One row for each family of refresh tokens: only the newest token of a family is good, and its
-- secret is kept as a hash. A revoked family has no row.
CREATE TABLE session (
    family      bytea PRIMARY KEY CHECK (octet_length(family) = 16),
    user_id     bigint NOT NULL REFERENCES account,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at  timestamptz NOT NULL,
    rotated_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX session_of_user ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

-- The key that all replicas share when none is configured: whoever inserts first decides.
CREATE TABLE signing_key (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    private_pem text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT baro_now()
);
