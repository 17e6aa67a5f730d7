//! The umpire's phone and the organizer's desk in a real browser.

use serde_json::json;
use turnout_server::execute;

use super::world::{Contest, Feed};
use crate::support::{Engine, TestApp, browser::Browser};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_umpire_scores_a_match_on_a_phone_through_a_cut() {
    let app = TestApp::new(Engine::Sqlite).await;
    let contest = Contest::new(&app, 1).await;
    let field = contest.field("女单", "knock_out", 2, &[]).await;
    let rounds = contest
        .knock_out(&field, 2, |_| [0, 1].map(|side| Feed::Entry(field.entries[side].clone())))
        .await;
    let id = &rounds[0][0];
    contest.fill().await;
    let secret = contest.umpire(None).await;
    let phone = Browser::phone().await;
    phone.go(&format!("{}/events/{}/umpire#{secret}", app.url, contest.event)).await;
    phone.sees("#matches", "1号台").await;
    let address = phone.client.current_url().await.expect("an address");
    assert!(!address.as_str().contains(&secret), "the secret does not stay in the address");
    phone.click(&format!("[data-match=\"{id}\"]")).await;
    phone.sees("#pad-a", "女单0").await;
    let tap = async |side: &str, times: usize| {
        for _ in 0..times {
            phone.click(&format!("#pad-{side}")).await;
        }
    };
    tap("b", 7).await;
    tap("a", 12).await;
    phone.sees("#pad-a b", "11").await;
    phone.click("#undo").await;
    phone.sees("#pad-a b", "10").await;
    tap("a", 1).await;
    phone.picture("umpire", app.folder.path()).await;
    phone.sees("#next", "11:7").await;
    phone.click("#next").await;
    // The network goes; the umpire plays on, closes the page, opens it again.
    phone
        .script("window.kept = window.fetch; window.fetch = () => Promise.reject(new Error('cut'))")
        .await;
    tap("a", 11).await;
    phone.sees("#sync", "没有网络").await;
    phone.click("#next").await;
    tap("a", 11).await;
    phone.sees("#next", "3:0").await;
    phone.go(&format!("{}/events/{}/umpire", app.url, contest.event)).await;
    phone.sees("#matches", "1号台").await;
    phone.click(&format!("[data-match=\"{id}\"]")).await;
    phone.sees("#next", "3:0").await;
    phone.click("#next").await;
    phone.sees("#say", "比赛结束").await;
    let shown = contest.show(id).await;
    assert_eq!(
        (shown["winner"].as_str(), &shown["games"]),
        (Some("a"), &json!([[11, 7], [11, 0], [11, 0]]))
    );
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizer_runs_the_desk_on_a_laptop() {
    let app = TestApp::new(Engine::Sqlite).await;
    let contest = Contest::new(&app, 0).await;
    let field = contest.field("男单", "knock_out", 4, &[]).await;
    let rounds = contest
        .knock_out(&field, 4, |at| {
            [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))
        })
        .await;
    let laptop = Browser::laptop().await;
    laptop.go(&format!("{}/healthz", app.url)).await;
    laptop.script(&format!("document.cookie = 'turnout={}; path=/'", contest.organizer)).await;
    let desk = format!("{}/admin/events/{}/play", app.url, contest.event);
    laptop.go(&desk).await;
    laptop.sees("main", "先添加球台或场地").await;
    laptop.fill("#count", "2").await;
    laptop.click("#add-courts").await;
    laptop.sees(".courts", "2号台").await;
    laptop.click("#fill").await;
    laptop.sees("#playing", "2").await;
    laptop.picture("contest-desk", app.folder.path()).await;
    // Somebody scores elsewhere; the desk shows it without a reload.
    contest.result(&rounds[0][0], json!([[11, 5], [11, 6], [11, 7]])).await;
    laptop.sees("[data-live=ended]", "3:0").await;
    laptop.fill("#umpire", "李裁判").await;
    laptop.click("#invite").await;
    laptop.sees("#umpire-link", "/umpire#").await;
    laptop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captain_names_the_line_up_on_a_phone_and_the_desk_marks_who_has_come() {
    let app = TestApp::new(Engine::Sqlite).await;
    let contest = Contest::new(&app, 2).await;
    let captain = app.member("王小明").await;
    let mut people = vec![captain.id.clone()];
    people.extend([app.member("赵大力").await.id, app.member("李小红").await.id]);
    let field = contest.field("团体", "knock_out", 2, &people[..1]).await;
    let mut tx = app.app.db.write().await.expect("write");
    execute!(
        tx,
        "update discipline set kind = 'team', tie_order = 'A-X B-Y C-Z A-Y B-X', players_max = 3 where id = $1",
        &field.id
    )
    .expect("teams");
    for (position, person) in (2_i64..).zip(&people[1..]) {
        execute!(
            tx,
            "insert into entry_player (entry_id, person_id, event_id, discipline_id, position, accepted_ms)
             values ($1, $2, $3, $4, $5, 0)",
            &field.entries[0],
            person,
            &contest.event,
            &field.id,
            position,
        )
        .expect("a squad");
    }
    tx.commit().await.expect("commit");
    let rounds = contest
        .knock_out(&field, 2, |_| [0, 1].map(|side| Feed::Entry(field.entries[side].clone())))
        .await;
    let phone = Browser::phone().await;
    phone.go(&format!("{}/healthz", app.url)).await;
    phone.script(&format!("document.cookie = 'turnout={}; path=/'", captain.token)).await;
    phone.go(&format!("{}/entries/{}", app.url, field.entries[0])).await;
    phone.click(&format!("a[href='/ties/{}/line-up']", rounds[0][0])).await;
    phone.sees("main", "请在叫号以前填好").await;
    for (letter, person) in ["A", "B", "C"].into_iter().zip(&people) {
        let choose = format!("document.getElementById('{letter}-0').value = '{person}'");
        phone.script(&choose).await;
    }
    phone.picture("line-up", app.folder.path()).await;
    phone.click("#hand-in").await;
    phone.sees("main", "名单已提交").await;

    // The desk on a phone: the singles are called; one side has come, the other taps a moment later.
    let desk = Browser::phone().await;
    desk.go(&format!("{}/healthz", app.url)).await;
    desk.script(&format!("document.cookie = 'turnout={}; path=/'", contest.organizer)).await;
    desk.go(&format!("{}/admin/events/{}/play", app.url, contest.event)).await;
    assert_eq!(contest.fill().await, 1, "the other side has one player");
    desk.sees(".courts", "王小明").await;
    desk.click("form[action$='/arrival'] button").await;
    desk.sees(".courts", "已到 ✓").await;
    desk.picture("arrival", app.folder.path()).await;
    let width = desk.script("return document.documentElement.scrollWidth - innerWidth").await;
    assert_eq!(width, 0, "nothing sticks out");
    // Tapped by mistake: it is taken back.
    desk.click("form[action$='/arrival'] input[value=no] + button").await;
    desk.until("!document.querySelector('form[action$=\"/arrival\"] input[name=here]')").await;
    for browser in [phone, desk] {
        browser.close().await;
    }
}

/// Nobody scrolls a screen in the hall: fifteen courts are seen whole on one that lies and on one that stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_courts_fit_a_screen_in_the_hall() {
    let app = TestApp::new(Engine::Sqlite).await;
    let contest = Contest::new(&app, 15).await;
    let field = contest.field("乒乓球男子单打", "knock_out", 64, &[]).await;
    contest
        .knock_out(&field, 64, |at| {
            [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))
        })
        .await;
    contest.fill().await;
    let screen = Browser::laptop().await;
    for (width, height) in [(1280, 720), (1920, 1080), (1080, 1920)] {
        screen.resize(width, height).await;
        screen.go(&format!("{}/events/{}/play?screen=1", app.url, contest.event)).await;
        screen.sees(".courts", "15号台").await;
        screen.picture(&format!("hall-{width}"), app.folder.path()).await;
        let measured = screen
            .script(
                "const page = document.documentElement;
                 const courts = [...document.querySelectorAll('.court')];
                 const cut = courts.filter((court) => court.scrollHeight > court.clientHeight + 1
                     || court.getBoundingClientRect().bottom > innerHeight);
                 const shown = [...document.querySelectorAll('.court, .part li')].filter((one) => one.offsetHeight > 0);
                 const below = shown.filter((one) => one.getBoundingClientRect().bottom > innerHeight);
                 const letters = parseFloat(getComputedStyle(courts[0].querySelector('dt')).fontSize);
                 return { courts: courts.length, over: [page.scrollWidth - innerWidth, page.scrollHeight - innerHeight],
                     cut: cut.length, below: below.length, large: letters >= 18 };",
            )
            .await;
        let whole = json!({ "courts": 15, "over": [0, 0], "cut": 0, "below": 0, "large": true });
        assert_eq!(measured, whole, "{width}×{height}");
    }
    screen.close().await;
}
