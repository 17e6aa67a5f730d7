-- What the federation owes a venue, month by month. An open month is computed from the scans; a closed one is frozen here,
-- and what arrives afterwards goes to the next.
create table settlement (
    id text primary key,
    venue_id text not null references venue (id),
    -- "2027-03", on the clocks of Beijing.
    month text not null,
    number text not null unique,
    total_cents bigint not null,
    -- SHA-256 of its lines.
    sha256 text not null,
    closed_ms bigint not null,
    staff_id text references staff (id),
    unique (venue_id, month)
);

-- The lines of closed months. One redemption is one line, what takes it back another.
create table settlement_entry (
    scan_id text not null references scan (id),
    -- redemption; reversal: it was taken back; adjustment: it was over the limit, and one before it was taken back since.
    kind text not null check (kind in ('redemption', 'reversal', 'adjustment')),
    settlement_id text not null references settlement (id),
    venue_id text not null references venue (id),
    event_id text not null references event (id),
    -- Its place on the statement.
    line bigint not null,
    ticket_id text not null references ticket (id),
    batch text not null,
    at_ms bigint not null,
    received_ms bigint not null,
    amount_cents bigint not null,
    -- Why it is paid or not: payable; outside: not while the voucher was good; over: more often than it may be used.
    mark text not null check (mark in ('payable', 'outside', 'over')),
    -- It happened in a month that was closed when it was heard of.
    late boolean not null,
    primary key (scan_id, kind)
);
create index settlement_entry_statement on settlement_entry (settlement_id, line);
create index settlement_entry_venue on settlement_entry (venue_id);
create index settlement_entry_ticket on settlement_entry (ticket_id);
