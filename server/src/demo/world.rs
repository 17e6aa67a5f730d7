//! The demo world: the federation's organisations and members, and events of all kinds in the middle of their day.

use std::sync::Arc;

use admission::{
    Clock, Millis, Verdict,
    decide::StationKind,
    scan::{Chain, Deed, Entry, Medium, Scan, Skew, Trust},
    sync::Upload,
    time::{DAY, HOUR, MINUTE},
};
use futures_util::future::try_join_all;

use super::{EventNote, MemberNote, Notes, OfferNote, Session, StaffNote};
use crate::{
    App,
    booking::rules::{self as booking, Request},
    draw,
    event::{self, EventDraft, OfferDraft},
    fetch, kiosk,
    people::import::{
        batch::Batch,
        headings::Kind,
        rows::Rules,
        sheet::Limits,
        verdict::{Accepted, Verdict as RowVerdict},
    },
    staff,
    web::{
        access::{Person, Role},
        session::{self, Holder},
    },
};

const ORGANISATIONS: &[u8] = include_bytes!("../../../tests/data/organisations.xlsx");
const MEMBERS: &[u8] = include_bytes!("../../../tests/data/members.xlsx");

/// Members whose sessions are handed out; they hold no tickets.
const LISTED: usize = 50;

/// A clock that stands: what happened before the demo began happened then.
pub(super) struct Stands(pub(super) Millis);

impl Clock for Stands {
    fn now(&self) -> Millis {
        self.0
    }
}

/// Makes the world in an empty database.
pub(super) async fn make(app: &App) -> anyhow::Result<Notes> {
    let now = app.clock.now();
    let organisations = import(app, Kind::Organisations, ORGANISATIONS).await?;
    let members = import(app, Kind::Members, MEMBERS).await?;
    let people = people(app).await?;
    let (listed, others) = people.split_at(LISTED.min(people.len()));
    let mut notes = Notes { counts: (organisations, members), ..Notes::default() };
    notes.staff = accounts(app, now, &mut notes.organizer).await?;
    notes.members = sessions(app, listed, now).await?;

    let fair = add(app, &fair(now), now).await?;
    let (contest, umpire) = super::contest::make(app, &others[600..], now).await?;
    notes.umpire = umpire;
    let springs = add(app, &springs(now), now).await?;
    let lecture = add(app, &lecture(now), now).await?;

    let long_ago = now.plus(-2 * DAY);
    let before = app.with_clock(Arc::new(Stands(long_ago)));
    let manor = add(&before, &manor(now), long_ago).await?;
    let orchard = add(&before, &orchard(now), long_ago).await?;
    let visitors = book_all(&before, &others[76..506], &fair.offers[0], 0).await?;
    super::fair::fill(app, &fair.id, now).await?;
    let begun = on_the_hour(now.plus(-3 * HOUR));
    super::fair::today(app, &fair.id, &visitors, (begun, now)).await?;
    notes.stand = super::fair::open_stand(app, &fair.id, now).await?;
    let last_year = super::fair::last_year(app, others, now).await?;
    book_all(&before, &others[226..251], &lecture.offers[0], 1).await?;
    // Entries of two days ago, drawn an hour ago; and more people than places.
    book_all(&before, &others[100..196], &manor.offers[0], 1).await?;
    draw::sweep(app).await?;
    book_all(&before, &others[226..254], &orchard.offers[0], 1).await?;
    let grain = super::goods::grain(app, &others[260..410], now).await?;
    let summer = super::goods::summer(app, now).await?;
    super::goods::past(app, &others[420..520], now).await?;
    // The fifth who is listed on the demo page has a book that is late.
    super::books::library(app, &listed[4..], now).await?;
    let (vouchers, venue) = super::voucher::make(app, &others[520..], now).await?;
    notes.venue = venue;

    let mut tx = app.db.write().await?;
    let gate = kiosk::rules::NewKiosk {
        name: "东门一号".to_owned(),
        event_id: fair.id.clone(),
        station_kind: StationKind::Gate,
        station: "东门".to_owned(),
    };
    (_, notes.kiosk_code) = kiosk::rules::add(&mut tx, &gate, now).await?;
    tx.commit().await?;
    notes.events =
        vec![fair, contest, springs, lecture, manor, orchard, last_year, grain, summer, vouchers];
    Ok(notes)
}

async fn import(app: &App, kind: Kind, bytes: &[u8]) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let today = admission::say::zoned(now, &crate::web::frame::zone("Asia/Shanghai")).date();
    let rules =
        Rules { card_key: &app.keys.card, bins: &app.card_bins, today, limits: Limits::default() };
    let batch = Batch::read(kind, bytes, &rules)?;
    let mut tx = app.db.write().await?;
    let report = batch.carry_out(&mut tx, &Accepted::default(), now, |_| ()).await?;
    tx.commit().await?;
    Ok(report.count(RowVerdict::New))
}

