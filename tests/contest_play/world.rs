//! A contest with its draw made: entries, groups, matches, courts.

use serde_json::{Value, json};
use turnout_server::{db::new_id, execute, fetch, web::access::Role};

use crate::support::TestApp;

/// A contest in the middle of its day.
pub(super) struct Contest<'a> {
    pub(super) app: &'a TestApp,
    pub(super) event: String,
    pub(super) organizer: String,
    offer: String,
}

/// A discipline: its id, and its entries from the strongest.
pub(super) struct Field {
    pub(super) id: String,
    pub(super) entries: Vec<String>,
}

impl<'a> Contest<'a> {
    pub(super) async fn new(app: &'a TestApp, courts: usize) -> Self {
        let (event, offer) = app
            .event(|draft| {
                draft["kind"] = "contest".into();
                draft["title"] = "职工乒乓球赛".into();
                draft.as_object_mut().expect("a draft").remove("theme");
            })
            .await;
        let organizer = app.staff(Role::Organizer).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(
            tx,
            "insert into contest (event_id, offer_id, created_ms) values ($1, $2, 0)",
            &event,
            &offer
        )
        .expect("contest");
        tx.commit().await.expect("commit");
        let contest = Self { app, event, organizer, offer };
        for number in 1..=courts {
            let path = format!("/api/v1/events/{}/courts", contest.event);
            let name = json!({ "name": format!("{number}号台") });
            app.post(&path, &contest.organizer, name).await.expect(200);
        }
        contest
    }

