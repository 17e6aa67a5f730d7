-- What a closed statement says is what it said when it was closed: its hash is over the serials as well. Those of vouchers
-- were the first ten characters of the ticket's id; since ids begin with their time they are the first random ones.
alter table settlement_entry add column serial text not null default '';
update settlement_entry set serial = substr(ticket_id, 1, 5) || '-' || substr(ticket_id, 6, 5);
