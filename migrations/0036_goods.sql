-- Goods handed out at pick-up points: grain, summer supplies. A hand-out is a scan at a counter; what is left is what was
-- brought less what was handed out, computed each time.

create table goods (
    event_id text primary key references event (id),
    -- What one unit is: 杂粮礼盒.
    item text not null,
    -- What a unit is called: 份, 箱.
    unit text not null,
    -- What one unit cost; none: not recorded.
    unit_cents bigint check (unit_cents >= 0),
    -- The offer whose tickets the delegates of units hold, made when it is first needed.
    offer_id text references offer (id),
    created_ms bigint not null
);

create table goods_point (
    id text primary key,
    event_id text not null references event (id),
    -- What its kiosks' station is called: never changed, for scans say only that.
    name text not null,
    place text not null,
    -- Who collects here for themselves has booked this.
    offer_id text not null unique references offer (id),
    -- What nobody collected by then goes to others: to those in line, who are asked one by one; or to whoever comes.
    leftover_ms bigint,
    leftover_to text not null check (leftover_to in ('line', 'walk_in')),
    -- When that was done.
    leftover_done_ms bigint,
    created_ms bigint not null,
    unique (event_id, name)
);

-- What was brought, found or lost, and taken elsewhere. Append-only; a mistake is put right by one more entry.
create table goods_entry (
    id text primary key,
    event_id text not null references event (id),
    point_id text not null references goods_point (id),
    kind text not null check (kind in ('delivery', 'correction', 'transfer')),
    units bigint not null check (units <> 0),
    note text not null,
    staff_id text not null references staff (id),
    at_ms bigint not null,
    check (units > 0 or kind <> 'delivery')
);
create index goods_entry_event on goods_entry (event_id, at_ms);

-- Units of one organisation that a delegate collects at once, against one scan of their ticket.
create table goods_batch (
    booking_id text primary key references booking (id),
    event_id text not null references event (id),
    point_id text not null references goods_point (id),
    organisation_id text not null references organisation (id),
    -- For so many people, a unit each.
    units bigint not null check (units > 0),
    created_ms bigint not null
);
create index goods_batch_event on goods_batch (event_id, organisation_id);

create index scan_counter on scan (event_id, station) where station_kind = 'counter';
