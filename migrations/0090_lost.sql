-- A kiosk that was revoked still sends what it had decided before it heard of it, unless it is in strange hands: whoever
-- holds a kiosk's key could write into its journal what no door ever did.
alter table kiosk add column lost boolean not null default false;
