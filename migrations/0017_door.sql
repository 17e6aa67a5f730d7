-- What stations do beside letting in once: seeing out, redeeming several times, visits with consent, walk-ins; and what
-- staff do at a kiosk by hand.

-- How often a ticket may be redeemed at counters, and whether its holder may go out and come in again.
alter table offer add column uses bigint not null default 1 check (uses between 1 and 255);
alter table offer add column reentry boolean not null default false;
-- Members without a ticket may be given a place at the door: so many places are set aside for each gate. None: no walk-ins.
alter table offer add column walk_ins bigint not null default 0 check (walk_ins between 0 and 1000);

-- Every use that counts, the first one first: JSON, as kiosks are told. Computed from the scans whenever one arrives or
-- is undone. None: never used since this column exists.
alter table ticket add column history text;

-- What people did beside showing a code or card (admission::scan::Act). Entries about an earlier entry (undo, consent)
-- are of kind 'undo' and counted nowhere.
alter table scan add column act text not null default 'scan'
    check (act in ('scan', 'hand', 'override', 'undo', 'consent', 'walk_in'));
-- Who stood at the kiosk, as they called themselves there: a label like 甲, never an account.
alter table scan add column operator text;
-- The reason that a supervisor overrode.
alter table scan add column against text;
-- Whether the holder lets the stand have their name and phone. None: not asked.
alter table scan add column consent boolean;

-- Places of an offer lent to one kiosk for walk-ins, so that it never gives away what another gave. They count as taken
-- until the kiosk, heard after the end, has told of all it used; the rest goes back then.
create table allotment (
    kiosk_id text not null references kiosk (id),
    number bigint not null,
    event_id text not null references event (id),
    offer_id text not null references offer (id),
    places bigint not null check (places >= 0),
    used bigint not null default 0 check (used >= 0),
    until_ms bigint not null,
    -- Set when the rest went back; places is then what was used.
    closed_ms bigint,
    primary key (kiosk_id, number),
    check (used <= places)
);
create index allotment_open on allotment (offer_id) where closed_ms is null;
