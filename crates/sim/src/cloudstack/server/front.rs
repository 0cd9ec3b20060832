//! What every call passes before its command: who calls, may they, is there a session.
//!
//! The order is the server's: the command's name, the key, the limit, the role, the secret. So a
//! wrong secret on a command that the role lacks is told as the latter, and a command that nobody
//! knows looks like a wrong signature unless there is a session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use serde_json::json;

use super::Door;
use super::envelope::Spelling;
use super::parameters::Parameters;
use super::sign;
use crate::cloudstack::api::{self, Answer, ApiError, Call, Caller, Command};
use crate::cloudstack::cloud::{Calls, Cloud, Session};
use crate::cloudstack::directory::{ADMIN, ADMIN_USER, Role};
use crate::cloudstack::faults::Refused;
use crate::cloudstack::jobs::signed;
use crate::shared::Living as _;

/// Seconds after which a session is said to end.
const SESSION_SECONDS: u32 = 1800;
/// Sessions that are open at once; one more ends them all.
const SESSIONS_MAX: usize = 10_000;

/// A request, decoded.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) parameters: Parameters,
    /// The session's cookie.
    pub(super) session: Option<String>,
    pub(super) door: Door,
}

/// A response, not yet in the terms of HTTP.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// `Date`, where the server sends one.
    pub(super) date: Option<String>,
    /// `X-Description`: the text of an error.
    pub(super) description: Option<String>,
    /// Cookies to set.
    pub(super) cookies: Vec<String>,
}

