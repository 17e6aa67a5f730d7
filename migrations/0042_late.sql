-- Late = walk-over: who has come to the court is marked, and when the call clock has run out who has not come loses.

-- The server decides by itself when one side is there and the other is not; without it somebody confirms.
alter table discipline add column late_auto boolean not null default false;

-- When somebody marked that a side has come to the court it was called to. A call that is taken back clears both.
alter table match_ add column a_here_ms bigint;
alter table match_ add column b_here_ms bigint;
