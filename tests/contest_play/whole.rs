//! Whole contests through the public interfaces alone: entries on phones and from a file, check-in at a kiosk, the list,
//! the draw, calls, umpires' phones, results, certificates. Only the roster is given.

use std::collections::{HashMap, HashSet};

use admission::Verdict;
use serde_json::{Value, json};
use tokio::process::Command;
use turnout_server::{archive::verify, execute, fetch};

use super::world::as_umpire;
use crate::{
    contest::{submit, verifies},
    support::{
        TestApp, on_both,
        people::{Member, bin},
    },
};

const MINUTE: i64 = 60_000;
const A_WINS: [[i64; 2]; 3] = [[11, 5], [11, 6], [12, 10]];
const B_WINS: [[i64; 2]; 4] = [[5, 11], [11, 6], [7, 11], [9, 11]];
const B_WINS_AT_ONCE: [[i64; 2]; 3] = [[5, 11], [6, 11], [9, 11]];

/// A contest in which a day goes by.
struct Day<'a> {
    app: &'a TestApp,
    event: String,
    discipline: String,
    organizer: String,
}

impl<'a> Day<'a> {
    async fn new(app: &'a TestApp, fields: &[(&str, &str)]) -> Self {
        let (event, discipline, organizer) = app.contest(fields).await;
        Self { app, event, discipline, organizer }
    }

    /// Members who play for unions, in turn.
    async fn members(&self, count: usize, unions: usize) -> Vec<Member> {
        let mut ids = Vec::new();
        for number in 0..unions {
            ids.push(self.app.union(&format!("第{number}工会")).await);
        }
        let mut members = Vec::new();
        for number in 0..count {
            let member = self.app.member(&format!("选手{number:03}")).await;
            if let Some(union) = ids.get(number % unions.max(1)) {
                let mut tx = self.app.app.db.write().await.expect("write");
                execute!(
                    tx,
                    "update person set organisation_id = $2 where id = $1",
                    &member.id,
                    union
                )
                .expect("join");
                tx.commit().await.expect("commit");
            }
            members.push(member);
        }
        members
    }

    /// Enters members from a file, as an organizer does with a list on paper.
    async fn import(&self, members: &[Member]) {
        let app = self.app;
        let mut text = String::from("项目,姓名,手机号\n");
        for member in members {
            text += &format!("乒乓球男子单打,{},{}\n", member.name, member.phone);
        }
        let file = app.folder.path().join("entries.csv");
        std::fs::write(&file, text).expect("write");
        let done = Command::new(bin("turnout-server"))
            .args(["import", "contest", "--event", &self.event])
            .arg(file)
            .args(["--database", &app.database, "--data"])
            .arg(app.folder.path())
            .env("RUST_LOG", "warn")
            .output()
            .await
            .expect("it runs");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(said.contains(&format!("new {} ", members.len())), "{said}");
    }

    /// Those of `members` check in at the kiosk by the door.
    async fn check_in(&self, members: &[&Member]) {
        let mut kiosk = self.app.kiosk(&self.event, "东门").await;
        let tickets: HashMap<String, String> =
            self.app.players_tickets(&self.event).await.into_iter().collect();
        for member in members {
            kiosk.decide(&tickets[&member.name], Verdict::Admitted);
        }
        kiosk.upload().await;
    }

    async fn close_and_draw(&self) -> Value {
        let path = format!("/admin/disciplines/{}", self.discipline);
        submit(self.app, &self.organizer, &format!("{path}/list"), &[("what", "close")])
            .await
            .leads();
        submit(self.app, &self.organizer, &format!("{path}/draw"), &[("what", "draw")])
            .await
            .leads();
        let record =
            self.app.get(&format!("/api/v1/disciplines/{}/draw", self.discipline), "").await;
        assert!(
            verifies(self.app.folder.path(), &record.text).await,
            "anybody can compute it again"
        );
        record.json()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.app.post(&format!("/api/v1{path}"), &self.organizer, body).await.expect(200)
    }

