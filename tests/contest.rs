//! A contest until its draw: disciplines, entries on phones, the list, the draw that anybody can check, the import.

use std::path::Path;

use admission::Verdict;
use tokio::process::Command;
use turnout_server::{execute, fetch, web::access::Role};

use crate::support::{
    Engine, TestApp,
    browser::Browser,
    data, on_both,
    people::{Member, bin},
};

const MINUTE: i64 = 60_000;

/// An answer to a form.
pub(crate) struct Sent {
    pub(crate) status: u16,
    location: String,
    html: String,
}

impl Sent {
    /// Where it leads.
    #[track_caller]
    pub(crate) fn leads(self) -> String {
        assert_eq!(self.status, 303, "{}", self.html);
        self.location
    }

    #[track_caller]
    pub(crate) fn refuses(self, text: &str) {
        assert!(
            self.status >= 400 && self.html.contains(text),
            "{text}: {} {}",
            self.status,
            self.html
        );
    }
}

pub(crate) async fn submit(
    app: &TestApp,
    token: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Sent {
    let request = app.http.post(format!("{}{path}", app.url)).bearer_auth(token).form(fields);
    let response = request.send().await.expect("an answer");
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    Sent {
        status: response.status().as_u16(),
        location: location.unwrap_or_default().to_owned(),
        html: response.text().await.expect("a body"),
    }
}

impl TestApp {
    /// A contest tomorrow with one discipline, made on the organizer's page; gives event, discipline and organizer.
    pub(crate) async fn contest(&self, fields: &[(&str, &str)]) -> (String, String, String) {
        let (event, _) = self
            .event(|draft| {
                draft["kind"] = "contest".into();
                draft["theme"] = serde_json::Value::Null;
                draft["starts_ms"] = (self.now().0 + 60 * MINUTE).into();
            })
            .await;
        let organizer = self.staff(Role::Organizer).await;
        // Of two values of one field the first counts.
        let mut all = fields.to_vec();
        all.extend([
            ("name", "乒乓球男子单打"),
            ("what", "table_tennis/singles"),
            ("format", "knock_out"),
            ("entries_min", "2"),
        ]);
        let made =
            submit(self, &organizer, &format!("/admin/events/{event}/contest"), &all).await.leads();
        let discipline = made.rsplit('/').next().expect("an id").to_owned();
        (event, discipline, organizer)
    }

    pub(crate) async fn enters(
        &self,
        member: &Member,
        discipline: &str,
        fields: &[(&str, &str)],
    ) -> Sent {
        submit(self, &member.token, &format!("/disciplines/{discipline}/entry"), fields).await
    }

    /// How an entry stands, by its own page's address.
    async fn status_of(&self, address: &str) -> String {
        let id = address.rsplit('/').next().expect("an id");
        let mut tx = self.app.db.read().await.expect("read");
        let (status,): (String,) =
            fetch!(tx, fetch_one, "select status from entry where id = $1", id).expect("an entry");
        status
    }

    /// The tickets of an event that admit, by their holders.
    pub(crate) async fn players_tickets(&self, event: &str) -> Vec<(String, String)> {
        let mut tx = self.app.db.read().await.expect("read");
        fetch!(
            tx,
            fetch_all,
            "select holder, id from ticket where event_id = $1 and state = 'valid' order by holder",
            event
        )
        .expect("tickets")
    }

    async fn matches(&self, discipline: &str) -> i64 {
        let mut tx = self.app.db.read().await.expect("read");
        let (count,): (i64,) = fetch!(
            tx,
            fetch_one,
            "select count(*) from match_ where discipline_id = $1",
            discipline
        )
        .expect("count");
        count
    }
}

/// Whether our program finds the published record right.
pub(crate) async fn verifies(folder: &Path, record: &str) -> bool {
    let file = folder.join("draw.json");
    std::fs::write(&file, record).expect("write");
    let mut command = Command::new(bin("turnout-server"));
    command.args(["draw", "verify"]).arg(file);
    command.output().await.expect("it runs").status.success()
}

on_both! {
    async fn from_entries_to_a_draw_that_anybody_can_check(app) {
        let (event, discipline, organizer) = app.contest(&[]).await;
        let before = app.get(&format!("/disciplines/{discipline}/draw"), "").await.text;
        let mut tickets = Vec::new();
        for n in 0..6 {
            let member = app.member(&format!("选手{n}号")).await;
            let entry = app.enters(&member, &discipline, &[]).await.leads();
            assert_eq!(app.status_of(&entry).await, "entered");
            app.enters(&member, &discipline, &[]).await.refuses("已经报了这个项目");
            tickets.push(entry);
        }
        // Four check in at the door, one is seen at the desk, one stays away.
        let mut kiosk = app.kiosk(&event, "东门").await;
        let players = app.players_tickets(&event).await;
        assert_eq!(players.len(), 6);
        for (_, ticket) in &players[..4] {
            kiosk.decide(ticket, Verdict::Admitted);
        }
        kiosk.upload().await;
        let seen = tickets[4].replace("/entries/", "/admin/entries/");
        submit(&app, &organizer, &seen, &[("what", "seen")]).await.leads();
        let list = format!("/admin/disciplines/{discipline}/list");
        let draw = format!("/admin/disciplines/{discipline}/draw");
        submit(&app, &organizer, &draw, &[("what", "draw")]).await.refuses("请先确定名单");
        submit(&app, &organizer, &list, &[("what", "close")]).await.leads();
        assert_eq!(app.status_of(&tickets[4]).await, "present");
        assert_eq!(app.status_of(&tickets[5]).await, "absent");
        let late = app.member("迟到").await;
        app.enters(&late, &discipline, &[]).await.refuses("报名已经截止");
        submit(&app, &organizer, &draw, &[("what", "draw")]).await.leads();
        submit(&app, &organizer, &draw, &[("what", "draw")]).await.refuses("已经抽过签");
        assert_eq!(app.matches(&discipline).await, 4, "five play four matches");
        // The record follows from the seed that was committed to before the first entry.
        let answer = app.get(&format!("/api/v1/disciplines/{discipline}/draw"), "").await;
        let mut record = answer.json();
        let commitment = record["commitment"].as_str().expect("text").to_owned();
        assert!(before.contains(&commitment) && !answer.text.contains("选手0号"), "{}", answer.text);
        assert!(verifies(app.folder.path(), &answer.text).await);
        record["lines"].as_array_mut().expect("lines").reverse();
        assert!(!verifies(app.folder.path(), &record.to_string()).await, "a forged draw passes");
        let page = app.get(&format!("/disciplines/{discipline}"), "").await.text;
        assert!(page.contains("半决赛") && page.contains("轮空") && !page.contains("选手0号"), "{page}");
        // A void draw stays in public, with its reason, and the next has another seed.
        submit(&app, &organizer, &draw, &[("what", "void"), ("reason", "漏了一名已检录选手")]).await.leads();
        assert_eq!(app.matches(&discipline).await, 0);
        let page = app.get(&format!("/disciplines/{discipline}/draw"), "").await.text;
        assert!(page.contains("漏了一名已检录选手") && page.contains(&commitment), "{page}");
        submit(&app, &organizer, &draw, &[("what", "draw")]).await.leads();
        let again = app.get(&format!("/api/v1/disciplines/{discipline}/draw"), "").await;
        assert_ne!(again.json()["commitment"], commitment.as_str());
        assert!(verifies(app.folder.path(), &again.text).await);
    }

    async fn a_pair_is_entered_once_the_partner_accepts(app) {
        let (event, discipline, _) = app.contest(&[("what", "badminton/doubles")]).await;
        let (one, other, third) = (app.member("王小明").await, app.member("李华").await, app.member("赵六").await);
        let with = |member: &Member| [("name", member.name.clone()), ("phone", member.phone.clone())];
        let fields = with(&other);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.enters(&one, &discipline, &[]).await.refuses("每个报名要 2 人");
        app.enters(&one, &discipline, &[("name", "李华"), ("phone", third.phone.as_str())]).await.refuses("名册上没有找到");
        let entry = app.enters(&one, &discipline, &fields).await.leads();
        assert_eq!(app.status_of(&entry).await, "partner_pending");
        assert!(app.players_tickets(&event).await.is_empty());
        assert!(app.messages_to(&other.phone).await.pop().expect("a message").contains(&entry));
        // Nobody else sees it or answers for them.
        assert_eq!(app.get(&entry, &third.token).await.status.as_u16(), 404);
        let accept = format!("{entry}/acceptance");
        assert_eq!(submit(&app, &third.token, &accept, &[]).await.status, 404);
        submit(&app, &other.token, &accept, &[]).await.leads();
        assert_eq!(app.status_of(&entry).await, "entered");
        assert_eq!(app.players_tickets(&event).await.len(), 2);
        // One leaves: the pair is out, and both are free for another partner.
        submit(&app, &other.token, &format!("{entry}/withdrawal"), &[]).await.leads();
        assert_eq!(app.status_of(&entry).await, "withdrawn");
        assert!(app.players_tickets(&event).await.is_empty());
        let fields = with(&third);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.enters(&one, &discipline, &fields).await.leads();
    }

    async fn who_waits_in_line_comes_in_when_somebody_withdraws(app) {
        let (event, discipline, organizer) = app.contest(&[("entries_max", "2")]).await;
        let mut entries = Vec::new();
        for n in 0..4 {
            let member = app.member(&format!("选手{n}号")).await;
            entries.push((app.enters(&member, &discipline, &[]).await.leads(), member));
        }
        assert_eq!(app.status_of(&entries[2].0).await, "waiting");
        assert_eq!(app.players_tickets(&event).await.len(), 2);
        let leave = format!("{}/withdrawal", entries[0].0);
        submit(&app, &entries[0].1.token, &leave, &[]).await.leads();
        assert_eq!(app.status_of(&entries[2].0).await, "entered");
        assert_eq!(app.status_of(&entries[3].0).await, "waiting");
        assert_eq!(app.players_tickets(&event).await.len(), 2);
        assert!(app.messages_to(&entries[2].1.phone).await.pop().expect("a message").contains("报名成功"));
        // At most one discipline a person, when the organizer says so.
        let limit = format!("/admin/events/{event}/contest/limit");
        submit(&app, &organizer, &limit, &[("per_person", "1")]).await.leads();
        let other = submit(&app, &organizer, &format!("/admin/events/{event}/contest"),
            &[("name", "羽毛球单打"), ("what", "badminton/singles"), ("format", "knock_out")]).await.leads();
        let other = other.rsplit('/').next().expect("an id").to_owned();
        app.enters(&entries[2].1, &other, &[]).await.refuses("每人最多 1 项");
    }

    async fn a_discipline_keeps_to_its_limits_and_says_which(app) {
        let union = app.union("王佐机械厂工会").await;
        let fields = [("entries_min", "3"), ("organisation_max", "1")];
        let (event, discipline, organizer) = app.contest(&fields).await;
        let (one, two, other) = (app.member("选手甲").await, app.member("选手乙").await, app.member("选手丙").await);
        let mut tx = app.app.db.write().await.expect("write");
        for member in [&one, &two] {
            execute!(tx, "update person set organisation_id = $2 where id = $1", &member.id, &union).expect("join");
        }
        tx.commit().await.expect("commit");
        let entry = app.enters(&one, &discipline, &[]).await.leads();
        app.enters(&two, &discipline, &[]).await.refuses("1 个名额已经报满");
        let others = app.enters(&other, &discipline, &[]).await.leads();
        // Two are there of at least three: no draw.
        for entry in [&entry, &others] {
            submit(&app, &organizer, &entry.replace("/entries/", "/admin/entries/"), &[("what", "seen")]).await.leads();
        }
        submit(&app, &organizer, &format!("/admin/disciplines/{discipline}/list"), &[("what", "close")]).await.leads();
        submit(&app, &organizer, &format!("/admin/disciplines/{discipline}/draw"), &[("what", "draw")]).await.refuses("不足最少 3 个");
        assert_eq!(app.matches(&discipline).await, 0);
        // A team has its size.
        let team = [("name", "乒乓球团体"), ("what", "table_tennis/team"), ("format", "knock_out"), ("players_min", "3"), ("players_max", "5")];
        let made = submit(&app, &organizer, &format!("/admin/events/{event}/contest"), &team).await.leads();
        let teams = made.rsplit('/').next().expect("an id").to_owned();
        let alone = [("team", "机械厂队"), ("name", two.name.as_str()), ("phone", two.phone.as_str())];
        app.enters(&one, &teams, &alone).await.refuses("每队 3 到 5 人");
    }

    async fn groups_are_drawn_with_the_knock_out_that_follows(app) {
        let (_, discipline, organizer) = app.contest(&[("format", "groups"), ("group_size", "3"), ("third_place", "yes")]).await;
        for n in 0..9 {
            let member = app.member(&format!("选手{n}号")).await;
            let entry = app.enters(&member, &discipline, &[]).await.leads();
            let seen = entry.replace("/entries/", "/admin/entries/");
            submit(&app, &organizer, &seen, &[("what", "seen")]).await.leads();
        }
        submit(&app, &organizer, &format!("/admin/disciplines/{discipline}/list"), &[("what", "close")]).await.leads();
        submit(&app, &organizer, &format!("/admin/disciplines/{discipline}/draw"), &[("what", "draw")]).await.leads();
        // Three groups of three, six who go on in five matches, and one for the third place.
        assert_eq!(app.matches(&discipline).await, 9 + 5 + 1);
        let page = app.get(&format!("/disciplines/{discipline}"), "").await.text;
        for text in ["A 组", "C 组", "B 组第 1", "三四名决赛", "1/4 决赛"] {
            assert!(page.contains(text), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_federations_file_is_imported_and_faults_name_their_cells() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, _, organizer) = app.contest(&[("name", "开幕表演")]).await;
    let program = async |arguments: &[&str], file: &Path| {
        let done = Command::new(bin("turnout-server"))
            .arg("import")
            .args(arguments)
            .arg(file)
            .args(["--database", &app.database, "--data"])
            .arg(app.folder.path())
            .env("RUST_LOG", "warn")
            .output()
            .await
            .expect("it runs");
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    };
    program(&["organisations"], &data("organisations.xlsx")).await;
    program(&["members"], &data("members.xlsx")).await;
    let contest = ["contest", "--event", &event];
    let dry = program(&["contest", "--event", &event, "--dry-run"], &data("contests.xlsx")).await;
    assert!(
        dry.contains("new 385 · 已有 unchanged 0 · 有误 error 0") && dry.contains("Dry run"),
        "{dry}"
    );
    let done = program(&contest, &data("contests.xlsx")).await;
    assert!(done.contains("new 385 ") && done.contains("new discipline: 五人制足球"), "{done}");
    let again = program(&contest, &data("contests.xlsx")).await;
    assert!(again.contains("new 0 · 已有 unchanged 385 "), "{again}");
    let page = app.get(&format!("/admin/events/{event}/contest"), &organizer).await.text;
    assert!(
        page.contains("羽毛球混合双打") && page.contains("<td class=\"num\">300</td>"),
        "{page}"
    );
    // What is wrong is told with its column, and nothing else is lost.
    let file = app.folder.path().join("more.csv");
    let text = "比赛报名表\n项目,姓名,单位名称,手机号,种子\n乒乓球男子单打,无此人,,19900001542,\n乒乓球女子单打,程宇云,没有这家公司,19900001542,\n乒乓球女子单打,程宇云,,19900001542,头号\n乒乓球女子单打,程宇云,,19900001542,1\n";
    std::fs::write(&file, text).expect("write");
    let told = program(&contest, &file).await;
    for part in [
        "\t3\terror",
        "手机号\tplayer_unknown",
        "\t4\terror",
        "单位名称\tenterprise_unknown",
        "种子\tseed",
        "new 1 ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_enters_on_a_phone_and_follows_the_draw() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, discipline, organizer) = app.contest(&[]).await;
    let player = app.member("王小明").await;
    let phone = signed_in(Browser::phone().await, &app, &player.token).await;
    phone.go(&format!("{}/events/{event}", app.url)).await;
    phone.click(&format!("a[href='/events/{event}/contest']")).await;
    phone.click(&format!("a[href='/disciplines/{discipline}']")).await;
    phone.click(&format!("a[href='/disciplines/{discipline}/entry']")).await;
    phone.click("main form button").await;
    phone.sees("main", "报名成功").await;
    for n in 0..10 {
        let member = app.member(&format!("选手{n}号")).await;
        app.enters(&member, &discipline, &[]).await.leads();
    }
    let laptop = signed_in(Browser::laptop().await, &app, &organizer).await;
    laptop.go(&format!("{}/admin/disciplines/{discipline}", app.url)).await;
    for there in 1..=11 {
        laptop.click("button[value=seen]").await;
        laptop.sees(".stats .ok b", &there.to_string()).await;
    }
    laptop.click("button[value=close]").await;
    laptop.sees("main", "名单已确定").await;
    laptop.click("button[value=draw]").await;
    laptop.sees("main", "抽签完成").await;
    laptop.go(&format!("{}/disciplines/{discipline}", app.url)).await;
    laptop.sees(".round:last-child h3", "决赛").await;
    laptop.picture("bracket-laptop", app.folder.path()).await;
    phone.go(&format!("{}/disciplines/{discipline}", app.url)).await;
    phone.sees("main", "已到场").await;
    // One round is what a phone shows; the next is a tap away.
    phone.click("nav.rounds a:last-child").await;
    let width = "return document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(phone.script(width).await, serde_json::json!(true), "nothing sticks out");
    phone.picture("bracket-phone", app.folder.path()).await;
    phone.close().await;
    laptop.close().await;
}

/// The same browser, with a session.
async fn signed_in(browser: Browser, app: &TestApp, token: &str) -> Browser {
    browser.go(&format!("{}/healthz", app.url)).await;
    browser.script(&format!("document.cookie = 'turnout={token}; path=/'")).await;
    browser
}
