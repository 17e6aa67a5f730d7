-- Requests for places and what became of them; the tickets they gave.

create table booking (
    id text primary key,
    event_id text not null references event (id),
    offer_id text not null references offer (id),
    person_id text not null references person (id),
    -- confirmed: has its places. held: has them until held_until_ms, to be confirmed or paid for. waiting: in line.
    -- entered: in a draw that is to come. requested: an organizer is to approve. drawn_out, declined, lapsed, cancelled: over.
    status text not null check (status in
        ('confirmed', 'held', 'waiting', 'entered', 'requested', 'drawn_out', 'declined', 'lapsed', 'cancelled')),
    -- The holder and the companions.
    places bigint not null check (places >= 1),
    -- Names of the companions, a JSON array: tickets may come later.
    guests text not null default '[]',
    -- Its place in the line, counted by the offer; kept when it leaves the line.
    line bigint,
    -- A held booking lapses then.
    held_until_ms bigint,
    created_ms bigint not null,
    cancelled_ms bigint,
    -- 'holder' or 'organizer'.
    cancelled_by text
);
create index booking_person on booking (person_id, created_ms);
create index booking_offer on booking (offer_id, status);
create index booking_event on booking (event_id);
create index booking_line on booking (offer_id, line) where status = 'waiting';
create index booking_held on booking (held_until_ms) where status = 'held';

-- What became of bookings after they were made, and who or what did it: promotions, lapses, draws, decisions.
-- Append-only.
create table booking_change (
    id text primary key,
    event_id text not null references event (id),
    booking_id text not null references booking (id),
    at_ms bigint not null,
    -- The status after it.
    status text not null,
    -- promoted, accepted, paid, lapsed, drawn, drawn_out, approved, declined, named, cancelled, …
    cause text not null,
    -- Who did it, when a member of staff did.
    staff_id text references staff (id)
);
create index booking_change_booking on booking_change (booking_id, at_ms);
create index booking_change_event on booking_change (event_id, at_ms);

-- How many places a person holds of an offer. The conditional upsert of this row is what keeps the limit.
create table offer_holder (
    offer_id text not null references offer (id),
    person_id text not null references person (id),
    places bigint not null check (places >= 0),
    primary key (offer_id, person_id)
);

create table ticket (
    -- 96 random bits in Base32.
    id text primary key,
    event_id text not null references event (id),
    offer_id text not null references offer (id),
    booking_id text not null references booking (id),
    -- The person whose card opens it; none for a companion.
    person_id text references person (id),
    holder text not null,
    holder_search text not null,
    state text not null check (state in ('valid', 'cancelled', 'unpaid', 'unapproved')),
    key_id bigint not null,
    reissue bigint not null default 0 check (reissue between 0 and 255),
    valid_from_ms bigint not null,
    valid_to_ms bigint not null,
    -- The first admission that counts, computed from the scans whenever one arrives or is undone.
    used_ms bigint,
    used_station text,
    created_ms bigint not null,
    -- The event's revision at the last change.
    revision bigint not null
);
-- Each changed ticket takes a revision of its own, so a page of the feed may end anywhere.
create unique index ticket_revision on ticket (event_id, revision);
create index ticket_booking on ticket (booking_id);
create index ticket_person on ticket (person_id, event_id);

-- What was answered to a request with an Idempotency-Key, written in the transaction of its effect.
create table idempotency (
    actor text not null,
    key text not null,
    request_sha256 bytea not null,
    status bigint not null,
    body text not null,
    created_ms bigint not null,
    primary key (actor, key)
);
create index idempotency_created on idempotency (created_ms);