/// Members in the order of the roster.
async fn people(app: &App) -> anyhow::Result<Vec<(Person, String)>> {
    let mut tx = app.db.read().await?;
    let rows: Vec<(String, String, String)> = fetch!(
        tx,
        fetch_all,
        "select id, name, phone from person where kind = 'member' and status = 'active' and phone is not null
         order by phone limit 1100",
    )?;
    Ok(rows
        .into_iter()
        .map(|(id, name, phone)| (Person { id, name, member: true }, phone))
        .collect())
}

async fn accounts(
    app: &App,
    now: Millis,
    organizer: &mut Session,
) -> anyhow::Result<Vec<StaffNote>> {
    let mut notes = Vec::new();
    for (name, role) in
        [("陈主任", Role::Admin), ("周组织", Role::Organizer), ("小李", Role::Volunteer)]
    {
        let new = staff::add(&app.db, name, role, now).await?;
        if role == Role::Organizer {
            organizer.token = staff::session_for(&app.db, &new.id, now).await?;
        }
        notes.push(StaffNote {
            name: name.to_owned(),
            role: role.word().to_owned(),
            password: new.password,
        });
    }
    Ok(notes)
}

async fn sessions(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<Vec<MemberNote>> {
    let mut tx = app.db.write().await?;
    let mut notes = Vec::new();
    for (person, phone) in people {
        let token = session::open(&mut tx, Holder::Person(&person.id), now).await?;
        notes.push(MemberNote { name: person.name.clone(), phone: phone.clone(), token });
    }
    tx.commit().await?;
    Ok(notes)
}

pub(super) async fn add(app: &App, draft: &EventDraft, now: Millis) -> anyhow::Result<EventNote> {
    event::rules::check_event(draft)?;
    let mut tx = app.db.write().await?;
    let id = event::queries::create(&mut tx, draft, now).await?;
    draw::commit(&mut tx, &app.keys, &id, now).await?;
    let offers = event::queries::offers(&mut tx, &id).await?;
    tx.commit().await?;
    let offers =
        offers.into_iter().map(|offer| OfferNote { id: offer.id, mode: offer.mode }).collect();
    Ok(EventNote { id, kind: draft.kind.clone(), title: draft.title.clone(), offers })
}

/// Books one place for each, every fifth with `guests` companions; gives the tickets' ids.
pub(super) async fn book_all(
    app: &App,
    people: &[(Person, String)],
    offer: &OfferNote,
    guests: usize,
) -> anyhow::Result<Vec<String>> {
    let bookings = people.iter().enumerate().map(|(at, (person, _))| {
        let guests = if at % 5 == 0 { vec!["家属".to_owned(); guests] } else { Vec::new() };
        let request = Request { offer: offer.id.clone(), guests };
        async move { booking::book(app, person, request, &offer.id).await }
    });
    let booked = try_join_all(bookings).await?;
    Ok(booked.into_iter().flat_map(|booked| booked.tickets).map(|ticket| ticket.id).collect())
}

/// A door of the past.
pub(super) struct Door {
    station: &'static str,
    kind: StationKind,
    number: u32,
    entries: Vec<Entry>,
}

impl Door {
    pub(super) async fn at(
        app: &App,
        event_id: &str,
        station: &'static str,
        kind: StationKind,
    ) -> anyhow::Result<Self> {
        let mut tx = app.db.read().await?;
        let number = u32::try_from(event::queries::event(&mut tx, event_id).await?.number)?;
        Ok(Self { station, kind, number, entries: Vec::new() })
    }

    pub(super) fn saw(&mut self, ticket: &str, verdict: Verdict, at: Millis) {
        self.entries.push(Entry::of(&Scan {
            seq: self.entries.len() as u64 + 1,
            event: self.number,
            station_kind: self.kind,
            station: self.station.to_owned(),
            medium: Medium::Code,
            ticket: ticket.parse().ok(),
            verdict,
            trust: Trust::Live,
            at,
            skew: Some(Skew { ms: 0, error_ms: 4 }),
            deed: Deed::default(),
        }));
    }

    /// Uploads what it saw; gives the kiosk.
    pub(super) async fn upload(
        self,
        app: &App,
        event_id: &str,
        now: Millis,
    ) -> anyhow::Result<String> {
        let new = kiosk::rules::NewKiosk {
            name: format!("{}一号", self.station),
            event_id: event_id.to_owned(),
            station_kind: self.kind,
            station: self.station.to_owned(),
        };
        let mut tx = app.db.write().await?;
        let (id, code) = kiosk::rules::add(&mut tx, &new, now).await?;
        tx.commit().await?;
        // Nobody holds this kiosk's private key: its day is over.
        let nobody = data_encoding::HEXLOWER.encode(&[7; 32]);
        kiosk::rules::enrol(app, &code, &nobody, "demo").await?;
        let upload = Upload {
            from_seq: 1,
            before: Chain::start(&id),
            head_seq: self.entries.len() as u64,
            entries: self.entries,
            skew_ms: Some(4),
            ..Upload::default()
        };
        kiosk::receive(app, &id, upload).await?;
        Ok(id)
    }
}

pub(super) fn draft(kind: &str, title: &str, starts: Millis, hours: i64) -> EventDraft {
    EventDraft {
        kind: kind.to_owned(),
        theme: None,
        title: title.to_owned(),
        place: String::new(),
        entrance: "东门".to_owned(),
        poster: String::new(),
        starts_ms: starts.0,
        ends_ms: starts.plus(hours * HOUR).0,
        time_zone: "Asia/Shanghai".to_owned(),
        status: "published".to_owned(),
        offers: Vec::new(),
    }
}

pub(super) fn offer(
    name: &str,
    quota: i64,
    opens: Millis,
    closes: Millis,
    eligibility: &str,
) -> OfferDraft {
    OfferDraft {
        eligibility: eligibility.to_owned(),
        ..OfferDraft::plain(name, quota, opens.0, closes.0)
    }
}

/// In the middle of its day; anybody may come in.
fn fair(now: Millis) -> EventDraft {
    let starts = on_the_hour(now.plus(-3 * HOUR));
    let offer = OfferDraft {
        cancel_until_ms: Some(starts.plus(8 * HOUR).0),
        reentry: true,
        ..offer("入场", 1_000, now.plus(-10 * DAY), starts.plus(8 * HOUR), "anyone")
    };
    EventDraft {
        place: "王佐镇文化体育中心 一层展厅".to_owned(),
        poster: "27 家企业，768 个岗位，115 个工种。现场设职工维权、职业指导、政策解答、法律援助四个咨询台。\n\
                 凭票二维码或京卡入场；没有入会的职工也欢迎。"
            .to_owned(),
        offers: vec![offer],
        ..draft("fair", "春风行动 · 春季招聘会", starts, 9)
    }
}

/// Few places, and they open in ten minutes.
fn springs(now: Millis) -> EventDraft {
    let starts = at_hour(now, 2, 9);
    let opens = Millis(now.plus(10 * MINUTE).0 / MINUTE * MINUTE);
    EventDraft {
        place: "南宫温泉水世界".to_owned(),
        entrance: "南门换票处".to_owned(),
        poster: "免费温泉套票 60 张，每位会员限一张，抢完为止。本券当日一次有效，不可转让。"
            .to_owned(),
        offers: vec![offer("温泉套票", 60, opens, starts.plus(-12 * HOUR), "members")],
        ..draft("voucher", "会员温泉福利券", starts, 10)
    }
}

/// In three days; members may bring somebody.
fn lecture(now: Millis) -> EventDraft {
    let starts = at_hour(now, 3, 14);
    let offer = OfferDraft {
        per_person: 3,
        guests_max: 2,
        ..offer("听讲座位", 120, now.plus(-5 * DAY), starts.plus(-2 * HOUR), "anyone")
    };
    EventDraft {
        theme: Some("law".to_owned()),
        place: "王佐镇政府 二层报告厅".to_owned(),
        entrance: "北门".to_owned(),
        poster: "请律师讲劳动合同、工伤和加班工资，现场答疑。可带两位家人或同事。".to_owned(),
        offers: vec![offer],
        ..draft("activity", "职工普法讲座：劳动合同那些事", starts, 2)
    }
}

/// Its places were drawn an hour ago.
fn manor(now: Millis) -> EventDraft {
    let starts = at_hour(now, 5, 9);
    let offer = OfferDraft {
        mode: "draw".to_owned(),
        per_person: 2,
        guests_max: 1,
        weight_drives: 3,
        cancel_until_ms: Some(starts.plus(-DAY).0),
        ..offer("家庭套票", 40, now.plus(-3 * DAY), now.plus(-HOUR), "members")
    };
    EventDraft {
        place: "南宫温泉庄园俱乐部".to_owned(),
        entrance: "大厅前台".to_owned(),
        poster: "40 个名额，报名三天，随后抽签：早报晚报机会一样，结果人人可以核验。".to_owned(),
        offers: vec![offer],
        ..draft("voucher", "温泉庄园家庭日", starts, 10)
    }
}

/// Full, with people waiting in line.
fn orchard(now: Millis) -> EventDraft {
    let starts = at_hour(now, 6, 8);
    let offer = OfferDraft {
        per_person: 2,
        guests_max: 1,
        waiting_list: true,
        ..offer("采摘名额", 24, now.plus(-4 * DAY), starts.plus(-12 * HOUR), "members")
    };
    EventDraft {
        theme: Some("visit".to_owned()),
        place: "青龙湖公园 采摘园".to_owned(),
        entrance: "东门集合".to_owned(),
        poster: "带家人摘草莓，每家一篮。名额满了可以候补，有人退出就按次序递补。".to_owned(),
        offers: vec![offer],
        ..draft("activity", "亲子采摘日", starts, 4)
    }
}

/// That hour in Beijing, so many days from now.
pub(super) fn at_hour(now: Millis, days: i64, hour: i64) -> Millis {
    /// Beijing is eight hours ahead of UTC, all year.
    const BEIJING_MS: i64 = 8 * HOUR;
    let midnight = now.plus(BEIJING_MS).0 / DAY * DAY - BEIJING_MS;
    Millis(midnight + days * DAY + hour * HOUR)
}

pub(super) fn on_the_hour(moment: Millis) -> Millis {
    Millis(moment.0 / HOUR * HOUR)
}
