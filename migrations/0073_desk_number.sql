-- What a scan at a kiosk of this desk means: a call number is taken, or, as before, one visit is counted.
alter table desk add column kiosk_numbers boolean not null default false;