    /// A discipline of `count` singles, table tennis unless `change` says otherwise.
    pub(super) async fn field(
        &self,
        name: &str,
        format: &str,
        count: usize,
        people: &[String],
    ) -> Field {
        let app = self.app;
        let now = app.now();
        let id = new_id(now);
        let mut tx = app.app.db.write().await.expect("write");
        execute!(
            tx,
            "insert into discipline (id, event_id, name, sport, kind, format, seed_rule, players_min, players_max, rule,
                standings, opens_ms, closes_ms, present_by_ms, rest_ms, created_ms)
             values ($1, $2, $3, 'table_tennis', 'singles', $4, 'ittf', 1, 1, 'games/5/11', 'ittf', 0, 1, 1, 60000, $5)",
            &id,
            &self.event,
            name,
            format,
            now.0,
        )
        .expect("discipline");
        let mut entries = Vec::new();
        for number in 0..count {
            let entry = new_id(now);
            let person = match people.get(number) {
                Some(person) => person.clone(),
                None => {
                    let person = new_id(now);
                    execute!(
                        tx,
                        "insert into person (id, kind, name, name_search, status, created_ms, updated_ms)
                         values ($1, 'member', $2, $2, 'active', 0, 0)",
                        &person,
                        format!("选手{number}"),
                    )
                    .expect("person");
                    person
                }
            };
            execute!(
                tx,
                "insert into entry (id, event_id, discipline_id, name, status, seed, created_ms)
                 values ($1, $2, $3, $4, 'present', $5, $5)",
                &entry,
                &self.event,
                &id,
                format!("{name}{number}"),
                number as i64 + 1,
            )
            .expect("entry");
            execute!(
                tx,
                "insert into entry_player (entry_id, person_id, event_id, discipline_id, position, accepted_ms)
                 values ($1, $2, $3, $4, 1, 0)",
                &entry,
                &person,
                &self.event,
                &id,
            )
            .expect("player");
            entries.push(entry);
        }
        tx.commit().await.expect("commit");
        Field { id, entries }
    }

    /// Matches of a knock-out for so many entries (a power of two); sides from `first` when it gives any.
    /// Gives the ids by round, from the first.
    pub(super) async fn knock_out(
        &self,
        field: &Field,
        size: usize,
        first: impl Fn(usize) -> [Feed; 2],
    ) -> Vec<Vec<String>> {
        let mut tx = self.app.app.db.write().await.expect("write");
        let mut rounds: Vec<Vec<String>> = Vec::new();
        let mut left = size / 2;
        while left > 0 {
            let mut round = Vec::new();
            for at in 0..left {
                let id = new_id(self.app.now());
                let feeds = match rounds.last() {
                    None => first(at),
                    Some(before) => [
                        Feed::Winner(before[2 * at].clone()),
                        Feed::Winner(before[2 * at + 1].clone()),
                    ],
                };
                let entry =
                    |feed: &Feed| if let Feed::Entry(id) = feed { Some(id.clone()) } else { None };
                let from =
                    |feed: &Feed| if let Feed::Winner(id) = feed { Some(id.clone()) } else { None };
                let group = |feed: &Feed| {
                    if let Feed::Group(id, _) = feed { Some(id.clone()) } else { None }
                };
                let rank =
                    |feed: &Feed| if let Feed::Group(_, rank) = feed { Some(*rank) } else { None };
                let [a, b] = &feeds;
                let state =
                    if entry(a).is_some() && entry(b).is_some() { "ready" } else { "waiting" };
                execute!(
                    tx,
                    "insert into match_ (id, event_id, discipline_id, stage, round, position, a_entry_id, b_entry_id,
                        a_match_id, a_takes, a_group_id, a_rank, b_match_id, b_takes, b_group_id, b_rank, state, created_ms)
                     values ($1, $2, $3, 'knock_out', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0)",
                    &id,
                    &self.event,
                    &field.id,
                    rounds.len() as i64 + 1,
                    at as i64 + 1,
                    entry(a),
                    entry(b),
                    from(a),
                    from(a).map(|_| "winner"),
                    group(a),
                    rank(a),
                    from(b),
                    from(b).map(|_| "winner"),
                    group(b),
                    rank(b),
                    state,
                )
                .expect("match");
                round.push(id);
            }
            rounds.push(round);
            left /= 2;
        }
        tx.commit().await.expect("commit");
        rounds
    }

    /// A group of those entries, everybody against everybody. Gives its id and its matches with the places of their sides.
    pub(super) async fn group(
        &self,
        field: &Field,
        number: i64,
        entries: &[usize],
    ) -> (String, Vec<(String, usize, usize)>) {
        let group = new_id(self.app.now());
        let mut tx = self.app.app.db.write().await.expect("write");
        execute!(
            tx,
            "insert into group_ (id, event_id, discipline_id, number) values ($1, $2, $3, $4)",
            &group,
            &self.event,
            &field.id,
            number,
        )
        .expect("group");
        let mut matches = Vec::new();
        for (place, a) in entries.iter().enumerate() {
            execute!(
                tx,
                "update entry set group_id = $2, group_place = $3 where id = $1",
                &field.entries[*a],
                &group,
                place as i64
            )
            .expect("in the group");
            for b in &entries[place + 1..] {
                let id = new_id(self.app.now());
                execute!(
                    tx,
                    "insert into match_ (id, event_id, discipline_id, stage, group_id, round, position, a_entry_id, b_entry_id,
                        state, created_ms) values ($1, $2, $3, 'group', $4, 1, $5, $6, $7, 'ready', 0)",
                    &id,
                    &self.event,
                    &field.id,
                    &group,
                    matches.len() as i64 + 1,
                    &field.entries[*a],
                    &field.entries[*b],
                )
                .expect("match");
                matches.push((id, *a, *b));
            }
        }
        tx.commit().await.expect("commit");
        (group, matches)
    }

    /// Asks as the organizer.
    pub(super) async fn post(&self, path: &str, body: Value) -> crate::support::app::Answer {
        self.app.post(&format!("/api/v1{path}"), &self.organizer, body).await
    }

    pub(super) async fn fill(&self) -> i64 {
        self.post(&format!("/events/{}/calls", self.event), json!({})).await.expect(200)["called"]
            .as_i64()
            .expect("a number")
    }

    pub(super) async fn show(&self, id: &str) -> Value {
        self.app.get(&format!("/api/v1/matches/{id}"), &self.organizer).await.expect(200)
    }

    /// The result of a match, by the organizer.
    pub(super) async fn result(&self, id: &str, games: Value) -> Value {
        let version = self.show(id).await["version"].clone();
        let key = new_id(self.app.now());
        let sent = json!({ "key": key, "version": version, "games": games, "outcome": "played" });
        self.post(&format!("/matches/{id}/report"), sent).await.expect(200)
    }

    /// An umpire's link; its secret.
    pub(super) async fn umpire(&self, court: Option<&str>) -> String {
        let asked = json!({ "name": "裁判", "court": court });
        let made = self.post(&format!("/events/{}/umpires", self.event), asked).await.expect(201);
        made["secret"].as_str().expect("a secret").to_owned()
    }

    /// The ids of the courts, in order.
    pub(super) async fn courts(&self) -> Vec<String> {
        let mut tx = self.app.app.db.read().await.expect("read");
        let rows: Vec<(String,)> = fetch!(
            tx,
            fetch_all,
            "select id from court where event_id = $1 order by position",
            &self.event
        )
        .expect("courts");
        rows.into_iter().map(|(id,)| id).collect()
    }

    /// The offer whose tickets the players hold.
    pub(super) fn offer(&self) -> &str {
        &self.offer
    }
}

/// Where a side comes from.
pub(super) enum Feed {
    Entry(String),
    Winner(String),
    Group(String, i64),
}

/// Asks as an umpire with a link.
pub(super) async fn as_umpire(
    app: &TestApp,
    secret: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("{}/api/v1{path}", app.url);
    let request = match body {
        Some(body) => app.http.post(url).json(&body),
        None => app.http.get(url),
    };
    let response = request.header("x-umpire", secret).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}
