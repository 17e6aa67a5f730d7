//! A real kiosk that has lost its network: pages are let in, pictures of them are not, paper is looked at.

use std::{net::SocketAddr, time::Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use turnout_server::{fetch, web::access::Role};

use super::{MINUTE, moving_event, shown};
use crate::{
    end_to_end::await_copy,
    support::{
        TestApp, on_both,
        programs::{KioskProgram, client},
    },
};

/// A line to a server that can be cut.
pub(super) struct Wire {
    pub(super) url: String,
    address: SocketAddr,
    server: String,
    carries: Option<JoinHandle<()>>,
}

/// The folder of a kiosk at the gate of an event that is enrolled over a line, and the code that it was enrolled by.
pub(super) async fn enrolled(app: &TestApp, event: &str) -> (String, Wire, TempDir) {
    let organizer = app.staff(Role::Organizer).await;
    let new =
        json!({ "name": "一号机", "event": event, "station": "gate", "station_name": "东门" });
    let made = app.post("/api/v1/kiosks", &organizer, new).await.expect(201);
    let code = made["code"].as_str().expect("a code").to_owned();
    let (wire, folder) = (Wire::to(&app.url).await, TempDir::new().expect("a folder"));
    KioskProgram::enroll(&wire.url, &code, folder.path()).await;
    (code, wire, folder)
}

impl Wire {
    pub(super) async fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let carries = Some(carry(listener, server.clone()));
        Self { url: format!("http://{address}"), address, server, carries }
    }

    /// Nothing gets through any more, and what was on the way is lost.
    pub(super) async fn cut(&mut self) {
        let carries = self.carries.take().expect("it was whole");
        carries.abort();
        assert!(carries.await.is_err(), "it ended by being cut");
    }

    pub(super) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its own port");
        self.carries = Some(carry(listener, self.server.clone()));
    }
}

fn carry(listener: TcpListener, server: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut calls = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let server = server.clone();
            calls.spawn(async move {
                if let Ok(mut far) = TcpStream::connect(server).await {
                    // A call ends as it likes.
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            });
        }
    })
}

