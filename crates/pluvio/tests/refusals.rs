//! What `pluvio check` says of a configuration is what `pluvio run` would say, to the letter.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use pluvio_log::{Embedded, EmbeddedConfig, Entry, Log as _, StreamName, Table};

/// Configurations that cannot be run, of every kind that can be judged without a port or a server.
const WRONG: &[(&str, &str)] = &[
    ("no configuration", "[log\n"),
    ("an unknown key", "[log]\ndirr = \"data\"\n"),
    ("a log in a file", "[log]\ndir = \"pluvio.toml\"\n"),
    ("an open server", "[listeners.http]\nlisten = \"0.0.0.0:0\"\n"),
    ("an open server of kafka", "[listeners.kafka]\nlisten = \"[::]:0\"\n"),
    ("no port", "[listeners.http]\nlisten = \"127.0.0.1:99999\"\n"),
    (
        "no certificate",
        "[listeners.http]\nlisten = \"127.0.0.1:0\"\n\
         tls = { cert_file = \"no.pem\", key_file = \"no.key\" }\n",
    ),
    (
        "a certificate that is none",
        "[listeners.kafka]\nlisten = \"127.0.0.1:0\"\n\
         tls = { cert_file = \"pluvio.toml\", key_file = \"pluvio.toml\" }\n",
    ),
    ("no host", "[listeners.http]\nlisten = \"127.0.0.1:0\"\nhosts = [\"*\"]\n"),
    ("no watchers", "[listeners.http]\nlisten = \"127.0.0.1:0\"\nwatchers_max = 0\n"),
    ("no connections", "[listeners.kafka]\nlisten = \"127.0.0.1:0\"\nconnections_max = 0\n"),
    (
        "one address for two",
        "[listeners.http]\nlisten = \"127.0.0.1:9\"\n[listeners.kafka]\nlisten = \"127.0.0.1:9\"\n",
    ),
    ("nobody", "[principals]\n"),
    ("nothing to read", "[principals.a]\ntoken = \"0123456789abcdef\"\nstreams = []\n"),
    (
        "a header that cannot be sent",
        "[sinks.a]\ntype = \"webhook\"\nurl = \"http://h/\"\nheaders = { X-A = \"a\\u0007\" }\n",
    ),
    (
        "a key that signs nothing",
        "[sinks.a]\ntype = \"webhook\"\nurl = \"http://h/\"\nsignature = \"standard\"\n\
         secret = \"whsec_%\"\n",
    ),
    ("an empty secret", "[sinks.a]\ntype = \"webhook\"\nurl = \"http://h/\"\ntoken = \"\"\n"),
    ("a file in the log", "[sinks.a]\ntype = \"file\"\npath = \"data/a.ndjson\"\n"),
    (
        "one file for two",
        "[sinks.a]\ntype = \"file\"\npath = \"a\"\n[sinks.b]\ntype = \"file\"\npath = \"./a\"\n",
    ),
];

/// The exit status of a command, and what it says on standard error; `None`: it runs, and was ended.
fn said(folder: &Path, command: &str) -> Option<(i32, String)> {
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(["--config", "pluvio.toml", command]).current_dir(folder);
    pluvio.env_remove("VCENTER_URL").env_remove("PLUVIO_LOG").env_remove("DEBUG");
    let mut child = pluvio.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("serving on") {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        said.push_str(&line);
        said.push('\n');
    }
    Some((child.wait().unwrap().code().unwrap(), said))
}

