"""What a new sandbox contains: Nova's own database with its rows, and the five accounts of NovaOps."""

import psycopg

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id bigint PRIMARY KEY, email text NOT NULL UNIQUE, wallet text NOT NULL, points bigint NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS merchants (
    id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS campaigns (
    id bigint PRIMARY KEY, merchant_id bigint NOT NULL REFERENCES merchants, title text NOT NULL,
    points_per_unit int NOT NULL, starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS transactions (
    id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, campaign_id bigint NOT NULL REFERENCES campaigns,
    amount_cents bigint NOT NULL, points bigint NOT NULL, created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS transactions_by_user ON transactions (user_id, created_at);
CREATE TABLE IF NOT EXISTS redemptions (
    id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, merchant_id bigint NOT NULL REFERENCES merchants,
    points bigint NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS contract_events (
    event_id text PRIMARY KEY, ledger bigint NOT NULL, contract_id text NOT NULL, topic jsonb NOT NULL,
    value text NOT NULL, tx_hash text NOT NULL, closed_at timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS contract_events_by_ledger ON contract_events (ledger);
CREATE TABLE IF NOT EXISTS event_ranges (first bigint NOT NULL, last bigint NOT NULL);
CREATE TABLE IF NOT EXISTS event_cursor (
    id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), ledger bigint NOT NULL, closed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
"""
# The same rows on every machine: computed from the row's number, never from chance or the clock.
ROWS = """
INSERT INTO users SELECT n, 'user' || n || '@example.com', 'G' || upper(substr(md5(n::text) || md5('w' || n), 1, 55)),
    (n * 7919) % 20000, timestamptz '2026-01-01 00:00Z' + n * interval '137 minutes' FROM generate_series(1, 2000) n;
INSERT INTO merchants SELECT n, 'Merchant ' || n, (ARRAY['GB', 'DE', 'KE', 'NG', 'BR'])[1 + n % 5],
    timestamptz '2025-11-01 00:00Z' + n * interval '31 hours' FROM generate_series(1, 40) n;
INSERT INTO campaigns SELECT n, 1 + n % 40, 'Campaign ' || n, 1 + n % 10,
    timestamptz '2026-01-01 00:00Z' + n * interval '3 days', timestamptz '2026-03-01 00:00Z' + n * interval '3 days'
    FROM generate_series(1, 60) n;
INSERT INTO transactions SELECT n, 1 + (n * 31) % 2000, 1 + n % 60, 100 + (n * 977) % 25000, (n * 13) % 500,
    timestamptz '2026-06-01 00:00Z' + n * interval '40 minutes' FROM generate_series(1, 6000) n;
INSERT INTO redemptions SELECT n, 1 + (n * 17) % 2000, 1 + n % 40, 50 + (n * 29) % 2000,
    timestamptz '2026-07-01 00:00Z' + n * interval '2 hours' FROM generate_series(1, 1500) n;
"""
TABLES = (
    "users",
    "merchants",
    "campaigns",
    "transactions",
    "redemptions",
    "contract_events",
    "event_cursor",
    "event_ranges",
)
# The known password of the demo accounts; novaops.access refuses it wherever there is no sandbox.
PASSWORD = "nova-sandbox-only"  # noqa: S105
ACCOUNTS = {
    "viewer": "viewer",
    "responder": "responder",
    "commander": "commander",
    "commander2": "commander",
    "admin": "admin",
}


def nova_database(dsn: str, *, fresh: bool = False) -> None:
    """Give Nova's own database its schema and rows where it has none; `fresh`: also take away what came since."""
    with psycopg.connect(dsn) as connection:
        if fresh:
            connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)}")
        connection.execute(SCHEMA)
        if connection.execute("SELECT EXISTS (SELECT FROM users)").fetchone() != (True,):
            connection.execute(ROWS)


def accounts() -> None:
    """Make the demo accounts that are missing. Refuses to where there is no sandbox: their password is published."""
    from django.conf import settings
    from django.contrib.auth.models import Group, User

    if not settings.SANDBOX_URL:
        raise RuntimeError("The demo accounts have a published password: they are made in a sandbox only.")
    known = set(User.objects.filter(username__in=ACCOUNTS).values_list("username", flat=True))
    for username, role in ACCOUNTS.items():
        if username not in known:
            user = User.objects.create_user(username, password=PASSWORD)
            user.groups.add(Group.objects.get(name=role))
