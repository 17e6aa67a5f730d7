//! "Is this person a member today?": a moving code, yes or no, counted once a day.

use admission::Millis;
use turnout_server::{execute, fetch};

use super::{Agent, DAY, agent, organizers, venue};
use crate::{
    fair::page,
    report::row,
    support::{TestApp, on_both},
};

/// The moving code that a member's page shows now, read from the drawing as a phone would.
async fn shown_code(app: &TestApp, token: &str) -> String {
    let html = page(app, "/benefits", token).await;
    let path = html
        .split("id=\"member-code\"")
        .nth(1)
        .and_then(|rest| rest.split(" d=\"").nth(2))
        .and_then(|rest| rest.split('"').next());
    read(path.unwrap_or_else(|| panic!("no code in {html}")))
}

/// Reads the QR code of an SVG path with one piece per run of dark modules.
fn read(path: &str) -> String {
    const DOTS: usize = 6;
    let runs: Vec<(usize, usize, usize)> = path
        .split('M')
        .filter(|run| !run.is_empty())
        .map(|run| {
            let (x, rest) = run.split_once(' ').expect("x and y");
            let (y, rest) = rest.split_once('h').expect("y and a length");
            let length = rest.split('v').next().expect("a length");
            let number = |text: &str| text.parse().expect("a number");
            (number(x), number(y), number(length))
        })
        .collect();
    let side = (runs.iter().map(|(_, y, _)| y + 1).max().expect("some rows") + 8) * DOTS;
    let mut pixels = vec![255_u8; side * side];
    for (x, y, length) in runs {
        for row in 0..DOTS {
            let start = ((y + 4) * DOTS + row) * side + (x + 4) * DOTS;
            pixels[start..start + length * DOTS].fill(0);
        }
    }
    let picture = qr::Luma::new(side, side, pixels).expect("a picture");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let codes = qr::read_still(&picture, until);
    codes.first().expect("a code").text.to_string()
}

async fn look(app: &TestApp, agent: &Agent, said: &str) -> String {
    agent.form(app, "/venue/look", &[("said", said)]).await.page(200)
}

async fn counted(app: &TestApp, venue: &str) -> i64 {
    let mut tx = app.app.db.read().await.expect("read");
    let (count,): (i64,) =
        fetch!(tx, fetch_one, "select count(*) from benefit_use where venue_id = $1", venue)
            .expect("a count");
    count
}

on_both! {
    async fn a_member_shows_a_moving_code_and_is_counted_once_a_day(app) {
        let (springs, lake) = (venue(&app, "南宫温泉水世界").await, venue(&app, "青龙湖公园").await);
        let member = app.member("王小明").await;
        let union = app.union("王佐镇服务业工会").await;
        app.join_union(&member, &union).await;
        let (here, there) = (agent(&app, &springs).await, agent(&app, &lake).await);
        let code = shown_code(&app, &member.token).await;
        assert!(code.starts_with("M1") && !code.contains(&member.phone));
        let yes = look(&app, &here, &code).await;
        assert!(yes.contains("是会员") && yes.contains("王*明") && yes.contains("王佐镇服务业工会"), "{yes}");
        assert!(!yes.contains("王小明") && !yes.contains(&member.phone), "{yes}");
        let again = look(&app, &here, &shown_code(&app, &member.token).await).await;
        assert!(again.contains("今天已经登记过"), "{again}");
        assert!(look(&app, &there, &shown_code(&app, &member.token).await).await.contains("是会员"), "another venue counts for itself");
        assert_eq!((counted(&app, &springs).await, counted(&app, &lake).await), (1, 1));
        // A picture of the code is worth nothing after a minute.
        let picture = shown_code(&app, &member.token).await;
        app.advance(DAY);
        let (here, _) = (agent(&app, &springs).await, ());
        assert!(look(&app, &here, &picture).await.contains("码已过期"));
        assert!(look(&app, &here, &format!("M1{}", "A".repeat(90))).await.contains("不是会员码"));
        assert!(look(&app, &here, &shown_code(&app, &member.token).await).await.contains("是会员"), "a new day");
        assert_eq!(counted(&app, &springs).await, 2);
        let hub = organizers(&app, &format!("/admin/venues/{springs}")).await;
        assert!(hub.contains("2027-03-05") && hub.contains("2027-03-06"), "{hub}");
        let report = organizers(&app, "/admin/report?year=2027").await;
        assert_eq!(row(&report, "总表", "会员优惠")[2..4], ["1", "3"], "one person, three times");
        assert_eq!(row(&report, "合作场馆", "南宫温泉水世界")[4..], ["2", "1"]);
        // After two months it is still known how often, but not who.
        app.advance(63 * DAY);
        turnout_server::housekeeping::sweep(&app.app).await.expect("swept");
        let report = organizers(&app, "/admin/report?year=2027").await;
        assert_eq!(row(&report, "总表", "会员优惠")[2..4], ["没有记录", "3"], "how often, not who");
        assert_eq!(row(&report, "合作场馆", "南宫温泉水世界")[4..], ["2", "没有记录"]);
    }

    async fn who_left_the_union_or_never_was_in_it_is_no_member(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let agent = agent(&app, &springs).await;
        let member = app.member("李小红").await;
        let code = shown_code(&app, &member.token).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update person set status = 'left' where id = $1", &member.id).expect("left");
        tx.commit().await.expect("commit");
        assert!(look(&app, &agent, &code).await.contains("不是在册会员"));
        let shown = page(&app, "/benefits", &member.token).await;
        assert!(!shown.contains("member-code") && shown.contains("门票八折"), "{shown}");
        assert!(page(&app, "/benefits", "").await.contains("登录后出示会员码"));
        assert_eq!(counted(&app, &springs).await, 0);
    }

    async fn two_phones_at_once_count_a_member_once(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let agent = agent(&app, &springs).await;
        let member = app.member("赵大力").await;
        let code = shown_code(&app, &member.token).await;
        let looks = (0..6).map(|_| look(&app, &agent, &code));
        let told = futures_util::future::join_all(looks).await;
        assert_eq!(told.iter().filter(|told| told.contains("是会员</strong>")).count(), 1);
        assert_eq!(counted(&app, &springs).await, 1);
        assert!(app.now() > Millis(0));
    }
}