#[test]
fn check_and_run_refuse_the_same_with_the_same_words_and_nothing_is_left_behind() {
    let folder = std::env::temp_dir().join(format!("pluvio-refusals-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("pluvio.toml");
    for (what, text) in WRONG {
        let _the_one_before = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new();
        let mut file = file.write(true).create_new(true).mode(0o600).open(&path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let checked = said(&folder, "check").unwrap();
        assert_eq!(checked.0, 78, "{what}: {}", checked.1);
        assert!(checked.1.starts_with("pluvio.toml:"), "{what}: {}", checked.1);
        assert_eq!(said(&folder, "run"), Some(checked), "{what}");
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 1, "{what}: something was made beside the configuration");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_an_address_of_another_machine_is_warned_of() {
    let folder = std::env::temp_dir().join(format!("pluvio-elsewhere-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("gone", folder.join("link")).unwrap();
    let configured = |text: &str| fs::write(folder.join("pluvio.toml"), text).unwrap();

    configured("[log]\ndir = \"link/data\"\n");
    let checked = said(&folder, "check").unwrap();
    assert!(checked.1.contains("`link` is a link that leads nowhere"), "{}", checked.1);
    assert_eq!(said(&folder, "run"), Some(checked));

    // Of the addresses that RFC 5737 keeps for documentation.
    let of_documentation = "listen = \"192.0.2.1:8080\"\ninsecure = true\n";
    let principal = "[principals.a]\ntoken = \"0123456789abcdef\"\n";
    configured(&format!("[listeners.http]\n{of_documentation}{principal}"));
    let mut check = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    let output = check.args(["--config", "pluvio.toml", "check"]).current_dir(&folder).output();
    let text = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    let warning =
        "pluvio.toml:2:10: warning: `listen`: this machine does not have the address 192.0.2.1";
    assert!(text.contains(warning), "{text}");
    assert!(text.contains("configuration is valid"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}

/// A supervisor that does not start a wrong configuration again must start this one again.
/// What `pluvio check` warns of.
fn warned(folder: &Path) -> String {
    let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
    pluvio.args(["--config", "pluvio.toml", "check"]).current_dir(folder);
    pluvio.env_remove("VCENTER_URL").env_remove("PLUVIO_LOG").env_remove("DEBUG");
    let output = pluvio.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().filter(|line| line.starts_with("[sinks.")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_sink_that_was_renamed_or_given_another_stream_is_warned_of_by_what_lies_in_the_log() {
    let folder = std::env::temp_dir().join(format!("pluvio-renamed-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let log = Embedded::open(EmbeddedConfig::new(folder.join("data"))).unwrap();
    let log_id = log.open(&StreamName::events()).await.unwrap().log_id;
    let cursor = format!(r#"{{"stream":"events","log_id":"{log_id}","next":500}}"#);
    let entry = Entry { key: "one".into(), value: Some(cursor.into()) };
    log.put(Table::Cursors, vec![entry]).await.unwrap();
    drop(log);
    let configured = |sink: &str| {
        let sink = format!("{sink}\ntype = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n");
        fs::write(folder.join("pluvio.toml"), sink).unwrap();
    };
    configured("[sinks.one]");
    assert_eq!(warned(&folder), "");
    configured("[sinks.two]");
    let renamed = warned(&folder);
    assert!(renamed.contains("`one` (stream `events`, offset 500)"), "{renamed}");
    assert!(renamed.contains("`pluvio sink seek NAME --to OFFSET`"), "{renamed}");
    configured("[sinks.one]\nstream = \"others\"");
    let moved = warned(&folder);
    assert!(moved.contains("was handed stream `events`, and is now handed `others`"), "{moved}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_port_that_another_process_has_is_a_failure_that_may_pass_and_no_wrong_configuration() {
    let folder = std::env::temp_dir().join(format!("pluvio-taken-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = there.local_addr().unwrap();
    let configured = |listen: &str| {
        let text = format!("[listeners.http]\nlisten = \"{listen}\"\ninsecure = true\n");
        fs::write(folder.join("pluvio.toml"), text).unwrap();
    };
    // The second is of those that RFC 5737 keeps for documentation: this machine does not have it.
    for listen in [taken.to_string(), "192.0.2.1:8080".to_owned()] {
        configured(&listen);
        let (status, said) = said(&folder, "run").unwrap();
        assert_eq!(status, 1, "{said}");
        let told = format!("pluvio.toml:2:10: failed to listen on {listen}");
        assert!(said.contains(&told), "{said}");
        assert!(!said.contains("in the configuration"), "{said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_limit_of_open_files_below_what_listeners_admit_is_warned_of_and_a_soft_one_is_raised() {
    let folder = std::env::temp_dir().join(format!("pluvio-files-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let text = "[listeners.http]\nlisten = \"127.0.0.1:0\"\nconnections_max = 1500\n";
    fs::write(folder.join("pluvio.toml"), text).unwrap();
    // `run` as a child that is ended by the shell once it serves: its limits are those of the shell.
    let said = |limits: &str, command: &str| {
        let binary = env!("CARGO_BIN_EXE_pluvio");
        let script = format!("{limits} && exec {binary} --config pluvio.toml {command} 2>&1");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(&folder).env_remove("VCENTER_URL");
        let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
        let (mut said, id) = (String::new(), child.id());
        let mut limit = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            if line.contains("serving on") {
                limit = fs::read_to_string(format!("/proc/{id}/limits")).unwrap_or_default();
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let limit = limit.lines().find(|line| line.starts_with("Max open files"));
        let soft = limit.and_then(|line| line.split_whitespace().nth(3).map(ToOwned::to_owned));
        (said, soft)
    };
    let too_few = "1999 files may be open at a time, and the listeners admit 1500 connections";
    for command in ["check", "run"] {
        let (told, soft) = said("ulimit -Sn 512 && ulimit -Hn 1999", command);
        assert!(told.contains(too_few), "{command}: {told}");
        assert!(told.contains("allow 2012 with `LimitNOFILE=`"), "{command}: {told}");
        assert!(command == "check" || soft.as_deref() == Some("1999"), "{soft:?}");
        let (told, _) = said("ulimit -Sn 512 && ulimit -Hn 2012", command);
        assert!(!told.contains("files may be open"), "{command}: {told}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// Variables that a container still has would otherwise open a server to everybody in its place.
#[test]
fn a_file_that_was_named_and_is_missing_is_never_replaced_by_variables() {
    let folder = std::env::temp_dir().join(format!("pluvio-named-{}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("secret"), "x").unwrap();
    for command in [&["run"][..], &["check"], &[]] {
        for is_option in [true, false] {
            let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
            match is_option {
                true => pluvio.args(["--config", "late.toml"]),
                false => pluvio.env("PLUVIO_CONFIG", "late.toml"),
            };
            pluvio.args(command).current_dir(&folder);
            pluvio.env("VCENTER_URL", "https://127.0.0.1:9").env("VCENTER_SECRET_PATH", "secret");
            let output = pluvio.env("PORT", "0").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{command:?}: {said}");
            assert!(said.contains("late.toml"), "{command:?}: {said}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}
