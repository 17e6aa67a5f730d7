//! Signing in: a code by phone, tries that end, and answers that tell nothing about the roster.

use serde_json::json;
use turnout_server::{staff, web::access::Role};

use crate::{archive::program, support::on_both};

const MINUTE: i64 = 60_000;

on_both! {
    async fn a_member_signs_in_with_the_code_that_was_sent(app) {
        let member = app.member("王小明").await;
        app.post("/api/v1/login/code", "", json!({ "phone": format!("+86 {}", member.phone) })).await.expect(202);
        let code = app.last_code(&member.phone).await;
        let login = json!({ "phone": member.phone, "code": code });
        let token = app.post("/api/v1/login", "", login.clone()).await.expect(200)["token"].clone();
        let (_, offer) = app.event(|_| {}).await;
        let booked = app.book_with(token.as_str().expect("token"), "a", json!({ "offer": offer })).await;
        booked.expect(201);
        // The code was for one use.
        assert_eq!(app.post("/api/v1/login", "", login).await.refused(401), "wrong_code");
    }

    async fn the_answer_does_not_tell_who_is_on_the_roster(app) {
        let member = app.member("王小明").await;
        let mut answers = Vec::new();
        for phone in [member.phone.as_str(), "13800000000"] {
            let asked = app.post("/api/v1/login/code", "", json!({ "phone": phone })).await;
            let wrong = app.post("/api/v1/login", "", json!({ "phone": phone, "code": "not it" })).await;
            answers.push((asked.status, asked.text, wrong.status, wrong.text));
        }
        assert_eq!(answers[0], answers[1]);
    }

    async fn wrong_guesses_kill_the_code(app) {
        let member = app.member("王小明").await;
        app.post("/api/v1/login/code", "", json!({ "phone": member.phone })).await.expect(202);
        let code = app.last_code(&member.phone).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            let guess = app.post("/api/v1/login", "", json!({ "phone": member.phone, "code": wrong })).await;
            assert_eq!(guess.refused(401), "wrong_code");
        }
        let right = app.post("/api/v1/login", "", json!({ "phone": member.phone, "code": code })).await;
        assert_eq!(right.refused(401), "wrong_code");
    }

    async fn a_code_expires(app) {
        let member = app.member("王小明").await;
        app.post("/api/v1/login/code", "", json!({ "phone": member.phone })).await.expect(202);
        let code = app.last_code(&member.phone).await;
        app.advance(5 * MINUTE);
        let late = app.post("/api/v1/login", "", json!({ "phone": member.phone, "code": code })).await;
        assert_eq!(late.refused(401), "wrong_code");
    }

    async fn codes_are_not_sent_without_end(app) {
        let ask = || app.post("/api/v1/login/code", "", json!({ "phone": "13800000000" }));
        ask().await.expect(202);
        assert_eq!(ask().await.refused(429), "too_many_requests");
        for _ in 0..5 {
            app.advance(MINUTE);
            ask().await.expect(202);
        }
        app.advance(MINUTE);
        assert_eq!(ask().await.refused(429), "too_many_requests");
        app.advance(60 * MINUTE);
        ask().await.expect(202);
    }

    async fn guessing_codes_is_locked_out(app) {
        let member = app.member("王小明").await;
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(app.post("/api/v1/login", "", json!({ "phone": member.phone, "code": "1" })).await.status.as_u16());
        }
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 15);
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5);
    }

    async fn staff_sign_in_with_a_password_and_are_locked_out_by_guessing(app) {
        let new = staff::add(&app.app.db, "周组织", Role::Organizer, app.now()).await.expect("staff");
        let login = |password: &str| app.post("/api/v1/staff/login", "", json!({ "name": "周组织", "password": password }));
        let token = login(&new.password).await.expect(200)["token"].as_str().expect("token").to_owned();
        let (event, _) = app.event(|_| {}).await;
        app.get(&format!("/api/v1/events/{event}/attendance"), &token).await.expect(200);
        for _ in 0..10 {
            assert_eq!(login("错的").await.refused(401), "wrong_password");
        }
        assert_eq!(login(&new.password).await.refused(429), "too_many_requests");
        let nobody = app.post("/api/v1/staff/login", "", json!({ "name": "没有此人", "password": "x" })).await;
        assert_eq!(nobody.refused(401), "wrong_password");
    }

    async fn a_password_is_renewed_and_an_account_ended_on_the_command_line(app) {
        let login = |password: &str| app.post("/api/v1/staff/login", "", json!({ "name": "周组织", "password": password }));
        let staff = async |arguments: &[&str]| {
            let (ok, said) = program(&app, &app.database, &[&["staff"], arguments].concat()).await;
            (ok, said.lines().next().unwrap_or_default().to_owned())
        };
        let (ok, first) = staff(&["add", "周组织", "--role", "admin"]).await;
        assert!(ok, "{first}");
        let session = login(&first).await.expect(200)["token"].as_str().expect("token").to_owned();
        for _ in 0..10 {
            login("忘了").await.refused(401);
        }
        login(&first).await.refused(429);

        // The new one counts at once, and nobody goes on with the old one.
        let (ok, second) = staff(&["password", "周组织"]).await;
        assert!(ok && second != first, "{second}");
        assert_eq!(login(&first).await.refused(401), "wrong_password");
        let (event, _) = app.event(|_| {}).await;
        let path = format!("/api/v1/events/{event}/attendance");
        app.get(&path, &session).await.refused(401);
        let session = login(&second).await.expect(200)["token"].as_str().expect("token").to_owned();
        assert_eq!(staff(&["list"]).await, (true, "admin\t周组织".to_owned()));

        let (ok, said) = staff(&["remove", "周组织"]).await;
        assert!(ok, "{said}");
        app.get(&path, &session).await.refused(401);
        assert_eq!(login(&second).await.refused(401), "wrong_password");
        for gone in [&["password", "周组织"][..], &["remove", "周组织"], &["password", "没有此人"]] {
            let (ok, said) = staff(gone).await;
            assert!(!ok && said.contains("staff list"), "{said}");
        }
    }

    async fn staff_who_walk_away_are_signed_out(app) {
        let (event, _) = app.event(|_| {}).await;
        let token = app.staff(Role::Organizer).await;
        let path = format!("/api/v1/events/{event}/attendance");
        app.advance(119 * MINUTE);
        app.get(&path, &token).await.expect(200);
        app.advance(119 * MINUTE);
        app.get(&path, &token).await.expect(200);
        app.advance(121 * MINUTE);
        assert_eq!(app.get(&path, &token).await.refused(401), "signed_out");
    }
}
