//! What the server is measured against: an axum route that takes and gives the JSON of a booking, and does nothing.

use axum::{Json, Router, http::StatusCode, routing::post};
use turnout_server::booking::rules::{Booked, BookedTicket, Request};

/// Serves the route; gives its address.
pub(crate) async fn serve() -> anyhow::Result<String> {
    let listener = turnout_server::listen(([127, 0, 0, 1], 0).into())?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/api/v1/bookings", post(book));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn book(Json(request): Json<Request>) -> (StatusCode, Json<Booked>) {
    // As long as a real ticket code.
    const CODE: &str = "T1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let ticket = BookedTicket { id: "AAAAAAAAAAAAAAAAAAAA".to_owned(), code: CODE.to_owned() };
    let booked = Booked {
        id: request.offer,
        status: "confirmed".to_owned(),
        tickets: vec![ticket],
        position: None,
    };
    (StatusCode::CREATED, Json(booked))
}
