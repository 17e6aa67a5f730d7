-- Contests: disciplines, who entered them, the draw, the matches and their scores.

-- What a contest event needs beyond an event. One row per event that has disciplines.
create table contest (
    event_id text primary key references event (id),
    -- The offer whose tickets the players hold: one ticket a player and event, however many disciplines they play.
    offer_id text not null references offer (id),
    -- In how many disciplines of the event one person may play. None: no limit.
    per_person bigint check (per_person >= 1),
    created_ms bigint not null
);

-- Where matches are played: a table, a court, a pitch.
create table court (
    id text primary key,
    event_id text not null references event (id),
    -- 1号台, A场.
    name text not null,
    -- In this order they are offered.
    position bigint not null,
    -- None: any sport.
    sport text check (sport in ('table_tennis', 'badminton', 'football')),
    -- Not to be used for now: a broken net, a long break.
    closed boolean not null default false,
    unique (event_id, name)
);

create table discipline (
    id text primary key,
    event_id text not null references event (id),
    -- 乒乓球男子单打.
    name text not null,
    sport text not null check (sport in ('table_tennis', 'badminton', 'football', 'walk')),
    kind text not null check (kind in ('singles', 'doubles', 'team')),
    -- knock_out; groups, then a knock-out of the best of each; round_robin: one group, everybody against everybody;
    -- walk: no matches, a course.
    format text not null check (format in ('knock_out', 'groups', 'round_robin', 'walk')),
    -- Whose places the draw keeps for seeds: ITTF 3.6.2 or the BWF's.
    seed_rule text not null check (seed_rule in ('ittf', 'bwf')),
    -- Who may play: men m, women w, one of each x, anybody none.
    sex text check (sex in ('m', 'w', 'x')),
    -- Players of one entry: 1 and 1 for singles, 2 and 2 for doubles, the squad's limits for teams.
    players_min bigint not null check (players_min >= 1),
    players_max bigint not null check (players_max >= players_min),
    -- With fewer entries it does not take place; above the other they wait in line. None: any number.
    entries_min bigint not null default 2 check (entries_min >= 2),
    entries_max bigint check (entries_max >= entries_min),
    -- Entries of one organisation. None: any number.
    organisation_max bigint check (organisation_max >= 1),
    -- About how many play in one group, and how many of each go on.
    group_size bigint not null default 4 check (group_size between 3 and 16),
    group_winners bigint not null default 2 check (group_winners between 1 and 4),
    -- Whether the losers of the semi-finals play for the third place.
    third_place boolean not null default false,
    -- How a match is counted: 'games/5/11' is best of 5 games to 11 without a cap, 'games/3/21/30' best of 3 to 21, at
    -- most 30, 'goals/2/20' two halves of 20 minutes.
    rule text not null,
    -- In the knock-out, once no more than late_from are left (4: from the semi-finals), it is counted by this one.
    late_rule text,
    late_from bigint check (late_from >= 2),
    -- Team matches of single ones, in order: 'A-X B-Y C-Z A-Y B-X'; 'AB-XY' is a double. Empty: a team plays as one.
    tie_order text not null default '',
    standings text not null check (standings in ('ittf', 'bwf', 'fifa_2022', 'fifa_2026', 'union')),
    -- Entries are taken between these.
    opens_ms bigint not null,
    closes_ms bigint not null,
    -- Players are asked to have checked in by then; after it the organizer closes the list.
    present_by_ms bigint not null,
    -- Who is not there so long after the call loses by walk-over.
    late_ms bigint not null default 900000 check (late_ms >= 0),
    -- A player rests so long between two matches, whatever the discipline.
    rest_ms bigint not null default 600000 check (rest_ms >= 0),
    -- The last place in the line that was given out; it never goes down.
    last_in_line bigint not null default 0,
    -- The list was closed: who was not there is out.
    list_closed_ms bigint,
    -- All is played.
    finished_ms bigint,
    -- It does not take place.
    cancelled_ms bigint,
    created_ms bigint not null,
    unique (event_id, name),
    check (closes_ms > opens_ms)
);
create index discipline_event on discipline (event_id);

-- The draws of a discipline. The seed of each is committed to before it is drawn: the first when the discipline is
-- made, a further one when the last was declared void, in public and with a reason.
create table contest_draw (
    discipline_id text not null references discipline (id),
    number bigint not null check (number >= 1),
    event_id text not null references event (id),
    -- SHA-256 of the seed. The seed itself is made from the key folder, the discipline's id and the number.
    commitment text not null,
    committed_ms bigint not null,
    drawn_ms bigint,
    -- The published record, as it is served and verified.
    record text,
    void_ms bigint,
    void_reason text,
    primary key (discipline_id, number)
);

-- A group of a discipline ("group" is a word of SQL).
create table group_ (
    id text primary key,
    event_id text not null references event (id),
    discipline_id text not null references discipline (id),
    -- 1 is A.
    number bigint not null check (number >= 1),
    -- Its ranking is settled, and the knock-out filled from it.
    finished_ms bigint,
    unique (discipline_id, number)
);

