-- What can be attended and booked.

create table event (
    id text primary key,
    -- Random; carried by ticket codes in four bytes.
    number bigint not null unique check (number between 1 and 4294967295),
    kind text not null check (kind in ('contest', 'voucher', 'fair', 'activity')),
    -- One of the ten themes of an activity (domain.md §8, row 8).
    theme text,
    title text not null,
    place text not null,
    -- Which door: shown on the ticket.
    entrance text not null default '',
    poster text not null default '',
    starts_ms bigint not null,
    ends_ms bigint not null,
    -- IANA name.
    time_zone text not null,
    status text not null check (status in ('draft', 'published', 'closed', 'cancelled')),
    -- What holders are told when it is cancelled.
    cancel_note text not null default '',
    created_ms bigint not null,
    updated_ms bigint not null,
    check (ends_ms > starts_ms)
);
create index event_starts on event (starts_ms);

-- The event's counter: each change that a kiosk must hear of takes the next revision in the transaction that makes it,
-- by updating this row, so commits of one event are serial and a reader of revision n never misses one below n.
create table event_revision (
    event_id text primary key references event (id),
    revision bigint not null
);

create table offer (
    id text primary key,
    event_id text not null references event (id),
    -- Its number within the event; carried by ticket codes in one byte.
    class bigint not null check (class between 0 and 255),
    name text not null,
    -- How places are given: at once in order of arrival; by a draw after the window; as an organizer approves; as the
    -- officers of the unions name their people.
    mode text not null check (mode in ('first_come', 'draw', 'approval', 'allocation')),
    quota bigint not null check (quota >= 0),
    -- Places confirmed or held. The conditional update of this column is what prevents overselling.
    taken bigint not null default 0,
    opens_ms bigint not null,
    closes_ms bigint not null,
    -- Holders may cancel until then.
    cancel_until_ms bigint not null,
    -- Places one person may hold, companions included.
    per_person bigint not null check (per_person >= 1),
    -- Companions one booking may bring.
    guests_max bigint not null default 0 check (guests_max >= 0),
    eligibility text not null check (eligibility in ('members', 'unions', 'anyone')),
    -- Who finds no place may wait in line.
    waiting_list boolean not null default false,
    -- Bookings that wait in line now. While there are any, a free place goes to the first of them and to nobody else.
    waiting bigint not null default 0 check (waiting >= 0),
    -- The last place in the line that was given out; it never goes down.
    last_in_line bigint not null default 0,
    -- How long one promoted from the line may take to accept; the place lapses then.
    accept_ms bigint not null default 7200000 check (accept_ms > 0),
    -- How long a place is held for one who still has to confirm it or to pay; none: it is confirmed at once.
    hold_ms bigint check (hold_ms > 0),
    -- What each place costs, paid at the counter. Nothing is sold here; it is noted who has paid.
    contribution_cents bigint not null default 0 check (contribution_cents >= 0),
    -- Places one person may hold in the whole event; in events of this kind in one calendar month, and year. None: no limit.
    limit_event bigint check (limit_event >= 1),
    limit_month bigint check (limit_month >= 1),
    limit_year bigint check (limit_year >= 1),
    -- For a draw: who got nothing in so many last drives of the kind has one more chance for each. None: nought.
    weight_drives bigint not null default 0 check (weight_drives between 0 and 20),
    -- Whether staying away counts as a no-show, and whether a bar for no-shows keeps people out of this offer.
    no_shows_count boolean not null default false,
    -- Admission: what the ticket code carries.
    valid_from_ms bigint not null,
    valid_to_ms bigint not null,
    created_ms bigint not null,
    unique (event_id, class),
    check (taken >= 0 and taken <= quota),
    check (valid_to_ms > valid_from_ms)
);

-- For eligibility 'unions': whose members may book.
create table offer_union (
    offer_id text not null references offer (id),
    union_id text not null references organisation (id),
    primary key (offer_id, union_id)
);
