-- The ticket that a door let in by its signature and that is not in these books: they were restored from a backup that is
-- older than the ticket. No reference, for there is none to refer to.
alter table scan add column stray text;
create index scan_stray on scan (event_id, stray) where stray is not null;
