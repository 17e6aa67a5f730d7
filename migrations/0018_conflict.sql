-- Scans that are each right alone and wrong together: one ticket in at two doors that did not hear of each other. The
-- scans are facts and stay; here stands that they contradict each other, and what a person made of it.

create table conflict (
    ticket_id text primary key references ticket (id),
    event_id text not null references event (id),
    -- How many admissions there were when it was found: one more opens a settled conflict again.
    admissions bigint not null,
    found_ms bigint not null,
    -- same_person: one person, seen twice. passed_on: two people on one ticket. error: a scan that should not be, taken
    -- back. None: nobody has looked yet.
    verdict text check (verdict in ('same_person', 'passed_on', 'error')),
    settled_ms bigint,
    staff_id text references staff (id),
    note text not null default ''
);
create index conflict_event on conflict (event_id, found_ms);

