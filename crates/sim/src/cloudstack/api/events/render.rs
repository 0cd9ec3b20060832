//! How one event is written: straight into the text of the page, because a page has hundreds.

use uuid::Uuid;

use crate::cloudstack::api::dates;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::life::describe;
use crate::cloudstack::version::Version;

/// Writes one event.
pub(super) fn render(cloud: &Cloud, number: u32, out: &mut String) {
    let history = &cloud.history;
    if let Some(recorded) = history.recorded(number) {
        out.push_str(&recorded.row);
        return;
    }
    let row = history.row(number);
    let account = &cloud.directory.accounts[usize::from(row.account)];
    let domain = &cloud.directory.domains[account.domain];
    let mut buffer = Uuid::encode_buffer();
    let mut id = |id: Uuid, out: &mut String| {
        out.push_str(id.hyphenated().encode_lower(&mut buffer));
    };
    out.push_str("{\"id\":\"");
    id(history.id(number), out);
    out.push_str("\",\"username\":\"");
    escape(&cloud.directory.users[usize::from(row.user)].name, out);
    out.push_str("\",\"type\":\"");
    escape(history.kind_name(row.kind), out);
    out.push_str("\",\"level\":\"");
    out.push_str(row.level.name());
    out.push_str("\",\"description\":\"");
    if let Some(text) = history.text(number) {
        escape(text, out);
    } else {
        describe(history, number, out);
    }
    if let Some(project) = account.project {
        let project = &cloud.directory.projects[project];
        out.push_str("\",\"projectid\":\"");
        escape(&project.id, out);
        out.push_str("\",\"project\":\"");
        escape(&project.name, out);
    } else {
        out.push_str("\",\"account\":\"");
        escape(&account.name, out);
    }
    out.push_str("\",\"domainid\":\"");
    escape(&domain.id, out);
    out.push_str("\",\"domain\":\"");
    escape(&domain.name, out);
    if cloud.version >= Version::V4_20 {
        out.push_str("\",\"domainpath\":\"");
        escape(&domain.path, out);
    }
    if let Some(resource) = history.resource(row).filter(|_| cloud.version >= Version::V4_17) {
        out.push_str("\",\"resourceid\":\"");
        id(resource.id, out);
        out.push_str("\",\"resourcetype\":\"");
        out.push_str(resource.kind);
        out.push_str("\",\"resourcename\":\"");
        escape(&resource.name, out);
    }
    out.push_str("\",\"created\":\"");
    let created = jiff::Timestamp::from_second(row.created).unwrap_or_default();
    dates::write(created, &cloud.zone, out);
    out.push_str("\",\"state\":\"");
    out.push_str(row.mark.state().name());
    out.push('"');
    if let Some(first) = row.parent.checked_sub(1) {
        out.push_str(",\"parentid\":\"");
        escape(&history.name(first), out);
        out.push('"');
    } else if cloud.version == Version::V4_9 {
        out.push_str(",\"parentid\":\"0\"");
    }
    if row.mark.is_archived() && cloud.version >= Version::V4_20 {
        out.push_str(",\"archived\":true");
    }
    out.push('}');
}

/// Writes text as the inside of a JSON string.
fn escape(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push_str(text);
        return;
    }
    let quoted = serde_json::Value::from(text).to_string();
    out.push_str(quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted));
}
