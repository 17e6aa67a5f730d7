-- What can be attended and booked.

create table event (
    id text primary key,
    -- Random; carried by ticket codes in four bytes.
    number bigint not null unique check (number between 1 and 4294967295),
    kind text not null check (kind in ('contest', 'voucher', 'fair', 'activity')),
    -- One of the ten themes of an activity (domain.md §8, row 8).
    theme text,
    title text not null,
    place text not null,
    -- Which door: shown on the ticket.
    entrance text not null default '',
    poster text not null default '',
    starts_ms bigint not null,
    ends_ms bigint not null,
    -- IANA name.
    time_zone text not null,
    status text not null check (status in ('draft', 'published', 'closed', 'cancelled')),
    -- What holders are told when it is cancelled.
    cancel_note text not null default '',
    created_ms bigint not null,
    updated_ms bigint not null,
    check (ends_ms > starts_ms)
);
create index event_starts on event (starts_ms);

-- The event's counter: each change that a kiosk must hear of takes the next revision in the transaction that makes it,
-- by updating this row, so commits of one event are serial and a reader of revision n never misses one below n.
create table event_revision (
    event_id text primary key references event (id),
    revision bigint not null
);

create table offer (
    id text primary key,
    event_id text not null references event (id),
    -- Its number within the event; carried by ticket codes in one byte.
    class bigint not null check (class between 0 and 255),
    name text not null,
    mode text not null check (mode in ('first_come', 'draw', 'approval')),
    quota bigint not null check (quota >= 0),
    -- Places confirmed. The conditional update of this column is what prevents overselling.
    taken bigint not null default 0,
    opens_ms bigint not null,
    closes_ms bigint not null,
    -- Holders may cancel until then.
    cancel_until_ms bigint not null,
    -- Places one person may hold, companions included.
    per_person bigint not null check (per_person >= 1),
    -- Companions one booking may bring.
    guests_max bigint not null default 0 check (guests_max >= 0),
    eligibility text not null check (eligibility in ('members', 'unions', 'anyone')),
    -- Admission: what the ticket code carries.
    valid_from_ms bigint not null,
    valid_to_ms bigint not null,
    created_ms bigint not null,
    unique (event_id, class),
    check (taken >= 0 and taken <= quota),
    check (valid_to_ms > valid_from_ms)
);

-- For eligibility 'unions': whose members may book.
create table offer_union (
    offer_id text not null references offer (id),
    union_id text not null references organisation (id),
    primary key (offer_id, union_id)
);
