-- The shop's tables, the same in each language.
-- Amounts are whole hundredths of INR: integers add up exactly, and SQLite has no decimals. Never use REAL for money.
PRAGMA busy_timeout = 2000;
PRAGMA synchronous = FULL; -- what is committed is on disk before an event is answered

CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, -- the label at the provider
    balance INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0),
    stopped INTEGER NOT NULL DEFAULT 0 -- 1: no further withdrawals, until somebody has looked and writes 0
) STRICT;

CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users,
    amount INTEGER NOT NULL,
    -- new: the API has not answered yet; registered; refused: the API refused it
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'registered', 'refused')),
    params TEXT, -- what the user needs to pay, as JSON
    link TEXT, -- of the payment window
    message TEXT NOT NULL DEFAULT '', -- the API's last answer
    -- the newest event, and its place in the order of events
    event TEXT NOT NULL DEFAULT '', generation INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE IF NOT EXISTS withdrawals (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users,
    amount INTEGER NOT NULL, -- the row exists as long as this is taken from the balance, or was given back
    account_number TEXT NOT NULL,
    -- new: not known to be recorded, so the request is sent again; sent: recorded; paid; failed: the money was given back;
    -- held: the API refused it, and a person decides
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'paid', 'failed', 'held')),
    message TEXT NOT NULL DEFAULT '',
    event TEXT NOT NULL DEFAULT '', generation INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- What was credited. The key is the payment, so that no two events credit it.
CREATE TABLE IF NOT EXISTS payments (
    wallet_type TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders,
    amount INTEGER NOT NULL,
    PRIMARY KEY (wallet_type, transaction_id)
) STRICT;

CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    problem TEXT, -- why a person must look; set it to NULL when somebody has
    received_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

INSERT INTO users (id) VALUES ('user-1') ON CONFLICT DO NOTHING; -- the customer's login is left out
