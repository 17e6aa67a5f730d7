//! `/api/v1/login`.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rules::{self, SignIn};
use crate::{
    App,
    error::{Refused, Result},
    web::limits::Address,
};

/// Whom to send a code.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CodeRequest {
    phone: String,
}

/// Sends a six-digit code to a mobile number. The answer never tells whether the number is on the roster.
#[utoipa::path(post, path = "/login/code", request_body = CodeRequest,
    responses((status = 202), (status = 422), (status = 429)))]
pub(super) async fn code(
    State(app): State<App>,
    Address(address): Address,
    Json(request): Json<CodeRequest>,
) -> Result<StatusCode> {
    rules::send_code(&app, &request.phone, &address).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A mobile number and the code that was sent to it.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct LoginRequest {
    phone: String,
    code: String,
    /// When several people share the number: which of them.
    person: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// To be sent as `Authorization: Bearer`.
    token: String,
}

/// Signs in with a code.
#[utoipa::path(post, path = "/login", request_body = LoginRequest,
    responses((status = 200, body = Token), (status = 401), (status = 409), (status = 429)))]
pub(super) async fn login(
    State(app): State<App>,
    Address(address): Address,
    Json(request): Json<LoginRequest>,
) -> Result<Json<Token>> {
    match rules::sign_in(&app, &request.phone, &request.code, request.person.as_deref(), &address).await? {
        SignIn::Done(token) => Ok(Json(Token { token })),
        SignIn::Choose(_) => Err(Refused::new(
            StatusCode::CONFLICT,
            "choose_person",
            "这个手机号登记了不止一位会员，请在网页上登录并选择本人。",
            "Several members share this number. Please sign in on the web page and choose yourself.",
        )
        .into()),
    }
}

/// A staff name and password.
#[derive(Deserialize, ToSchema)]
pub(super) struct StaffLoginRequest {
    name: String,
    password: String,
}

/// Signs staff in.
#[utoipa::path(post, path = "/staff/login", request_body = StaffLoginRequest,
    responses((status = 200, body = Token), (status = 401), (status = 429)))]
pub(super) async fn staff_login(
    State(app): State<App>,
    Address(address): Address,
    Json(request): Json<StaffLoginRequest>,
) -> Result<Json<Token>> {
    let token = rules::staff_sign_in(&app, &request.name, &request.password, &address).await?;
    Ok(Json(Token { token }))
}
