-- Who had a confirmed booking, stayed away and had not cancelled: one row for each booking, when its admission is over.
-- Whether it counts is computed: not when staff excused it, when the event or the booking was cancelled, or when a scan
-- that arrived late shows that somebody went in after all.
create table no_show (
    booking_id text primary key references booking (id),
    event_id text not null references event (id),
    person_id text not null references person (id),
    -- When admission ended, or ends: staff may excuse beforehand.
    at_ms bigint not null,
    -- When it was counted and its person told; none while it is only excused beforehand.
    counted_ms bigint,
    -- What the person says to it.
    appeal text,
    appealed_ms bigint,
    decision text check (decision in ('excused', 'kept')),
    -- Why it was decided so; the person reads it.
    reason text not null default '',
    decided_ms bigint,
    staff_id text references staff (id),
    -- When the person was told that it does not count after all, since a late scan shows that they were there.
    undone_ms bigint
);
create index no_show_person on no_show (person_id, at_ms);
create index no_show_at on no_show (at_ms);

-- Offers whose no-shows were counted.
create table no_show_tally (
    offer_id text primary key references offer (id),
    event_id text not null references event (id),
    at_ms bigint not null
);

-- One row: who stays away so many times within so many days is barred for so many days. No times: nobody is barred.
create table no_show_rule (
    one bigint primary key check (one = 1),
    times bigint not null check (times >= 0),
    period_days bigint not null check (period_days >= 1),
    bar_days bigint not null check (bar_days >= 1)
);
insert into no_show_rule (one, times, period_days, bar_days) values (1, 3, 180, 30);
