-- What staff do at the kiosk, and places given to members without a ticket.

-- The entry that this one takes back.
alter table journal add column undoes integer;
create index journal_undoes on journal (undoes) where undoes is not null;
-- For a walk-in: whose card it was (an id, no name), and the allotment that the place is from.
alter table journal add column person text;
alter table journal add column allotment integer;
create index journal_person on journal (person) where person is not null;
create index journal_allotment on journal (allotment) where allotment is not null;

-- Names, ends of phones and cards, organisations: sealed under the PIN, one box per ticket. Without the PIN there is none.
create table person (
    ticket text primary key,
    box blob not null
) strict, without rowid;

-- An older program wrote these in another form; they are fetched anew.
delete from fact where name in ('post', 'cursors');
delete from ticket;
delete from card;