/// Answers a request.
pub(super) fn answer(cloud: &mut Cloud, request: &Request) -> Reply {
    cloud.settle();
    let name = request.parameters.get("command").unwrap_or_default().to_owned();
    let spelling = Spelling::of(request.parameters.get("response"));
    let mut cookies = Vec::new();
    let answered = refuse(cloud).and_then(|()| match name.as_str() {
        "login" => login(cloud, request, &mut cookies),
        "logout" => {
            request.session.as_ref().map(|session| cloud.sessions.remove(session));
            Ok(Answer::Object(json!({"description": "success"})))
        }
        _ => command(cloud, request, &name),
    });
    let known = api::find(&name).is_some() || matches!(name.as_str(), "login" | "logout");
    let counted = if known { name.clone() } else { "unknown".to_owned() };
    let root = |code: u16| {
        if known && code != 432 {
            format!("{}response", name.to_lowercase())
        } else {
            "errorresponse".to_owned()
        }
    };
    let (status, description, (body, rows)) = match answered {
        Ok(answer) => (200, None, spelling.answer(&root(200), answer, cloud.version)),
        Err(error) => {
            let body = spelling.error(&root(error.code), &error, cloud.version);
            (error.code, Some(error.text.replace(['\r', '\n'], " ")), (body, 0))
        }
    };
    count(cloud.calls.entry(counted).or_default(), status, rows, body.len());
    Reply {
        status,
        content_type: spelling.content_type(cloud.version),
        body,
        date: cloud
            .sends_date
            .then(|| cloud.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        description,
        cookies,
    }
}

fn count(calls: &mut Calls, status: u16, rows: usize, bytes: usize) {
    calls.calls += 1;
    calls.errors += u64::from(status != 200);
    calls.rows += rows as u64;
    calls.bytes += bytes as u64;
}

/// What faults refuse before anything is looked at.
fn refuse(cloud: &mut Cloud) -> Result<(), ApiError> {
    cloud.troubles.next_call().map_err(|refused| match refused {
        Refused::Throttled(ms) => throttled(ms),
        Refused::Unauthorized => ApiError::unauthorized(),
        Refused::Unavailable => {
            ApiError::new(503, "This management server is shutting down and accepts no new jobs")
        }
        Refused::Internal => ApiError::new(
            530,
            "Internal error executing command, please contact your system administrator",
        ),
    })
}

fn throttled(ms: u64) -> ApiError {
    let text = "The given user has reached his/her account api limit, please retry after";
    ApiError::new(429, format!("{text} [{ms}] ms."))
}

fn command(cloud: &mut Cloud, request: &Request, name: &str) -> Result<Answer, ApiError> {
    let parameters = &request.parameters;
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n');
    if let Some((name, value)) = parameters.pairs().iter().find(|(_, v)| v.contains(is_control)) {
        let text = format!(
            "Received value {} for parameter {name} is invalid, contains illegal ASCII \
             non-printable characters",
            value.escape_debug()
        );
        return Err(ApiError::parameter(text));
    }
    let caller = match request.door {
        Door::Open => Caller { account: ADMIN, user: ADMIN_USER },
        Door::Signed => caller(cloud, request, name)?,
    };
    let Some(command) = api::find(name) else {
        let text = if name.is_empty() {
            "Invalid request, no command sent".to_owned()
        } else {
            format!("Unknown API command: {name}")
        };
        return Err(ApiError::new(432, text));
    };
    let parameters = parameters.lowered();
    tracing::debug!(command = name, "called");
    let version = cloud.version;
    command.answer(cloud, &Call { command, caller, version, parameters: &parameters })
}

/// Who calls: by a session, or by a key and a signature.
fn caller(cloud: &mut Cloud, request: &Request, name: &str) -> Result<Caller, ApiError> {
    let parameters = &request.parameters;
    let command = api::find(name);
    let session = request.session.as_ref().and_then(|id| Some((id, cloud.sessions.get(id)?)));
    if let Some((id, session)) = session {
        if parameters.get("sessionkey") != Some(session.key.as_str()) {
            let id = id.clone();
            cloud.sessions.remove(&id);
            return Err(ApiError::unauthorized());
        }
        let user = session.user;
        let caller = Caller { account: cloud.directory.users[user].account, user };
        permit(cloud, caller.account, command, name)?;
        return Ok(caller);
    }
    let refused = ApiError::unauthorized;
    command.ok_or_else(refused)?;
    let signature = parameters.get("signature").ok_or_else(refused)?;
    let key = parameters.get("apikey").ok_or_else(refused)?;
    if parameters.get("signatureversion") == Some("3") {
        let expires = parameters.get("expires").and_then(api::parse_with_offset);
        if expires.is_none_or(|expires| expires < cloud.time_of_requests()) {
            return Err(refused());
        }
    }
    // Nobody has the key of the cloud itself.
    let mut users = cloud.directory.users.iter();
    let user = users.position(|user| user.api_key == key).filter(|user| *user != 0);
    let user = user.ok_or_else(refused)?;
    let account = cloud.directory.users[user].account;
    permit(cloud, account, command, name)?;
    if sign::verify(parameters.pairs(), &cloud.directory.users[user].secret_key, signature) {
        Ok(Caller { account, user })
    } else {
        Err(refused())
    }
}

/// Whether an account may call a command now.
fn permit(
    cloud: &mut Cloud,
    account: usize,
    command: Option<&Command>,
    name: &str,
) -> Result<(), ApiError> {
    let role = cloud.directory.accounts[account].role;
    if let Some(throttle) = cloud.throttle.filter(|_| role != Role::Admin) {
        let now = cloud.now();
        let window = cloud.windows.entry(account).or_insert((now, 0));
        let left = signed(throttle.interval) - now.duration_since(window.0);
        if !left.is_positive() {
            *window = (now, 0);
        }
        window.1 = window.1.saturating_add(1);
        if window.1 > throttle.calls_max {
            return Err(throttled(u64::try_from(left.as_millis()).unwrap_or_default()));
        }
    }
    if command.is_some_and(|command| command.is_for(role)) {
        return Ok(());
    }
    let text =
        format!("The given command '{name}' either does not exist, is not available for user.");
    Err(ApiError::new(401, text))
}

fn login(
    cloud: &mut Cloud,
    request: &Request,
    cookies: &mut Vec<String>,
) -> Result<Answer, ApiError> {
    let parameters = &request.parameters;
    let name = parameters.get("username").unwrap_or_default();
    let directory = &cloud.directory;
    let path = parameters.get("domain").unwrap_or_default().trim_matches('/');
    let path = if path.is_empty() || path == "ROOT" {
        "ROOT".to_owned()
    } else {
        format!("ROOT/{}", path.trim_start_matches("ROOT/"))
    };
    let id = parameters.get("domainid");
    let is_domain = |domain: &crate::cloudstack::directory::Domain| match id {
        Some(id) => domain.id == id,
        None => domain.path.eq_ignore_ascii_case(&path),
    };
    let user = directory.users.iter().position(|user| {
        let domain = &directory.domains[directory.accounts[user.account].domain];
        user.name == name
            && Some(user.password.as_str()) == parameters.get("password")
            && is_domain(domain)
    });
    let user = user.filter(|user| *user != 0).ok_or_else(|| {
        let text = format!(
            "Failed to authenticate user {name} in domain {path}; please provide valid credentials"
        );
        ApiError::new(531, text)
    })?;
    let mut bytes = [0; 20];
    cloud.client_rng.fill_bytes(&mut bytes);
    let key = URL_SAFE_NO_PAD.encode(bytes);
    let session = format!("node0{}", cloud.fresh_id().simple());
    cookies.push(format!("JSESSIONID={session}; Path=/client; HttpOnly"));
    cookies.push(format!("sessionkey={key}; Path=/client/api; HttpOnly"));
    let (found, account) = (&cloud.directory.users[user], cloud.directory.users[user].account);
    let account = &cloud.directory.accounts[account];
    let answer = json!({
        "username": found.name, "userid": found.id,
        "domainid": cloud.directory.domains[account.domain].id,
        "timeout": SESSION_SECONDS, "account": account.name, "firstname": found.name,
        "lastname": "service", "type": account.role.number().to_string(), "registered": "false",
        "sessionkey": key, "is2faenabled": "false", "is2faverified": "true",
        "issuerfor2fa": "CloudStack",
    });
    if cloud.sessions.len() >= SESSIONS_MAX {
        cloud.sessions.clear();
    }
    cloud.sessions.insert(session, Session { user, key });
    Ok(Answer::Object(answer))
}