    /// Everything is called and scored by one umpire's phone; of two the one whose name comes first wins. Gives who won
    /// each match, by what part of the contest it was.
    async fn play(&self, courts: usize) -> Vec<(String, String)> {
        for number in 1..=courts {
            let court = json!({ "name": format!("{number}号台") });
            self.post(&format!("/events/{}/courts", self.event), court).await;
        }
        let invited = json!({ "name": "裁判" });
        let path = format!("/api/v1/events/{}/umpires", self.event);
        let made = self.app.post(&path, &self.organizer, invited).await.expect(201);
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let mut won = Vec::new();
        loop {
            // Everybody has rested.
            self.app.advance(11 * MINUTE);
            let called = self.post(&format!("/events/{}/calls", self.event), json!({})).await;
            if called["called"] == 0 {
                return won;
            }
            let (_, desk) =
                as_umpire(self.app, &secret, &format!("/events/{}/play", self.event), None).await;
            let mut busy = HashSet::new();
            for found in desk["matches"].as_array().expect("matches") {
                if found["state"] != "called" {
                    continue;
                }
                let name = |side: &str| found[side]["name"].as_str().expect("a name").to_owned();
                let (a, b) = (name("a"), name("b"));
                let players =
                    |side: &str| found[side]["players"].as_array().cloned().unwrap_or_default();
                for player in players("a").iter().chain(&players("b")) {
                    assert!(
                        busy.insert(player.as_str().expect("a name").to_owned()),
                        "{player} twice at once"
                    );
                }
                let best_of = found["rule"]["best_of"].as_u64();
                let games = match (a < b, best_of) {
                    (true, _) => json!(A_WINS),
                    (false, Some(5)) => json!(B_WINS),
                    (false, _) => json!(B_WINS_AT_ONCE),
                };
                let report = json!({
                    "key": format!("{}", found["id"]), "version": found["version"], "games": games, "outcome": "played",
                });
                let path = format!("/matches/{}/report", found["id"].as_str().expect("an id"));
                let (status, answer) = as_umpire(self.app, &secret, &path, Some(report)).await;
                assert_eq!(status, 200, "{answer}");
                let stage = found["stage"].as_str().expect("a stage").to_owned();
                won.push((stage, if a < b { a } else { b }));
            }
        }
    }

    /// The entry of a member in this discipline.
    async fn entry_of(&self, member: &Member) -> String {
        let mut tx = self.app.app.db.read().await.expect("read");
        let (id,): (String,) = fetch!(
            tx,
            fetch_one,
            "select entry_id from entry_player where person_id = $1 and discipline_id = $2",
            &member.id,
            &self.discipline,
        )
        .expect("an entry");
        id
    }

