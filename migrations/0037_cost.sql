-- What an event cost, as organizers write it down; what nobody wrote down is missing from reports, never nought.
-- Append-only: a mistake is put right by an entry below nought.
create table cost (
    id text primary key,
    event_id text not null references event (id),
    cents bigint not null check (cents <> 0),
    -- What for: 奖品, 场地, 矿泉水.
    what text not null,
    staff_id text not null references staff (id),
    at_ms bigint not null
);
create index cost_event on cost (event_id, at_ms);
