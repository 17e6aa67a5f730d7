//! Every route, as each role and as nobody: the table in `web/access.rs` holds, and no route is outside it.

use reqwest::Method;
use turnout_server::web::access::{Access, Caller, Role, Staff, TABLE};

use crate::support::on_both;

on_both! {
    async fn every_route_is_shut_to_those_who_may_not(app) {
        let mut callers = vec![(String::new(), Caller::Nobody)];
        for role in Role::ALL {
            let staff = Staff { id: String::new(), name: String::new(), role };
            callers.push((app.staff(role).await, Caller::Staff(staff)));
        }
        let member = app.member("王小明").await;
        let person = turnout_server::web::access::Person { id: member.id.clone(), name: member.name.clone(), member: true };
        callers.push((member.token.clone(), Caller::Person(person)));
        for (method, route, access) in TABLE {
            // An open stream would keep the test waiting; its twin without /stream has the same access.
            if route.ends_with("/stream") {
                continue;
            }
            let path = filled(route);
            let method: Method = method.parse().expect("a method");
            let open = matches!(access, Access::Anonymous | Access::Public);
            for (token, caller) in &callers {
                let answer = app.send(method.clone(), &path, token, None).await;
                let turned_away = matches!(answer.status.as_u16(), 401 | 403)
                    || (answer.status.as_u16() == 303 && *caller == Caller::Nobody && !open);
                let own_refusal = open && answer.status.as_u16() == 401;
                assert_eq!(
                    turned_away && !own_refusal,
                    !access.admits(caller),
                    "{method} {route} as {caller:?}: {} {}",
                    answer.status,
                    answer.text.chars().take(200).collect::<String>()
                );
                assert!(answer.status.as_u16() < 500, "{method} {route}: {}", answer.status);
            }
        }
    }

    async fn what_is_somebody_elses_is_not_there(app) {
        let (_, offer) = app.event(|draft| {
            draft["offers"][0]["waiting_list"] = true.into();
            draft["offers"][0]["guests_max"] = 1.into();
            draft["offers"][0]["per_person"] = 2.into();
        }).await;
        let (owner, other) = (app.member("王小明").await, app.member("李小红").await);
        let request = serde_json::json!({ "offer": offer, "guests": ["客人"] });
        let booked = app.book_with(&owner.token, "mine", request).await.expect(201);
        let booking = booked["id"].as_str().expect("id");
        let ticket = booked["tickets"][0]["id"].as_str().expect("id");
        let own = format!("/api/v1/bookings/{booking}");
        let before = app.get(&own, &owner.token).await.expect(200);
        let mut tried = 0;
        for (method, route, access) in TABLE {
            if *access != Access::Person || !(route.contains("{booking}") || route.contains("{ticket}")) {
                continue;
            }
            let path = route.replace("{booking}", booking).replace("{ticket}", ticket);
            let method: Method = method.parse().expect("a method");
            let form = app.http.request(method.clone(), format!("{}{path}", app.url));
            let form = form.bearer_auth(&other.token).form(&[("reason", "别人的"), ("text", "别人的")]).send().await.expect("answer");
            let json = app.send(method.clone(), &path, &other.token, Some(serde_json::json!({ "reason": "别人的", "text": "别人的" }))).await;
            for status in [form.status().as_u16(), json.status.as_u16()] {
                assert!(matches!(status, 404 | 415 | 422), "{method} {route}: {status}");
            }
            assert!([form.status().as_u16(), json.status.as_u16()].contains(&404), "{method} {route}");
            tried += 1;
        }
        assert!(tried >= 8, "only {tried} routes name a booking or a ticket");
        assert_eq!(app.get(&own, &owner.token).await.expect(200), before, "it was changed");
    }

    async fn every_documented_route_is_in_the_table(app) {
        let openapi = app.get("/api/v1/openapi.json", "").await.expect(200);
        let mut count = 0;
        for (path, methods) in openapi["paths"].as_object().expect("paths") {
            for method in methods.as_object().expect("methods").keys() {
                let route = format!("/api/v1{path}");
                let listed = TABLE.iter().any(|(verb, known, _)| verb.eq_ignore_ascii_case(method) && *known == route);
                assert!(listed, "{method} {route} is missing in the table");
                count += 1;
            }
        }
        let api = TABLE.iter().filter(|(_, route, _)| route.starts_with("/api/v1/") && !route.ends_with("openapi.json"));
        assert_eq!(count, api.count(), "the table lists a route of the API that is not documented");
    }

    async fn a_form_from_another_site_is_refused(app) {
        let member = app.member("王小明").await;
        for (header, value, status) in
            [("sec-fetch-site", "cross-site", 403), ("sec-fetch-site", "same-origin", 404), ("origin", "https://evil.example", 403)]
        {
            let request = app.http.post(format!("{}/api/v1/bookings/none/cancellation", app.url));
            let answer = request.header("cookie", format!("turnout={}", member.token)).header(header, value).send().await;
            assert_eq!(answer.expect("answer").status(), status, "{header}: {value}");
        }
    }

    async fn every_answer_carries_its_guards(app) {
        for path in ["/", "/nowhere", "/api/v1/events", "/api/v1/nowhere"] {
            let answer = app.http.get(format!("{}{path}", app.url)).send().await.expect("answer");
            for header in ["content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"] {
                assert!(answer.headers().contains_key(header), "{path} lacks {header}");
            }
        }
    }
}

/// The route with something in place of its parameters that nobody owns.
fn filled(route: &str) -> String {
    let mut path = String::new();
    for part in route.split('/').skip(1) {
        path.push('/');
        path.push_str(if part.starts_with('{') { "none" } else { part });
    }
    path
}
