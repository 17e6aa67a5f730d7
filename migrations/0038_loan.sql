-- Books that members borrow: titles, their copies, loans, and who waits for one.

-- One row: what organizers set.
create table loan_rule (
    one bigint primary key check (one = 1),
    -- A loan lasts so many weeks; it may be renewed once for as long.
    weeks bigint not null check (weeks between 1 and 26),
    -- So many books at a time.
    most bigint not null check (most between 1 and 20),
    -- Who brought one back late borrows nothing for so many days. Nought: no bar.
    bar_days bigint not null check (bar_days between 0 and 365),
    -- A copy that came back is kept for who waits for it for so many days.
    hold_days bigint not null check (hold_days between 1 and 30)
);
insert into loan_rule (one, weeks, most, bar_days, hold_days) values (1, 4, 3, 30, 3);

create table book (
    id text primary key,
    title text not null,
    author text not null,
    -- Title and author, lowered in Rust.
    search text not null,
    created_ms bigint not null,
    unique (title, author)
);

create table book_copy (
    -- What the label on it says.
    barcode text primary key,
    book_id text not null references book (id),
    -- lost: not to be lent until it is found or replaced.
    state text not null check (state in ('here', 'lost')),
    created_ms bigint not null
);
create index book_copy_book on book_copy (book_id);

create table loan (
    id text primary key,
    barcode text not null references book_copy (barcode),
    person_id text not null references person (id),
    lent_ms bigint not null,
    due_ms bigint not null,
    renewed_ms bigint,
    -- Over: brought back, or lost.
    ended_ms bigint,
    lost boolean not null default false,
    -- When its reader was last reminded.
    reminded_ms bigint,
    staff_id text not null references staff (id)
);
-- One copy is lent once at a time.
create unique index loan_open on loan (barcode) where ended_ms is null;
create index loan_person on loan (person_id, ended_ms);
create index loan_due on loan (due_ms) where ended_ms is null;

create table book_wait (
    id text primary key,
    book_id text not null references book (id),
    person_id text not null references person (id),
    at_ms bigint not null,
    -- A copy is kept for them until then.
    held_until_ms bigint,
    ended_ms bigint
);
create unique index book_wait_open on book_wait (book_id, person_id) where ended_ms is null;
