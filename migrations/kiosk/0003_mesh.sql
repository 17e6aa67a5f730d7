-- What other kiosks of the event told on the local network and the server's copy does not tell yet: no name, no card.
-- A cache: whatever is lost can be heard again.

create table peer_scan (
    kiosk text not null,
    seq integer not null,
    told text not null,
    signature text not null,
    primary key (kiosk, seq)
) strict, without rowid;

-- Through where the copy tells what a kiosk did.
create table peer (
    kiosk text primary key,
    settled integer not null
) strict, without rowid;

