-- As in postgres/0127_implied.sql. SQLite drops no constraint; what the file holds stays as it is, so the text of the table may be
-- changed where it stands: https://www.sqlite.org/lang_altertable.html#otheralter
pragma writable_schema = on;
update sqlite_schema
set sql = replace(replace(replace(sql,
    'event_id text not null references event (id)', 'event_id text not null'),
    'offer_id text not null references offer (id)', 'offer_id text not null'),
    'person_id text references person (id)', 'person_id text')
where type = 'table' and name = 'ticket';
update sqlite_schema
set sql = replace(sql, 'event_id text not null references event (id)', 'event_id text not null')
where type = 'table' and name in ('booking', 'scan');
-- Whoever else has the file open sees by this that the schema is another.
create table changed (n bigint);
drop table changed;
pragma writable_schema = reset;