    async fn is_sound(&self) {
        let findings = verify(&self.app.app.db).await.expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

on_both! {
    async fn a_contest_of_128_from_the_first_entry_to_the_certificates(app) {
        let day = Day::new(&app, &[("third_place", "yes")]).await;
        let members = day.members(136, 0).await;
        // A hundred come on a list, the others enter on their phones.
        day.import(&members[..100]).await;
        for member in &members[100..] {
            app.enters(member, &day.discipline, &[]).await.leads();
        }
        // Eight stay away: every seventeenth.
        let there: Vec<&Member> =
            members.iter().enumerate().filter(|(n, _)| n % 17 != 0).map(|(_, member)| member).collect();
        assert_eq!(there.len(), 128);
        day.check_in(&there).await;
        let record = day.close_and_draw().await;
        assert_eq!(record["entries"].as_array().map(Vec::len), Some(128), "who is absent is not drawn");
        let lines = record["lines"].as_array().expect("lines");
        assert!(lines.len() == 128 && lines.iter().all(Value::is_string), "no byes");
        let won = day.play(16).await;
        assert_eq!(won.len(), 127 + 1, "the knock-out and the third place");
        assert_eq!(won.iter().filter(|(stage, _)| stage == "决赛").count(), 1);
        let champion = &won.iter().find(|(stage, _)| stage == "决赛").expect("a final").1;
        assert_eq!(champion, "选手001", "the strongest who came");
        let page = app.get(&format!("/events/{}/results", day.event), "").await.text;
        assert!(page.contains("选***1") && !page.contains("选手001"), "masked in public: {page}");
        // Staff are led to each certificate there is, and to none that is not.
        let shown = app.get(&format!("/events/{}/results", day.event), &day.organizer).await.text;
        let offered: Vec<&str> = shown.split("href=\"/admin/entries/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(offered.len(), 8, "{shown}");
        for path in offered {
            let answer = app.http.get(format!("{}/admin/entries/{path}", app.url)).bearer_auth(&day.organizer).send();
            assert_eq!(answer.await.expect("an answer").status(), 200, "{path}");
        }
        // The champion's certificate, and the address on it.
        let entry = day.entry_of(&members[1]).await;
        let file = app.http.get(format!("{}/entries/{entry}/certificate.pdf", app.url)).bearer_auth(&members[1].token);
        let file = file.send().await.expect("an answer");
        assert_eq!(file.status(), 200);
        assert!(file.bytes().await.expect("bytes").starts_with(b"%PDF-"));
        let mut tx = app.app.db.read().await.expect("read");
        let (code,): (String,) = fetch!(tx, fetch_one, "select code from certificate where entry_id = $1", &entry).expect("a code");
        drop(tx);
        let said = app.get(&format!("/certificates/{code}"), "").await.text;
        assert!(said.contains("这张证书是真的") && said.contains("<dd>1</dd>"), "{said}");
        // Who was not there has none.
        let absent = day.entry_of(&members[0]).await;
        assert_eq!(app.get(&format!("/entries/{absent}/certificate.pdf"), &members[0].token).await.status.as_u16(), 404);
        day.is_sound().await;
    }

    async fn groups_keep_organisations_apart_and_fill_the_knock_out(app) {
        let day = Day::new(&app, &[("format", "groups"), ("group_size", "4")]).await;
        let members = day.members(24, 6).await;
        for member in &members {
            app.enters(member, &day.discipline, &[]).await.leads();
        }
        day.check_in(&members.iter().collect::<Vec<_>>()).await;
        let record = day.close_and_draw().await;
        let organisation: HashMap<&str, &str> = record["entries"].as_array().expect("entries").iter()
            .map(|entry| (entry["id"].as_str().expect("id"), entry["organisation"].as_str().expect("an organisation")))
            .collect();
        let groups = record["groups"].as_array().expect("groups");
        assert_eq!(groups.len(), 6);
        for group in groups {
            let of: HashSet<&str> = group.as_array().expect("ids").iter().map(|id| organisation[id.as_str().expect("id")]).collect();
            assert_eq!(of.len(), 4, "four of four organisations: {group}");
        }
        // First and second of a group stand in different halves of sixteen lines.
        let lines = record["lines"].as_array().expect("lines");
        let half = |what: &str| lines.iter().position(|line| line == what).expect("a line") * 2 / lines.len();
        for group in 1..=6 {
            assert_ne!(half(&format!("{group}/1")), half(&format!("{group}/2")), "group {group}");
        }
        assert_eq!(record["together"], json!({ "group": 0, "half": 0, "quarter": 0, "first_round": 0 }));
        let won = day.play(6).await;
        assert_eq!(won.len(), 6 * 6 + 11);
        assert_eq!(won.iter().find(|(stage, _)| stage == "决赛").map(|(_, name)| name.as_str()), Some("选手000"));
        let page = app.get(&format!("/events/{}/results", day.event), "").await.text;
        assert!(page.contains("第0工会"), "points by organisation: {page}");
        day.is_sound().await;
    }

    async fn teams_name_their_line_ups_and_play_their_ties(app) {
        let fields = [("name", "乒乓球团体"), ("what", "table_tennis/team"), ("format", "round_robin"),
            ("tie_order", "A-X B-Y C-Z A-Y B-X"), ("players_min", "3"), ("players_max", "4")];
        let day = Day::new(&app, &fields).await;
        let members = day.members(9, 0).await;
        for (number, team) in members.chunks(3).enumerate() {
            let name = format!("第{number}队");
            let mut squad = vec![("team", name.as_str())];
            for member in &team[1..] {
                squad.extend([("name", member.name.as_str()), ("phone", member.phone.as_str())]);
            }
            let entry = app.enters(&team[0], &day.discipline, &squad).await.leads();
            for member in &team[1..] {
                submit(&app, &member.token, &format!("{entry}/acceptance"), &[]).await.leads();
            }
        }
        day.check_in(&members.iter().collect::<Vec<_>>()).await;
        day.close_and_draw().await;
        // The captain is told which ties wait for a line-up, and names one; nobody else may.
        let entry = day.entry_of(&members[0]).await;
        let page = app.get(&format!("/entries/{entry}"), &members[0].token).await.text;
        let path = page.split("href=\"").map(|rest| rest.split('"').next().unwrap_or_default())
            .find(|address| address.ends_with("/line-up")).expect("a tie").to_owned();
        assert_eq!(app.get(&path, &members[1].token).await.status.as_u16(), 404, "a player is not the captain");
        let form = app.get(&path, &members[0].token).await.text;
        let keys: Vec<&str> = ["A", "B", "C", "X", "Y", "Z"].into_iter().filter(|key| form.contains(&format!("name=\"{key}\""))).collect();
        assert!(keys == ["A", "B", "C"] || keys == ["X", "Y", "Z"], "{keys:?}");
        let named = |players: [&Member; 3]| -> Vec<(String, String)> {
            keys.iter().zip(players).map(|(key, player)| ((*key).to_owned(), player.id.clone())).collect()
        };
        let hand_in = async |players: [&Member; 3], token: &str| {
            let fields = named(players);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(key, id)| (key.as_str(), id.as_str())).collect();
            submit(&app, token, &path, &fields).await
        };
        hand_in([&members[2], &members[1], &members[1]], &members[0].token).await.refuses("不能同时是");
        hand_in([&members[2], &members[1], &members[5]], &members[0].token).await.refuses("要选 1 名本队队员");
        assert_eq!(hand_in([&members[2], &members[1], &members[0]], &members[1].token).await.status, 404);
        hand_in([&members[2], &members[1], &members[0]], &members[0].token).await.leads();
        let form = app.get(&path, &members[0].token).await.text;
        assert!(form.contains("名单已提交") && form.contains(&format!("value=\"{}\" selected", members[2].id)), "{form}");
        // For the third team, whose captain has no phone, the organizer writes it down; nobody else may.
        let desk = app.get(&format!("/admin/events/{}/play", day.event), &day.organizer).await.text;
        assert!(desk.contains("团体赛出场名单") && desk.contains("第0队 已交 ✓"), "{desk}");
        let theirs = desk.split("href=\"").map(|rest| rest.split_once("\">").unwrap_or_default())
            .find(|(address, said)| address.contains("/line-up/") && said.starts_with("第2队 代填")).expect("a link").0.to_owned();
        assert_eq!(app.get(&theirs, &members[6].token).await.status.as_u16(), 403, "a captain");
        let form = app.get(&theirs, &day.organizer).await.text;
        assert!(form.contains("代 第2队 填写"), "{form}");
        let keys: Vec<&str> = ["A", "B", "C", "X", "Y", "Z"].into_iter().filter(|key| form.contains(&format!("name=\"{key}\""))).collect();
        let fields: Vec<(&str, &str)> = keys.iter().copied().zip([8, 7, 6].map(|at| members[at].id.as_str())).collect();
        submit(&app, &day.organizer, &theirs, &fields[..2]).await.refuses("要选 1 名本队队员");
        submit(&app, &day.organizer, &theirs, &fields).await.leads();
        let desk = app.get(&format!("/admin/events/{}/play", day.event), &day.organizer).await.text;
        assert!(desk.contains("第2队 已交 ✓"), "{desk}");
        // Three ties; the first team wins both of its own three to nil, and the umpire saw who plays.
        let won = day.play(4).await;
        assert_eq!(won.iter().filter(|(_, name)| name == "第0队").count(), 6);
        assert_eq!(won.iter().filter(|(_, name)| name == "第1队").count(), 3);
        hand_in([&members[0], &members[1], &members[2]], &members[0].token).await.refuses("已经开始");
        let page = app.get(&format!("/disciplines/{}/standings", day.discipline), "").await.text;
        let at = |team: &str| page.find(team).expect("a team");
        assert!(at("第0队") < at("第1队") && at("第1队") < at("第2队"), "{page}");
        day.is_sound().await;
    }
}
