-- The kiosk's own store. Everything but the journal is a copy of what the server said and may be wiped;
-- the journal is what this kiosk did, holds no name, phone or card, and is never changed.

-- Single facts by name: post, cursors, acknowledged, complete_at, skew, revoked.
create table fact (
    name text primary key,
    value text not null
) strict, without rowid;

-- `body` is the server's row as JSON. `settled` is how far the journal had been acknowledged when the row was
-- asked for: of this ticket's admissions up to there the server's word holds (somebody may have undone one).
create table ticket (
    id text primary key,
    person text,
    settled integer not null,
    body text not null
) strict, without rowid;

create index ticket_person on ticket (person) where person is not null;

create table card (
    fingerprint blob primary key,
    person text not null,
    blocked integer not null
) strict, without rowid;

-- `admitted` is the ticket that the entry let in, so that its second scan finds the first.
create table journal (
    seq integer primary key,
    body text not null,
    chain text not null,
    admitted text
) strict;

create index journal_admitted on journal (admitted, seq) where admitted is not null;
