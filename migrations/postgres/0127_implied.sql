-- Each foreign key of each row costs a query. These say only what others say already: a booking's event is its offer's, a
-- ticket's event, offer and person are its booking's, and a scan's event is its kiosk's or its ticket's. They are written
-- together, never changed, and what they name is never deleted; `turnout-server verify` compares them.
-- All that is changed, and what it names, is taken before anything is changed, in the order in which a booking takes it. Everybody
-- else waits behind this, so it does not wait for long itself.
set local lock_timeout = '5s';
lock table offer, event, person, kiosk, booking, ticket, scan in access exclusive mode;
alter table booking drop constraint booking_event_id_fkey;
alter table ticket
    drop constraint ticket_event_id_fkey,
    drop constraint ticket_offer_id_fkey,
    drop constraint ticket_person_id_fkey;
alter table scan drop constraint scan_event_id_fkey;
