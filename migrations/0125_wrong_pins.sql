-- Somebody types PINs at a kiosk's operating page that are not its own: how many within the last day, as it last said.
alter table kiosk add column wrong_pins bigint not null default 0;
