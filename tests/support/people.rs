//! People for tests, and where the built programs and data files are.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use admission::card::CardNumber;
use serde_json::{Value, json};
use turnout_server::{
    db::new_id,
    execute, fetch,
    web::{
        access::Role,
        session::{self, Holder},
    },
};

use super::TestApp;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A member with a phone, a card and a session.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) phone: String,
    /// The number on their card. Synthetic.
    pub(crate) card: String,
    pub(crate) token: String,
}

impl TestApp {
    /// A member on the roster, signed in.
    pub(crate) async fn member(&self, name: &str) -> Member {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        let (id, phone, card) = (new_id(now), format!("199{n:08}"), card_number(n));
        let number = CardNumber::read(&card).expect("a valid number");
        let mut tx = self.app.db.write().await.expect("write");
        execute!(
            tx,
            "insert into person (id, kind, name, name_search, phone, status, created_ms, updated_ms)
             values ($1, 'member', $2, $2, $3, 'active', $4, $4)",
            &id,
            name,
            &phone,
            now.0,
        )
        .expect("insert person");
        let (revision,): (i64,) =
            fetch!(tx, fetch_one, "update roster set revision = revision + 1 returning revision")
                .expect("revision");
        execute!(
            tx,
            "insert into card (fingerprint, person_id, last4, created_ms, revision) values ($1, $2, $3, $4, $5)",
            number.fingerprint(&self.app.keys.card).0.to_vec(),
            &id,
            number.last4(),
            now.0,
            revision,
        )
        .expect("insert card");
        let token = session::open(&mut tx, Holder::Person(&id), now).await.expect("session");
        tx.commit().await.expect("commit");
        Member { id, name: name.to_owned(), phone, card, token }
    }

    /// Books one place for `member`; gives the booking.
    pub(crate) async fn booked(&self, member: &Member, offer: &str) -> Value {
        self.book_with(&member.token, &new_id(self.now()), json!({ "offer": offer }))
            .await
            .expect(201)
    }
}

/// The n-th synthetic card number: an issuer of union cards, a valid check digit.
pub(crate) fn card_number(n: u64) -> String {
    let body = format!("621030{n:09}");
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// A program of this workspace, built.
pub(crate) fn bin(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("own path");
    let folder = tests.parent().and_then(|deps| deps.parent()).expect("target folder");
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is missing: cargo build first (make test does)",
        program.display()
    );
    program
}

/// A file of `tests/data`.
pub(crate) fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

impl TestApp {
    /// A union; its id.
    pub(crate) async fn union(&self, name: &str) -> String {
        let id = new_id(self.now());
        let mut tx = self.app.db.write().await.expect("write");
        execute!(
            tx,
            "insert into organisation (id, kind, name, name_search, status, created_ms, updated_ms)
             values ($1, 'union', $2, $2, 'independent', $3, $3)",
            &id,
            name,
            self.now().0,
        )
        .expect("insert union");
        tx.commit().await.expect("commit");
        id
    }

    pub(crate) async fn join_union(&self, member: &Member, union: &str) {
        let mut tx = self.app.db.write().await.expect("write");
        execute!(tx, "update person set union_id = $2 where id = $1", &member.id, union)
            .expect("join");
        tx.commit().await.expect("commit");
    }

    /// Signs in by phone and code, as a person does; gives the session.
    pub(crate) async fn guest_token(&self, phone: &str) -> String {
        self.post("/api/v1/login/code", "", json!({ "phone": phone })).await.expect(202);
        let code = self.last_code(phone).await;
        let answer = self
            .post("/api/v1/login", "", json!({ "phone": phone, "code": code }))
            .await
            .expect(200);
        answer["token"].as_str().expect("token").to_owned()
    }

    /// What was written to a phone, the newest last.
    pub(crate) async fn messages_to(&self, phone: &str) -> Vec<String> {
        let mut tx = self.app.db.read().await.expect("read");
        let rows: Vec<(String,)> = fetch!(
            tx,
            fetch_all,
            "select body from message where phone = $1 order by created_ms, id",
            phone
        )
        .expect("messages");
        rows.into_iter().map(|(body,)| body).collect()
    }

    /// The code that was sent to a phone last.
    pub(crate) async fn last_code(&self, phone: &str) -> String {
        let body = self.messages_to(phone).await.pop().expect("a message");
        let digits: String = body.chars().skip_while(|c| !c.is_ascii_digit()).take(6).collect();
        assert_eq!(digits.len(), 6, "{body}");
        digits
    }

    /// Connections of this server that hold a transaction open while nothing happens.
    pub(crate) async fn idle_in_transaction(&self) -> i64 {
        if self.database.starts_with("sqlite") {
            return 0;
        }
        let mut tx = self.app.db.read().await.expect("read");
        let (open,): (i64,) = fetch!(
            tx,
            fetch_one,
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
        )
        .expect("activity");
        open
    }
}

impl TestApp {
    /// An organizer revokes a kiosk, on its page.
    pub(crate) async fn revoke(&self, kiosk: &str) {
        self.revoke_as(kiosk, &[]).await;
    }

    /// An organizer revokes a kiosk that was lost.
    pub(crate) async fn revoke_lost(&self, kiosk: &str) {
        self.revoke_as(kiosk, &[("lost", "yes")]).await;
    }

    async fn revoke_as(&self, kiosk: &str, form: &[(&str, &str)]) {
        let mut tx = self.app.db.read().await.expect("read");
        let (event,): (String,) =
            fetch!(tx, fetch_one, "select event_id from kiosk where id = $1", kiosk)
                .expect("kiosk");
        drop(tx);
        let path = format!("{}/admin/events/{event}/kiosks/{kiosk}/revocation", self.url);
        let organizer = self.staff(Role::Organizer).await;
        let answer =
            self.http.post(path).bearer_auth(&organizer).form(form).send().await.expect("answer");
        assert_eq!(answer.status().as_u16(), 303);
    }

    /// How many entries of a kiosk are kept as evidence.
    pub(crate) async fn evidence(&self, kiosk: &str) -> i64 {
        let mut tx = self.app.db.read().await.expect("read");
        let (n,): (i64,) =
            fetch!(tx, fetch_one, "select count(*) from quarantine where kiosk_id = $1", kiosk)
                .expect("evidence");
        n
    }
}
