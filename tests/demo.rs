//! The demo world shows each kind of event in the middle of its day: on its pages, as organizers, members and passers-by
//! see them.

use serde_json::Value;

use crate::support::{
    Engine,
    programs::{DemoServer, client},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    in_the_middle_of_the_day(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    in_the_middle_of_the_day(Engine::Postgres).await;
}

async fn in_the_middle_of_the_day(engine: Engine) {
    let demo = Demo { server: DemoServer::start(engine).await };
    a_contest_is_half_played(&demo).await;
    a_fair_is_under_way(&demo).await;
    vouchers_are_redeemed(&demo).await;
}

struct Demo {
    server: DemoServer,
}

impl Demo {
    fn event(&self, title: &str) -> String {
        let events = self.server.notes["events"].as_array().expect("events");
        let found = events
            .iter()
            .find(|event| event["title"].as_str().is_some_and(|one| one.contains(title)));
        found.expect("an event of that title")["id"].as_str().expect("an id").to_owned()
    }

    /// A page as the organizer sees it.
    async fn page(&self, path: &str) -> String {
        let token = self.server.notes["organizer"]["token"].as_str().expect("a token");
        self.get(path, Some(token)).await
    }

    /// A page as anybody sees it.
    async fn public(&self, path: &str) -> String {
        self.get(path, None).await
    }

    async fn get(&self, path: &str, token: Option<&str>) -> String {
        let mut request = client().get(format!("{}{path}", self.server.url));
        if let Some(token) = token {
            request = request.header("cookie", format!("turnout={token}"));
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a page");
        assert_eq!(status, 200, "{path}: {text}");
        text
    }
}

/// The number in the element of that id.
#[track_caller]
fn number(page: &str, id: &str) -> usize {
    let at = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id}"));
    let inside = page[at..].split_once('>').expect("an element").1;
    let digits: String = inside.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in #{id}"))
}

/// The addresses on a page that begin so.
fn addresses<'a>(page: &'a str, start: &'a str) -> Vec<&'a str> {
    let mut found: Vec<&str> = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|address| address.starts_with(start))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

async fn a_contest_is_half_played(demo: &Demo) {
    let event = demo.event("五一杯");
    let desk = demo.page(&format!("/admin/events/{event}/play")).await;
    let (over, left) = (number(&desk, "over"), number(&desk, "left"));
    assert!((4..=7).contains(&(over * 10 / (over + left))), "{over} are over, {left} left");
    assert!(number(&desk, "playing") >= 8 && number(&desk, "ready") >= 8, "{desk}");
    for state in ["空台叫下一场", "可判弃权", "已叫 ", "进行中", "已到 ✓", "吴裁判"]
    {
        assert!(desk.contains(state), "{state} is not at the desk");
    }
    // Everybody sees courts, groups and a bracket, with masked names.
    let board = demo.public(&format!("/events/{event}/play")).await;
    for shown in ["请到场", "class=\"court on\"", "class=\"court free\"", "*"] {
        assert!(board.contains(shown), "{shown} is not on the board: {board}");
    }
    let groups = addresses(&board, "/disciplines/");
    assert_eq!(groups.len(), 3, "singles, teams and football have groups: {groups:?}");
    for group in groups {
        let standings = demo.public(group).await;
        assert!(standings.contains("<table") && standings.contains("组"), "{standings}");
    }
    let contest = demo.public(&format!("/events/{event}/contest")).await;
    let disciplines = addresses(&contest, "/disciplines/");
    assert_eq!(disciplines.len(), 5, "{disciplines:?}");
    let mut drawn = 0;
    for discipline in &disciplines {
        let page = demo.public(discipline).await;
        drawn += usize::from(page.contains("class=\"bracket\""));
    }
    assert_eq!(drawn, 4, "everything but the walk has a bracket");
    // The walkers are on their way: all have left, more than half have passed the first checkpoint, nobody has arrived.
    let walk = addresses(&desk, "/admin/disciplines/")
        .into_iter()
        .find(|address| address.ends_with("/walk"))
        .expect("a walk");
    let walk = demo.page(walk).await;
    assert!(number(&walk, "walkers") >= 280 && number(&walk, "walking") >= 270, "{walk}");
    assert!(number(&walk, "passed-1") * 2 > number(&walk, "passed-0"), "{walk}");
    assert!(number(&walk, "passed-2") > 0 && number(&walk, "finished") == 0, "{walk}");
    // The doors saw nearly all of them.
    let doors = demo.page(&format!("/admin/events/{event}")).await;
    assert!(number(&doors, "admitted") > 350, "{doors}");
}

async fn a_fair_is_under_way(demo: &Demo) {
    let event = demo.event("春季招聘会");
    let board = demo.page(&format!("/admin/events/{event}/fair")).await;
    let shown = ["entries", "inside", "intentions", "consultations"].map(|id| number(&board, id));
    assert_eq!(shown, [400, 304, 58, 48]);
    assert!(board.contains("372 人"), "distinct people: {board}");
    let report = demo.page(&format!("/admin/events/{event}/fair/report")).await;
    for figure in ["27 家单位", "768 个岗位", "400 人次", "58 人达成就业意向"] {
        assert!(report.contains(figure), "{figure} is not in the report");
    }
    // At the desks some wait, somebody is called, and the wait is told from what visits took.
    let desks = demo.public(&format!("/events/{event}/desks")).await;
    for state in ["6 人在等", "2 人在等", "A14", "大约要等"] {
        assert!(desks.contains(state), "{state} is not at the desks: {desks}");
    }
    // The stand that can be tried has visitors.
    let stand = demo.server.notes["stand"]["name"].as_str().expect("a stand");
    let row = board.split("<tr").find(|row| row.contains(stand)).expect("the stand's row");
    let visitors = row.split("class=\"num\">").nth(1).expect("visitors");
    assert!(!visitors.starts_with('0'), "{row}");
}

async fn vouchers_are_redeemed(demo: &Demo) {
    let event = demo.event("山水温泉");
    let attendance: Value = {
        let token = demo.server.notes["organizer"]["token"].as_str().expect("a token");
        let path = format!("{}/api/v1/events/{event}/attendance", demo.server.url);
        let answer = client().get(path).bearer_auth(token).send().await.expect("an answer");
        answer.json().await.expect("attendance")
    };
    assert!(attendance["booked"].as_u64() > attendance["admitted"].as_u64(), "{attendance}");
    assert!(attendance["admitted"].as_u64() > Some(20), "{attendance}");
}
