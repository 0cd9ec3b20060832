//! Who asks: the three ways in that CloudStack has.
//!
//! API keys are the way for a program: each request is signed, no session can expire. A login is for
//! sites that give out no keys; it makes a session that the server ends when it likes. The
//! integration port asks for nothing and answers as the system's administrator.

use pluvio_secret::Secret;

/// One way in, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Each request is signed.
    Keys(ApiKeys),
    /// One login; then its cookies and its session key go with each request.
    Login(Login),
    /// Nothing: the unauthenticated integration port (`integration.api.port`).
    Open,
}

/// A key pair of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeys {
    /// Names the user; sent with each request.
    pub api_key: Secret,
    /// Signs; never sent.
    pub secret_key: Secret,
}

/// A user's name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Path of the user's domain, such as `/customers/acme`; the root domain if not given.
    pub domain: Option<String>,
}
