//! Who is asking, version, login.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, AnswerHeader, Endpoint, OBJECT, Operation, Status, Upload, wire};

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is a user of the broker's own database.
    pub is_internal_user: bool,
}

/// What a login gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// Who logged in.
    pub user: WhoAmI,
    /// What to send from now on.
    pub token: LoginToken,
}

/// What to send in the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginToken {
    /// The scheme: `basic`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What follows it.
    pub value: String,
}

/// Fields of a login form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginForm {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// The caller.
pub const WHOAMI: Endpoint = Endpoint::new(
    "/whoami",
    &[Operation::get(Access::Any, "The user whose credentials were sent").query(OBJECT).gives(wire::<WhoAmI>())],
);

/// The compatible version.
pub const VERSION: Endpoint = Endpoint::new(
    "/version",
    &[Operation::get(Access::Public, "The version of RabbitMQ this broker is compatible with").gives(wire::<String>())],
);

const SET_COOKIE: &[AnswerHeader] =
    &[AnswerHeader { name: "Set-Cookie", summary: "The session, or that there is none any more." }];

/// Login by form.
pub const LOGIN: Endpoint = Endpoint::new(
    "/login",
    &[
        Operation::post(Access::Public, "Checks credentials sent as a form, and begins a session kept in a cookie")
            .takes_upload(wire::<LoginForm>(), Upload::Form)
            .status(Status::new(200, "Logged in").gives(wire::<LoginAnswer>()).headers(SET_COOKIE)),
        Operation::delete(Access::Public, "Ends the session of the cookie or token sent")
            .status(Status::new(204, "There is no such session any more").headers(SET_COOKIE)),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[WHOAMI, VERSION, LOGIN];
