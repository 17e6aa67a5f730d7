-- A booking is written into each index of its tables, thousands a second in a rush. These two are not needed: an event's
-- bookings are those of its offers, and a person's tickets those of their bookings.
drop index booking_event;
drop index ticket_person;