create table entry (
    id text primary key,
    event_id text not null references event (id),
    discipline_id text not null references discipline (id),
    organisation_id text references organisation (id),
    -- The team's name; of singles and pairs their players' names.
    name text not null,
    -- 1 is the strongest. None: not seeded.
    seed bigint check (seed >= 1),
    -- partner_pending: somebody has not accepted yet. entered: complete. waiting: in line for a place. After the list was
    -- closed: present or absent. withdrawn: taken back, by whomever.
    status text not null check (status in
        ('partner_pending', 'entered', 'waiting', 'present', 'absent', 'withdrawn')),
    -- Its place in the line, counted by the discipline.
    line bigint,
    -- Who made it: the player, the one who invited, the team's captain. None: the organizer or an import.
    captain_id text references person (id),
    -- A walker's or player's number: 'W0001'.
    bib text,
    -- The organizer saw them: present without a scan.
    seen_ms bigint,
    created_ms bigint not null,
    withdrawn_ms bigint,
    -- Where the draw put it: in a group at a place, or on a line of the first round, from the top.
    group_id text references group_ (id),
    group_place bigint,
    draw_line bigint
);
create index entry_discipline on entry (discipline_id, status);
create index entry_event on entry (event_id);
create unique index entry_bib on entry (event_id, bib);

create table entry_player (
    entry_id text not null references entry (id),
    -- A member or a guest.
    person_id text not null references person (id),
    event_id text not null references event (id),
    discipline_id text not null references discipline (id),
    -- 1 is the first named.
    position bigint not null check (position >= 1),
    -- None: asked, not yet answered.
    accepted_ms bigint,
    -- Not of this entry any more: it or they withdrew.
    left_ms bigint,
    primary key (entry_id, person_id)
);
-- Nobody plays twice in one discipline.
create unique index entry_player_once on entry_player (discipline_id, person_id) where left_ms is null;
create index entry_player_person on entry_player (person_id, event_id);

-- A match ("match" is a word of Rust). A bye has no row: whoever has it stands in the second round.
create table match_ (
    id text primary key,
    event_id text not null references event (id),
    discipline_id text not null references discipline (id),
    stage text not null check (stage in ('group', 'knock_out')),
    group_id text references group_ (id),
    -- From 1. In a knock-out the last round is the final; position counts from the top of the bracket.
    round bigint not null check (round >= 1),
    position bigint not null check (position >= 1),
    -- The match for the third place stands beside the final, in the same round.
    third_place boolean not null default false,
    -- One match of a team match: that match, its place in it, and what it is ('A-X').
    tie_id text references match_ (id),
    label text not null default '',
    -- Who plays; none until it is known.
    a_entry_id text references entry (id),
    b_entry_id text references entry (id),
    -- Where each side comes from, when the draw did not put it there: the winner or loser of a match, or a rank in a group.
    a_match_id text references match_ (id),
    a_takes text check (a_takes in ('winner', 'loser')),
    a_group_id text references group_ (id),
    a_rank bigint,
    b_match_id text references match_ (id),
    b_takes text check (b_takes in ('winner', 'loser')),
    b_group_id text references group_ (id),
    b_rank bigint,
    -- waiting: a side is not known. ready: it can be called. called: to its court. playing. ended.
    state text not null default 'waiting' check (state in ('waiting', 'ready', 'called', 'playing', 'ended')),
    court_id text references court (id),
    called_ms bigint,
    started_ms bigint,
    ended_ms bigint,
    -- played to its end; walkover: a side never came; retired: a side gave up; disqualified; void: does not count.
    outcome text check (outcome in ('played', 'walkover', 'retired', 'disqualified', 'void')),
    -- None of an ended match: a draw, or nobody came.
    winner text check (winner in ('a', 'b')),
    -- Games or goals won; of a team match, its single ones.
    a_score bigint,
    b_score bigint,
    -- Football: the shoot-out.
    a_shootout bigint,
    b_shootout bigint,
    -- Goes up with each change: an umpire's phone says which one it has seen.
    version bigint not null default 0,
    created_ms bigint not null
);
create index match_discipline on match_ (discipline_id, stage, round, position);
create index match_event on match_ (event_id, state);
create index match_a_match on match_ (a_match_id);
create index match_b_match on match_ (b_match_id);
create index match_tie on match_ (tie_id);

-- Who plays a single match of a team match.
create table match_player (
    match_id text not null references match_ (id),
    event_id text not null references event (id),
    side text not null check (side in ('a', 'b')),
    position bigint not null check (position >= 1),
    person_id text not null references person (id),
    primary key (match_id, side, position)
);

-- The points of each game; the goals of each half.
create table game (
    match_id text not null references match_ (id),
    event_id text not null references event (id),
    number bigint not null check (number >= 1),
    a_points bigint not null check (a_points >= 0),
    b_points bigint not null check (b_points >= 0),
    primary key (match_id, number)
);

-- What was done to a match, and by whom: calls, results, corrections. Append-only.
create table match_change (
    id text primary key,
    event_id text not null references event (id),
    match_id text not null references match_ (id),
    at_ms bigint not null,
    -- The staff, or the umpire by name when they have no account.
    staff_id text references staff (id),
    umpire text,
    -- called, started, result, correction, walkover, retirement, …
    action text not null,
    -- The match before and after, JSON.
    before text,
    after text,
    reason text not null default ''
);
create index match_change_match on match_change (match_id, at_ms);
