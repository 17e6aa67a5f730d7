-- What was answered to a request with an Idempotency-Key is kept with the booking that it made, in the row and the index
-- that are written anyway: a table of its own cost a booking three more entries in indexes.
alter table booking add column request_key text;
alter table booking add column request_sha256 bytea;
-- The answer, byte for byte. All three are forgotten after a day.
alter table booking add column answer text;
update booking set
    request_key = (select i.key from idempotency i
        where i.actor = booking.person_id and substr(i.body, 1, 43) = '{"id":"' || booking.id),
    request_sha256 = (select i.request_sha256 from idempotency i
        where i.actor = booking.person_id and substr(i.body, 1, 43) = '{"id":"' || booking.id),
    answer = (select i.body from idempotency i
        where i.actor = booking.person_id and substr(i.body, 1, 43) = '{"id":"' || booking.id)
where person_id in (select actor from idempotency);
drop table idempotency;
-- A key is a person's own, and names one request. Also finds a person's bookings.
create unique index booking_request on booking (person_id, request_key);
drop index booking_person;
create index booking_answer on booking (created_ms) where request_key is not null;
