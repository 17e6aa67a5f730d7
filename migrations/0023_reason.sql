-- Why staff changed a booking by hand: its holder reads it, and so does who asks later.
alter table booking_change add column reason text not null default '';
