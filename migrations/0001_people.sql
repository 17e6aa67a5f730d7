-- Who there is: organisations, people, their cards, staff, and how they sign in.

create table organisation (
    id text primary key,
    -- A union, or an enterprise under it. One joint union covers many enterprises.
    kind text not null check (kind in ('union', 'enterprise')),
    name text not null,
    -- Lowered in Rust, since like and lower differ between the engines.
    name_search text not null,
    -- 统一社会信用代码; none for unions.
    uscc text unique,
    -- independent 已建会(独立), joint 已建会(联合覆盖), preparing 筹备建会, none 未建会, closed 注销.
    status text not null check (status in ('independent', 'joint', 'preparing', 'none', 'closed')),
    union_id text references organisation (id),
    created_ms bigint not null,
    updated_ms bigint not null,
    unique (kind, name)
);
create index organisation_union on organisation (union_id);

-- Here and below, no column of digits stands beside another that may begin or end with digits: SQLite writes a row's
-- texts without a gap, and a phone beside an id would look like a card number to whoever searches a disk for one.
create table person (
    id text primary key,
    -- On the roster, or not: workers of firms without a union are invited too.
    kind text not null check (kind in ('member', 'guest')),
    name text not null,
    phone text,
    name_search text not null,
    joined_on text,
    -- 男 m, 女 f; unknown for guests.
    sex text check (sex in ('m', 'f')),
    -- The enterprise they work for.
    organisation_id text references organisation (id),
    -- 在籍 active, 保留会籍 retained, 转出 transferred, 退会 left, 除名 expelled; none for guests.
    status text check (status in ('active', 'retained', 'transferred', 'left', 'expelled')),
    -- The union they belong to.
    union_id text references organisation (id),
    -- Keyed fingerprint of the ID number. The number itself is kept nowhere.
    id_fingerprint bytea unique,
    created_ms bigint not null,
    updated_ms bigint not null
);
create index person_phone on person (phone);
create index person_organisation on person (organisation_id);
create index person_union on person (union_id);

-- One row: each change a kiosk must hear of takes the next number, in the transaction that makes it.
create table roster (
    one bigint primary key check (one = 1),
    revision bigint not null
);
insert into roster (one, revision) values (1, 0);

create table card (
    -- HMAC-SHA256(card key, digits). The number itself is kept nowhere.
    fingerprint bytea primary key,
    last4 text not null,
    created_ms bigint not null,
    person_id text not null references person (id),
    blocked boolean not null default false,
    -- The roster's revision at the last change.
    revision bigint not null
);
create index card_person on card (person_id);
-- Each changed card takes a revision of its own, so a page of the feed may end anywhere.
create unique index card_revision on card (revision);

create table staff (
    id text primary key,
    name text not null unique,
    role text not null check (role in ('admin', 'organizer', 'volunteer', 'venue', 'exhibitor')),
    -- Argon2id, in PHC form.
    password_hash text not null,
    disabled_ms bigint,
    created_ms bigint not null
);

-- A signed-in person or member of staff. The token is 256 random bits; only its hash is kept.
create table session (
    token_hash bytea primary key,
    person_id text references person (id),
    staff_id text references staff (id),
    created_ms bigint not null,
    seen_ms bigint not null,
    expires_ms bigint not null,
    check ((person_id is null) <> (staff_id is null))
);
create index session_person on session (person_id);
create index session_staff on session (staff_id);

-- A six-digit code sent to a phone. One per phone; a new one replaces it.
create table login_code (
    phone text primary key,
    code_hash bytea not null,
    sent_ms bigint not null,
    expires_ms bigint not null,
    tries_left bigint not null
);

-- How often a phone, an address or a staff name was used in the current window: rate limits and lock-out that hold
-- on every server process. `key` says what is counted ("code:…", "login:…"), with the phone or name hashed.
create table attempt (
    key text primary key,
    count bigint not null,
    window_ms bigint not null
);

-- Short messages on their way to phones.
create table message (
    id text primary key,
    body text not null,
    phone text not null,
    created_ms bigint not null,
    sent_ms bigint,
    tries bigint not null default 0
);
create index message_unsent on message (created_ms) where sent_ms is null;
