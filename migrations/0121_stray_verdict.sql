-- What a person made of a ticket that doors let in by its signature and that is not in these books: beside its scans, for
-- there is no ticket that it could be kept with.
create table stray (
    event_id text not null references event (id),
    -- The ticket's id, as the scans have it. No reference, for there is none to refer to.
    ticket text not null,
    -- How many admissions there were when it was judged: one more opens it again.
    admissions bigint not null,
    -- entered: its holder was booked anew. accepted: it stays as the doors have it. error: a scan that should not be, taken back.
    verdict text not null check (verdict in ('entered', 'accepted', 'error')),
    settled_ms bigint not null,
    staff_id text not null references staff (id),
    note text not null default '',
    primary key (event_id, ticket)
);
