-- Scans of a ticket that a gate gave without the server may arrive before the gate's own word: they are looked up by what they
-- say, among the few of an event that have no ticket, and the other way round among its walk-ins.
create index scan_ticketless on scan (event_id) where ticket_id is null;
create index scan_walk_in on scan (event_id) where act = 'walk_in';
