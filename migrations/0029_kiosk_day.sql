-- What kiosks show and send beside the verdict.

-- Where the holder goes, or what they wear: a walker's number, a seat. Printed on slips, shown at the door. No secret.
alter table ticket add column place text;

-- Consent that the visitor tapped on a kiosk at the stand: the entry of the kiosk's journal that says so. How is 'visitor',
-- since it is their own word. An entry that is sent again changes nothing.
alter table consent add column kiosk_id text references kiosk (id);
alter table consent add column seq bigint;
create unique index consent_entry on consent (kiosk_id, seq);
