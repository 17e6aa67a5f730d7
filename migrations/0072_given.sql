-- Places that nobody asks for: they come with an entry in a contest, or with a unit's list. Until now these offers were
-- allocations without a time at which the rest opens. SQLite cannot change a check, so the column is made again.
alter table offer add column way text not null default 'first_come'
    check (way in ('first_come', 'draw', 'approval', 'allocation', 'given'));
update offer set way = case when mode = 'allocation' and flow_back_ms is null then 'given' else mode end;
alter table offer drop column mode;
alter table offer rename column way to mode;
