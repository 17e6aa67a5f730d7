-- Contributions: paid at the counter, noted by staff. Nothing is sold here.
create table payment (
    id text primary key,
    event_id text not null references event (id),
    booking_id text not null references booking (id),
    kind text not null check (kind in ('paid', 'refunded')),
    cents bigint not null check (cents >= 0),
    method text not null check (method in ('cash', 'bank', 'wechat')),
    staff_id text references staff (id),
    at_ms bigint not null
);
create index payment_booking on payment (booking_id);
create index payment_event on payment (event_id, at_ms);
