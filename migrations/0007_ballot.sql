-- Ballots: the seed is committed to before the first entry, and published with the result.
create table ballot (
    offer_id text primary key references offer (id),
    event_id text not null references event (id),
    -- SHA-256 of the seed. The seed itself is made from the key folder and the offer's id, and kept nowhere.
    commitment text not null,
    committed_ms bigint not null,
    drawn_ms bigint,
    -- The published record, as it is served and verified.
    record text
);
create index ballot_drawn on ballot (drawn_ms);

-- Places of a ballot set aside for the people of a union, as far as they want them.
create table offer_floor (
    offer_id text not null references offer (id),
    union_id text not null references organisation (id),
    places bigint not null check (places >= 1),
    primary key (offer_id, union_id)
);
