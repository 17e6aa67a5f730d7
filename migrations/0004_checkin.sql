-- What happened at the doors.

create table kiosk (
    id text primary key,
    name text not null,
    event_id text not null references event (id),
    station_kind text not null check (station_kind in ('gate', 'exit', 'counter', 'booth', 'desk', 'checkpoint')),
    station text not null,
    -- Hash of the one-time enrolment code, until it is used.
    code_hash bytea unique,
    code_expires_ms bigint,
    -- Ed25519; empty until enrolled.
    public_key bytea,
    created_ms bigint not null,
    enrolled_ms bigint,
    revoked_ms bigint,
    -- A gap, a fork or a cloned disk shows in the chain; both records are kept.
    quarantined_ms bigint,
    quarantine_note text,
    -- Where its journal stands here: all through head_seq is kept, bound by head_chain.
    head_seq bigint not null default 0,
    head_chain bytea,
    -- What it said of itself when last heard.
    seen_ms bigint,
    queue bigint not null default 0,
    skew_ms bigint,
    revision_seen bigint not null default 0
);
create index kiosk_event on kiosk (event_id);

-- Append-only. Attendance is computed from these rows.
create table scan (
    id text primary key,
    event_id text not null references event (id),
    -- Of a kiosk's journal: known by kiosk and place. None for what staff did on the organizer's page.
    kiosk_id text references kiosk (id),
    seq bigint,
    -- The journal line as it was hashed, for the chain.
    entry text,
    staff_id text references staff (id),
    -- scan: a kiosk's; hand: staff checked in by hand; undo: staff took an admission back.
    kind text not null check (kind in ('scan', 'hand', 'undo')),
    station_kind text not null,
    station text not null,
    medium text not null,
    ticket_id text references ticket (id),
    verdict text not null check (verdict in ('admitted', 'refused', 'attention')),
    reason text,
    trust text not null,
    -- The kiosk's clock; the estimated true time and its error; the time of receipt.
    at_ms bigint not null,
    true_ms bigint not null,
    error_ms bigint not null default 0,
    received_ms bigint not null,
    -- Why staff did it.
    note text,
    -- The server's word on a check, counted until the kiosk's journal says what the door did.
    provisional boolean not null default false,
    -- An admission that staff took back.
    undone_ms bigint,
    unique (kiosk_id, seq)
);
create index scan_event on scan (event_id, true_ms);
create index scan_ticket on scan (ticket_id);

-- Journal entries that contradict what is kept (same place, other content): evidence, never counted.
create table quarantine (
    id text primary key,
    kiosk_id text not null references kiosk (id),
    seq bigint not null,
    entry text not null,
    received_ms bigint not null
);
