-- Whether the tickets of an offer must be shown as a moving code, or with an ID: a forwarded screenshot is refused.
alter table offer add column moving_code boolean not null default false;
