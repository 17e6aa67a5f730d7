-- Every index that a booking is written into is now written where the bookings of the same event or the same day are: what
-- was booked long ago costs nothing. The one by person stood in no order of time, and each booking met a page of it that
-- nobody had touched for months.

-- A key is kept for a day or two, and so is its entry. What is too old is found by going through it.
drop index booking_request;
create unique index booking_request on booking (person_id, request_key) where request_key is not null;
drop index booking_answer;

-- How many places a person has of an offer is counted from their bookings, while the event's counter is held.
drop table offer_holder;

-- A person's bookings are found by way of the offers of an event, or of all events.
drop index booking_offer;
create index booking_offer on booking (offer_id, person_id, status);
