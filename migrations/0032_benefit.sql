-- What members get at a partner venue without a voucher: each time somebody was shown to be a member there.
create table benefit_use (
    -- The phone's name for it, so that one that is sent twice counts once.
    id text primary key,
    venue_id text not null references venue (id),
    -- None once it is older than two months: then it only counts.
    person_id text references person (id),
    -- "2027-03-05", on the clocks of Beijing, and the how-manieth time that day.
    day text not null,
    nth bigint not null check (nth >= 1),
    staff_id text references staff (id),
    at_ms bigint not null,
    unique (venue_id, person_id, day, nth)
);
create index benefit_use_day on benefit_use (venue_id, day);
