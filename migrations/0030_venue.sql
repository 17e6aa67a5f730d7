-- Vouchers: partner venues, and the batches of vouchers that each of them takes. A batch is an offer of an event of kind
-- 'voucher', with these terms beside it; a voucher is a ticket of it, and a redemption a scan at a counter.

create table venue (
    id text primary key,
    -- A kiosk whose station has this name stands there.
    name text not null unique,
    address text not null,
    -- Whom the federation calls. Never shown in public.
    contact text not null default '',
    contact_phone text,
    -- What a member gets there without a voucher. Empty: nothing.
    benefit text not null default '',
    -- How often a day one member is counted there.
    benefit_times bigint not null default 1 check (benefit_times between 1 and 20),
    created_ms bigint not null,
    updated_ms bigint not null,
    -- No longer a partner. What was redeemed there stays.
    closed_ms bigint
);

-- What a kiosk decides by, also without a network: on which days the tickets of an offer may be used
-- (admission::days::Days as JSON; none: on all), and the only venue that takes them.
alter table offer add column days text;
alter table offer add column venue_id text references venue (id);

-- The money of a batch, and who may come along.
create table batch (
    offer_id text primary key references offer (id),
    event_id text not null references event (id),
    venue_id text not null references venue (id),
    -- What one use costs whoever comes without a voucher (门市价), and what the federation pays the venue for it (结算价).
    face_cents bigint not null check (face_cents >= 0),
    price_cents bigint not null check (price_cents >= 0),
    -- So many people may come in with the holder on one voucher.
    companions bigint not null default 0 check (companions between 0 and 20),
    check (price_cents <= face_cents)
);
create index batch_venue on batch (venue_id);
create index batch_event on batch (event_id);

-- Those who redeem at a venue: staff of the role venue, who open a personal link with a PIN or sign in with a password.
create table venue_staff (
    staff_id text primary key references staff (id),
    venue_id text not null references venue (id),
    -- SHA-256 of the link's 128 random bits, and the PIN's Argon2id. None for an account with a password.
    link_hash bytea unique,
    pin_hash text,
    made_ms bigint not null,
    revoked_ms bigint
);
create index venue_staff_venue on venue_staff (venue_id);
