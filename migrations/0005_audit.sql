-- Who did what on the staff's pages.

create table audit (
    id text primary key,
    at_ms bigint not null,
    staff_id text references staff (id),
    action text not null,
    -- What it was done to: an id, never a name.
    subject text not null,
    note text not null default ''
);
create index audit_at on audit (at_ms);