on_both! {
    async fn a_kiosk_alone_tells_a_ticket_page_from_a_picture_of_it(app) {
        app.let_time_run_since(Instant::now());
        let (event, offer) = moving_event(&app).await;
        let mut tickets = Vec::new();
        for name in ["王小明", "李小红", "赵大力", "周小刚"] {
            let booked = app.booked(&app.member(name).await, &offer).await;
            let text = |field: &str| booked["tickets"][0][field].as_str().expect("text").to_owned();
            tickets.push((text("id"), text("code")));
        }
        let [page, forwarded, paper, last] = tickets.as_slice() else { unreachable!("four") };
        let organizer = app.staff(Role::Organizer).await;
        let (code, mut wire, folder) = enrolled(&app, &event).await;
        // Its own clock is months off the server's.
        let mut kiosk = KioskProgram::run(folder.path()).await;
        for (id, _) in &tickets {
            await_copy(folder.path(), id).await;
        }
        let desk = Desk::open(&kiosk, &code).await;
        wire.cut().await;

        let told = kiosk.scan(&shown(&app, &event, &page.1, app.now())).await;
        assert_eq!(told["verdict"], "admitted", "{told}");
        assert!(told["trust"].as_str().expect("trust").starts_with("local"), "{told}");
        // What that page showed two minutes ago, and what it will show in two.
        for off in [-2, 2] {
            let screenshot = shown(&app, &event, &forwarded.1, app.now().plus(off * MINUTE));
            let told = kiosk.scan(&screenshot).await;
            assert_eq!((&told["verdict"], &told["reason"]), (&json!("refused"), &json!("stale_code")), "{told}");
        }
        // Another ticket's letters, and letters that are none.
        let mut others = shown(&app, &event, &page.1, app.now());
        others.replace_range(..150, &forwarded.1);
        for text in [others, format!("{}0000", forwarded.1)] {
            assert_eq!(kiosk.scan(&text).await["reason"], "stale_code", "{text}");
        }
        let told = kiosk.scan(&paper.1).await;
        assert_eq!((&told["verdict"], &told["reason"]), (&json!("attention"), &json!("show_id")), "{told}");
        assert_eq!(told["holder"], "赵*力", "staff compare it with the ID: {told}");
        let row = desk.asks("search", &json!({ "ticket": paper.0 })).await["rows"][0].clone();
        assert_eq!((&row["name"], &row["verdict"]), (&json!("赵大力"), &json!("admitted")), "{row}");
        let done = desk.asks("admission", &json!({ "ticket": paper.0 })).await;
        assert_eq!(done["look"], "admitted", "{done}");
        let told = kiosk.scan(&shown(&app, &event, &forwarded.1, app.now())).await;
        assert_eq!(told["verdict"], "admitted", "the page itself: {told}");
        let told = kiosk.scan(&shown(&app, &event, &page.1, app.now())).await;
        assert_eq!(told["reason"], "already_used", "{told}");

        // The network is back, hours later as it were: the server has what the door did, and calls nothing stale.
        wire.mend().await;
        let told = loop {
            let told = app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200);
            if told["admitted"] == 3 {
                break told;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(told["conflicts"], 0, "{told}");
        let mut tx = app.app.db.read().await.expect("read");
        let scans: Vec<(String, Option<String>, Option<String>)> = fetch!(
            tx,
            fetch_all,
            "select verdict, reason, note from scan where event_id = $1 order by seq",
            &event,
        )
        .expect("scans");
        let words: Vec<_> = scans.iter().map(|(verdict, reason, _)| reason.as_ref().unwrap_or(verdict).as_str()).collect();
        assert_eq!(
            words,
            ["admitted", "stale_code", "stale_code", "stale_code", "stale_code", "show_id", "admitted", "admitted", "already_used"]
        );
        assert_eq!(scans[6].2.as_deref(), Some("已核对证件"));
        drop(tx);
        assert!(kiosk.stop().await.success());

        // A program that is started anew, without a network, knows how its clock went on.
        let mut kiosk = KioskProgram::run_with(folder.path(), &["--offline"]).await;
        let screenshot = shown(&app, &event, &last.1, app.now().plus(-60 * MINUTE));
        let told = kiosk.scan(&screenshot).await;
        assert_eq!(told["reason"], "stale_code", "{told}");
        let told = kiosk.scan(&shown(&app, &event, &last.1, app.now())).await;
        assert_eq!(told["verdict"], "admitted", "{told}");
        assert!(kiosk.stop().await.success());
    }
}

/// The staffed side of a kiosk, open.
struct Desk {
    page: String,
    cookie: String,
}

impl Desk {
    /// Opens it with a first PIN, and waits until names are there.
    async fn open(kiosk: &KioskProgram, code: &str) -> Self {
        let pin = json!({ "pin": "246810", "code": code, "operator": "甲" });
        let opening = client().post(format!("{}/desk/opening", kiosk.page)).json(&pin);
        let opened = opening.send().await.expect("an answer");
        assert_eq!(opened.status(), 204);
        let cookie = opened.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let desk = Self { page: kiosk.page.clone(), cookie };
        let path = format!("{}/desk/state", desk.page);
        loop {
            let asked = client().get(&path).header("cookie", &desk.cookie).send().await;
            let state: Value = asked.expect("an answer").json().await.expect("JSON");
            if state["known"] == 4 {
                return desk;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn asks(&self, what: &str, body: &Value) -> Value {
        let path = format!("{}/desk/{what}", self.page);
        let asked = client().post(path).header("cookie", &self.cookie).json(body).send().await;
        let answer = asked.expect("an answer");
        assert_eq!(answer.status(), 200, "{what}");
        answer.json().await.expect("JSON")
    }
}
