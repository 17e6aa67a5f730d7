-- Playing a contest: who is at which court, who scores, what a ranking knows beyond the matches.

-- A court has one match at a time.
create unique index match_court on match_ (court_id) where state in ('called', 'playing');

-- Who is called or playing now. A person is at one court at a time, whatever the discipline: this key says so.
create table on_court (
    event_id text not null references event (id),
    person_id text not null references person (id),
    match_id text not null references match_ (id),
    primary key (event_id, person_id)
);
create index on_court_match on on_court (match_id);

-- Matches that the organizer wants played before the others that could be.
create table match_first (
    match_id text primary key references match_ (id),
    event_id text not null references event (id),
    at_ms bigint not null
);

-- Who may score with a personal link, without an account.
create table umpire (
    id text primary key,
    event_id text not null references event (id),
    name text not null,
    -- The one court they score at. None: any.
    court_id text references court (id),
    -- Of the link's secret, which is shown once.
    secret_hash bytea not null unique,
    created_ms bigint not null,
    revoked_ms bigint
);
create index umpire_event on umpire (event_id);

-- What an umpire's phone sent and what was answered: after a lost reply it sends the same again.
create table play_request (
    match_id text not null references match_ (id),
    key text not null,
    event_id text not null references event (id),
    request_sha256 bytea not null,
    version bigint not null,
    at_ms bigint not null,
    primary key (match_id, key)
);

-- What a group's ranking knows of an entry beyond its matches.
create table entry_standing (
    entry_id text primary key references entry (id),
    event_id text not null references event (id),
    -- Football: nought, or below it for cards.
    conduct bigint not null default 0 check (conduct <= 0),
    -- Drawn when nothing else decides; the smaller goes first.
    lot bigint
);

-- What a place is worth to an organisation; without rows of its own an event uses 8 7 6 5 4 3 2 1.
create table place_points (
    event_id text not null references event (id),
    place bigint not null check (place >= 1),
    points bigint not null check (points >= 0),
    primary key (event_id, place)
);
