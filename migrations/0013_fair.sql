-- Job fairs: employers at their stands, their posts, visitors' consent, and what came of their talks.

-- The approved size: no more people may be inside at once. None: there is no such line.
alter table event add column capacity bigint check (capacity >= 1);

create table employer (
    id text primary key,
    event_id text not null references event (id),
    name text not null,
    -- 统一社会信用代码, when the list has it.
    uscc text,
    name_search text not null,
    -- The number of its stand, "A01". A kiosk whose station has this name stands there.
    stand text not null,
    union_status text check (union_status in ('independent', 'joint', 'preparing', 'none', 'closed')),
    -- Whom the federation calls. Never shown in public.
    contact text not null default '',
    contact_phone text,
    -- Printed on the stand's poster, for visitors to scan. Random, so that posters of other fairs lead nowhere.
    poster text not null unique,
    created_ms bigint not null,
    updated_ms bigint not null,
    unique (event_id, stand),
    unique (event_id, name)
);

-- An employer's agent: staff of the role exhibitor, who open a personal link with a PIN.
create table exhibitor (
    staff_id text primary key references staff (id),
    event_id text not null references event (id),
    employer_id text not null references employer (id),
    -- SHA-256 of the link's 128 random bits.
    link_hash bytea not null unique,
    -- Argon2id, in PHC form.
    pin_hash text not null,
    made_ms bigint not null,
    revoked_ms bigint
);
create index exhibitor_employer on exhibitor (employer_id);

create table post (
    id text primary key,
    event_id text not null references event (id),
    employer_id text not null references employer (id),
    -- Within the event, from 1: a visitor who is not signed in keeps such numbers in a cookie.
    number bigint not null,
    name text not null,
    -- 职业分类大典 2022, "6-15-06-02"; none when the employer gave none that exists.
    occupation text,
    -- What it counts as: the occupation's name, or the post's own.
    trade text not null,
    -- Name, trade and the occupation's everyday names, lowered in Rust.
    search text not null,
    headcount bigint not null check (headcount >= 1),
    -- A month. None: to be agreed.
    pay_from_cents bigint,
    pay_to_cents bigint,
    -- What is asked for at least; any, when nothing is.
    education text not null check (education in ('any', 'junior', 'senior', 'college', 'bachelor', 'master')),
    place text not null default '',
    work text not null default '',
    conditions text not null default '',
    benefits text not null default '',
    insurance text not null default '',
    created_ms bigint not null,
    updated_ms bigint not null,
    unique (event_id, number)
);
create index post_employer on post (employer_id);

-- Posts that a signed-in visitor marked.
create table post_mark (
    event_id text not null references event (id),
    person_id text not null references person (id),
    post_id text not null references post (id),
    marked_ms bigint not null,
    primary key (person_id, post_id)
);
create index post_mark_event on post_mark (event_id);

-- What a visitor says of themselves, for the employers they choose.
create table seeker (
    person_id text not null references person (id),
    event_id text not null references event (id),
    education text check (education in ('junior', 'senior', 'college', 'bachelor', 'master')),
    wish text not null default '',
    updated_ms bigint not null,
    primary key (event_id, person_id)
);

-- A visitor lets one employer see who they are, or takes that back. Append-only: what holds is computed from the rows.
create table consent (
    id text primary key,
    event_id text not null references event (id),
    employer_id text not null references employer (id),
    ticket_id text not null references ticket (id),
    granted boolean not null,
    -- visitor: on their own phone. stand: by word at the stand, written down by the employer, told to the visitor.
    how text not null check (how in ('visitor', 'stand')),
    -- The version of the words it was given to.
    notice bigint not null,
    staff_id text references staff (id),
    at_ms bigint not null,
    received_ms bigint not null
);
create index consent_employer on consent (employer_id, ticket_id);
create index consent_ticket on consent (ticket_id);

-- What happened between a visitor and an employer. Append-only but for undone_ms; known by an id that the recording
-- phone made, so sending it again changes nothing.
create table encounter (
    id text primary key,
    event_id text not null references event (id),
    employer_id text not null references employer (id),
    -- The visiting card.
    ticket_id text not null references ticket (id),
    post_id text references post (id),
    outcome text not null check (outcome in ('talked', 'cv', 'interview', 'intention', 'hired', 'dropped')),
    grade text check (grade in ('A', 'B', 'C')),
    note text not null default '',
    how text not null check (how in ('visitor', 'stand')),
    staff_id text references staff (id),
    -- When it happened, by the phone's clock, never after it was heard of.
    at_ms bigint not null,
    received_ms bigint not null,
    -- A mistake, taken back.
    undone_ms bigint
);
create index encounter_employer on encounter (employer_id, ticket_id);
create index encounter_ticket on encounter (ticket_id);
create index encounter_event on encounter (event_id, outcome);

-- Who took which employer's people out of the house, and when: whoever revokes is told whether they were among them.
create table employer_export (
    id text primary key,
    event_id text not null references event (id),
    employer_id text not null references employer (id),
    staff_id text not null references staff (id),
    people bigint not null,
    at_ms bigint not null
);
create index employer_export_employer on employer_export (employer_id, at_ms);
