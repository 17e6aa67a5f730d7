-- Consultation desks at an event: people take a number on their phone and are called.

create table desk (
    id text primary key,
    event_id text not null references event (id),
    -- 职工维权, 职业指导, 政策解答, 法律援助. A kiosk whose station has this name stands there.
    name text not null,
    -- Before its numbers: "A12".
    letter text not null,
    -- How many people it serves at once.
    seats bigint not null default 1 check (seats between 1 and 20),
    -- The last number given out; it never goes down.
    last_number bigint not null default 0,
    created_ms bigint not null,
    unique (event_id, name),
    unique (event_id, letter)
);

-- One person's place in a desk's queue, and the consultation it came to.
create table desk_turn (
    id text primary key,
    event_id text not null references event (id),
    desk_id text not null references desk (id),
    number bigint not null,
    -- Whose turn it is. None: somebody without a ticket, noted by the desk's staff.
    ticket_id text references ticket (id),
    -- waiting, called; done: it was a consultation; skipped: called and did not come; left: gave the number up.
    state text not null check (state in ('waiting', 'called', 'done', 'skipped', 'left')),
    taken_ms bigint not null,
    called_ms bigint,
    calls bigint not null default 0,
    ended_ms bigint,
    staff_id text references staff (id),
    unique (desk_id, number)
);
create index desk_turn_state on desk_turn (desk_id, state, number);
create index desk_turn_event on desk_turn (event_id);
create index desk_turn_ticket on desk_turn (ticket_id);
