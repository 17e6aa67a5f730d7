-- Walks: the start signal, the course, who passed where, finish certificates.

create table walk (
    discipline_id text primary key references discipline (id),
    event_id text not null references event (id),
    -- The start signal, by the server's clock.
    gun_ms bigint,
    -- Who takes longer than this after the signal is not ranked. None: no limit.
    limit_ms bigint check (limit_ms > 0),
    -- Bibs are this and a number: W0001.
    bib_prefix text not null,
    -- The next number to give out.
    next_bib bigint not null default 1 check (next_bib >= 1)
);

-- The points of a course, in order: 0 is the start, the last is the finish.
create table course_point (
    discipline_id text not null references discipline (id),
    position bigint not null check (position >= 0),
    event_id text not null references event (id),
    name text not null,
    -- Scans of kiosks at the checkpoint station of this name count here.
    station text not null,
    primary key (discipline_id, position),
    unique (discipline_id, station)
);

-- Passages that no kiosk saw: a volunteer's phone, a timing chip. Kiosks' scans stay where they are; who passed where
-- is computed from both. Append-only, but for being taken back.
create table passage (
    id text primary key,
    event_id text not null references event (id),
    discipline_id text not null references discipline (id),
    entry_id text not null references entry (id),
    position bigint not null,
    at_ms bigint not null,
    source text not null check (source in ('phone', 'chip')),
    staff_id text references staff (id),
    umpire text,
    received_ms bigint not null,
    undone_ms bigint,
    -- The same sent again is the same.
    unique (entry_id, position, at_ms)
);
create index passage_discipline on passage (discipline_id);

-- Certificates that were given out; anybody with the code can ask what it says.
create table certificate (
    code text primary key,
    entry_id text not null unique references entry (id),
    event_id text not null references event (id),
    issued_ms bigint not null
);
