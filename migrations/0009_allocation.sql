-- Places that the unions' officers give to their own people.

-- Members who name people of their union; staff appoint them.
create table union_officer (
    union_id text not null references organisation (id),
    person_id text not null references person (id),
    created_ms bigint not null,
    staff_id text references staff (id),
    primary key (union_id, person_id)
);
create index union_officer_person on union_officer (person_id);

-- How many places of an offer a union may give, and how many it has given. The conditional update of this row is what
-- keeps a union within its places, whichever server its officers are at.
create table allocation (
    offer_id text not null references offer (id),
    union_id text not null references organisation (id),
    event_id text not null references event (id),
    places bigint not null check (places >= 0),
    taken bigint not null default 0,
    primary key (offer_id, union_id),
    check (taken >= 0 and taken <= places)
);

-- For mode 'allocation': until then the officers name their people; what is left then is open to all who may book.
alter table offer add column flow_back_ms bigint;
-- When those in line were given what was left.
alter table offer add column flowed_back_ms bigint;

-- The union whose place it is, and the officer who named its person.
alter table booking add column union_id text references organisation (id);
alter table booking add column named_by text references person (id);
