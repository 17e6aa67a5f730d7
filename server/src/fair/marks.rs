//! Posts that a visitor marked: kept in the books for who is signed in, in a cookie for who is not. The cookie's marks
//! move into the books with the first mark after signing in, and are shown until then.

use std::collections::BTreeSet;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use time::Duration;

use super::queries;
use crate::{
    App,
    db::Tx,
    error::Result,
    event::Event,
    execute, fetch,
    web::{Frame, access::Caller, form::Typed, frame::local},
};

/// Nobody visits more stands.
const MOST: usize = 100;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/events/{event}/fair/marks", post(mark))
}

/// The numbers of the posts that the caller marked.
pub(super) async fn of(
    tx: &mut Tx,
    event: &Event,
    caller: &Caller,
    jar: &CookieJar,
) -> Result<BTreeSet<i64>> {
    let mut marks = in_cookie(event, jar);
    if let Caller::Person(person) = caller {
        let rows: Vec<(i64,)> = fetch!(
            tx,
            fetch_all,
            "select p.number from post_mark m join post p on p.id = m.post_id where m.person_id = $1 and m.event_id = $2",
            &person.id,
            &event.id,
        )?;
        marks.extend(rows.into_iter().map(|(number,)| number));
    }
    Ok(marks)
}

/// `POST /events/{event}/fair/marks`: marks a post, or takes the mark away; back to where the visitor was.
async fn mark(
    State(app): State<App>,
    Path(id): Path<String>,
    jar: CookieJar,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let event = super::pages::fair(&mut tx, &frame, &id).await?;
    let number = form.number("post").unwrap_or(0);
    let post = queries::post(&mut tx, &id, number).await?;
    let wanted = form.value("mark") == "yes";
    let mut marks = in_cookie(&event, &jar);
    let jar = if let Caller::Person(person) = &frame.caller {
        if wanted {
            marks.insert(number);
        } else {
            marks.remove(&number);
            execute!(
                tx,
                "delete from post_mark where person_id = $1 and post_id = $2",
                &person.id,
                &post.id
            )?;
        }
        for number in marks {
            // A cookie may hold numbers that never were.
            execute!(
                tx,
                "insert into post_mark (event_id, person_id, post_id, marked_ms)
                 select event_id, $2, id, $3 from post where event_id = $1 and number = $4
                 on conflict (person_id, post_id) do nothing",
                &id,
                &person.id,
                frame.now.0,
                number,
            )?;
        }
        jar.add(cookie(&app, &event, &BTreeSet::new()))
    } else {
        if !wanted {
            marks.remove(&number);
        } else if marks.len() < MOST {
            marks.insert(number);
        }
        jar.add(cookie(&app, &event, &marks))
    };
    tx.commit().await?;
    let back = local(form.value("back"));
    let back = if back == "/" { format!("/events/{id}/fair") } else { back.to_owned() };
    Ok((jar, Redirect::to(&back)).into_response())
}

fn name(event: &Event) -> String {
    format!("marks-{}", event.number)
}

fn in_cookie(event: &Event, jar: &CookieJar) -> BTreeSet<i64> {
    let value = jar.get(&name(event)).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    value.split('.').filter_map(|number| number.parse().ok()).take(MOST).collect()
}

fn cookie(app: &App, event: &Event, marks: &BTreeSet<i64>) -> Cookie<'static> {
    let numbers: Vec<String> = marks.iter().map(ToString::to_string).collect();
    let age = if numbers.is_empty() { Duration::ZERO } else { Duration::days(30) };
    Cookie::build((name(event), numbers.join(".")))
        .path(format!("/events/{}", event.id))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_https())
        .max_age(age)
        .build()
}
