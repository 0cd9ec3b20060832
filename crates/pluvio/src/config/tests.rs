//! What a person who edits the file is told.

use super::*;

fn problems(text: &str) -> Vec<String> {
    let document = Document::new("pluvio.toml", text);
    let mut configuration = match parse(&document) {
        Ok(configuration) => configuration,
        Err(problems) => return problems.iter().map(ToString::to_string).collect(),
    };
    let problems = configuration.resolve().err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

const VCENTER: &str = "[sources.vc]\ntype = \"vsphere\"\nurl = \"https://vc\"\nusername = \"u\"\n\
                       password = \"p\"\ntls.insecure = true\n";

#[test]
fn a_right_file_has_no_problems() {
    assert_eq!(problems(VCENTER), [""; 0]);
    assert_eq!(problems(""), [""; 0]);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text = "[log]\nretention_agee = \"30d\"\n[sources.vc]\ntype = \"vsphere\"\n\
                url = 7\nusername = \"u\"\nbegin = \"10\"\n[sinks.x]\n[listeners.web]\ntype = \"htp\"\n\
                [kafka]\n";
    let problems = problems(text);
    let has = |beginning: &str, part: &str| {
        let found = problems.iter().any(|p| p.starts_with(beginning) && p.contains(part));
        assert!(found, "{beginning} {part} in {problems:#?}");
    };
    has("pluvio.toml:2:1:", "unknown key `retention_agee` in [log]; did you mean `retention_age`?");
    has("pluvio.toml:5:7:", "`url` must be a string, not a whole number");
    has("pluvio.toml:3:1:", "[sources.vc] lacks the key `password`");
    has("pluvio.toml:7:9:", "`10` is no duration");
    has("pluvio.toml:8:1:", "[sinks.x] lacks the key `type`; valid: stdout, file");
    has("pluvio.toml:10:8:", "unknown type \"htp\" in [listeners.web]; did you mean \"http\"?");
    has("pluvio.toml:11:2:", "unknown key `kafka` in the file; valid: listeners, log, ");
    assert_eq!(problems.len(), 7, "{problems:#?}");
}

#[test]
fn syntax_is_told_with_its_place() {
    let problems = problems("[log\n");
    assert!(problems[0].starts_with("pluvio.toml:1:"), "{problems:?}");
}

#[test]
fn a_missing_secret_file_is_told_before_anything_connects_and_with_all_else() {
    let text = VCENTER.replace("\"p\"", "{ file = \"no/such/file\" }");
    let problems = problems(&format!("{text}begin = 5\n"));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("pluvio.toml:5:12: `password`: "), "{problems:?}");
    assert!(problems[0].contains("no/such/file"), "{problems:?}");
}

#[test]
fn one_cloud_under_two_names_is_refused() {
    let again = VCENTER.replace("sources.vc", "sources.again").replace("https://vc", "vc/sdk");
    let problems = problems(&format!("{VCENTER}{again}"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("like [sources.vc]"), "{problems:?}");
}

#[test]
fn principals_that_cannot_be_are_all_told_with_their_places() {
    let text = "[principals.a]\ntoken = \"t\"\nfilter = 'account =='\n[principals.b]\n\
                token = \"t\"\n[principals.c]\ntoken = \"t\"\n[principals.d]\nverbs = []\n\
                [principals.e]\ntoken = \"u\"\nstreams = [\"ev*ts\"]\n";
    let problems = problems(text);
    let begins = [
        "pluvio.toml:3:10: `filter`: ",
        "pluvio.toml:7:9: `token`: the token is also that \
                  of principal `b`",
        "pluvio.toml:9:9: `verbs`: ",
        "pluvio.toml:12:11: `streams`: `ev*ts`: `*` stands only at the end",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, beginning) in problems.iter().zip(begins) {
        assert!(problem.starts_with(beginning), "{problem}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_sink_is_told_at_once_with_its_place() {
    let text = "[sinks.a]\ntype = \"file\"\npath = \"a.ndjson\"\nfinished = \"{date}\"\n\
                filter = 'type =='\nfrom = \"yesterday\"\nbatch_size = \"1 GiB\"\n\
                stream = \"__cursors\"\n";
    let problems = problems(text);
    let begins = [
        "pluvio.toml:8:10: `stream`: stream `__cursors` is the log's own",
        "pluvio.toml:5:10: `filter`: ",
        "pluvio.toml:6:8: `from`: `yesterday` is not valid; write \"earliest\"",
        "pluvio.toml:7:14: `batch_size`: 1 GiB is not between",
        "pluvio.toml:4:12: `finished` is no name for files: neither {first} nor {last}",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, beginning) in problems.iter().zip(begins) {
        assert!(problem.starts_with(beginning), "{problem}");
    }
}

#[test]
fn a_sinks_keys_are_known_and_two_sinks_do_not_share_a_file() {
    let file = "type = \"file\"\npath = \"a.ndjson\"\n";
    let found = problems(&format!("[sinks.a]\n{file}batch_event = 5\n"));
    assert!(found[0].contains("unknown key `batch_event` in [sinks.a]; did you mean"), "{found:?}");
    let found = problems(&format!("[sinks.a]\n{file}[sinks.b]\n{file}"));
    assert!(found[0].starts_with("pluvio.toml:6:8: writes to "), "{found:?}");
    assert!(found[0].contains("as [sinks.a] does"), "{found:?}");
    let found = problems(&format!(
        "[sinks.a]\n{file}[sinks.b]\ntype = \"file\"\npath = \"./x/../a.ndjson\"\n"
    ));
    assert!(found.len() == 1 && found[0].contains("as [sinks.a] does"), "{found:?}");
    let all = format!(
        "[sinks.a]\n{file}stream = \"events.dead\"\nfilter = 'pluviosink == \"x\"'\nfrom = \"44\"\n\
         batch_events = 5\nbatch_size = \"1 MiB\"\nbatch_age = \"1s\"\n[sinks.o]\ntype = \"stdout\"\n"
    );
    assert_eq!(problems(&all), [""; 0]);
}

#[test]
fn what_stands_before_an_at_sign_in_an_address_is_never_told() {
    let sections = [
        "[sinks.a]\ntype = \"kafka\"\ntopic = \"t\"\nbrokers = [\"%\"]\n",
        "[sinks.a]\ntype = \"webhook\"\nurl = \"%\"\n",
        "[listeners.http]\nlisten = \"%\"\n",
        "[listeners.http]\nlisten = \"127.0.0.1:0\"\nhosts = [\"%\"]\n",
        "[listeners.http]\nlisten = \"127.0.0.1:0\"\ncors_origins = [\"%\"]\n",
        "[listeners.kafka]\nlisten = \"127.0.0.1:0\"\nadvertised = \"%\"\n",
    ];
    for section in sections {
        for address in ["u:hunter2@h", "kafka://u:hunter2@h:9092", "https://u:hunter2@h:99999/"] {
            let found = problems(&section.replace('%', address));
            assert_eq!(found.len(), 1, "{section} {address}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }
}

#[test]
fn two_sinks_do_not_take_the_connection_from_each_other() {
    let sink = |name: &str, more: &str| {
        format!("[sinks.{name}]\ntype = \"mqtt\"\nurl = \"mqtt://b\"\ntopic = \"t\"\n{more}")
    };
    let id = "client_id = \"x\"\n";
    let found = problems(&(sink("a", id) + &sink("b", id)));
    let told = "pluvio.toml:6:1: writes to `b:1883` as the client `x`, as [sinks.a] does";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
    assert_eq!(problems(&(sink("a", "") + &sink("b", id) + &sink("c", ""))), [""; 0]);
}

#[test]
fn a_source_does_not_write_to_where_dead_letters_lie() {
    let found = problems(&(VCENTER.to_owned() + "stream = \"events.dead\"\n"));
    assert!(
        found.len() == 1 && found[0].contains("write a name that does not end in"),
        "{found:?}"
    );
}

#[test]
fn two_files_that_are_finished_in_one_folder_never_get_one_name() {
    let sink = |name: &str, path: &str, more: &str| {
        format!("[sinks.{name}]\ntype = \"file\"\npath = \"{path}\"\n{more}")
    };
    let (by_stream, by_sink) =
        ("finished = \"{stream}-{first}\"\n", "finished = \"{sink}-{first}\"\n");
    let right = [
        ("", ""),
        (by_stream, by_sink),
        (by_stream, "finished = \"{stream}-{first}\"\nstream = \"events.dead\"\n"),
        (by_stream, "finished = \"{stream}-{first}\"\ncompression = \"gzip\"\n"),
    ];
    for (one, other) in right {
        let text = sink("a", "a.ndjson", one) + &sink("b", "b.ndjson", other);
        assert_eq!(problems(&text), [""; 0], "{text}");
    }
    let text = sink("a", "x/a.ndjson", by_stream) + &sink("b", "y/b.ndjson", by_stream);
    assert_eq!(problems(&text), [""; 0], "{text}");

    let text = sink("a", "a.ndjson", by_stream) + &sink("b", "./b.ndjson", by_stream);
    let found = problems(&text);
    let told = "pluvio.toml:8:12: finished files can have the names of those of [sinks.a], such as \
                `events-00000000000000000000`; write {sink} into `finished`, or";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");

    let own = sink("a", "events-00000000000000000044", by_stream);
    let found = problems(&own);
    let told = "pluvio.toml:3:8: `path` can be the name of a finished file";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
    let text = sink("b", "b.ndjson", by_stream) + &sink("a", "events-00000000000000000044", "");
    let found = problems(&text);
    let told = "pluvio.toml:7:8: a finished file can have the name of the file that grows";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
}

#[test]
fn two_sinks_of_one_bucket_whose_objects_can_have_the_same_keys_are_refused() {
    let sink = |name: &str, keys: &str| {
        format!(
            "[sinks.{name}]\ntype = \"s3\"\nbucket = \"sky\"\naccess_key = \"a\"\n\
             secret_key = \"b\"\n{keys}"
        )
    };
    let name = "{first}-{last}-{log}.ndjson";
    let all = format!("name = \"tenants/{{stream}}/{name}\"\n");
    let below = format!("prefix = \"tenants/\"\nname = \"{{stream}}/{name}\"\n");
    let spelled = format!("prefix = \"tenants/events/\"\nname = \"{name}\"\n");
    let by_sink = format!("name = \"{{sink}}/{name}\"\n");
    let right = [
        (all.clone(), format!("{below}stream = \"events.dead\"\n")),
        (all.clone(), format!("{below}compression = \"gzip\"\n")),
        (all.clone(), format!("{below}endpoint = \"https://minio.example.org\"\n")),
        (all.clone(), below.replace("{stream}/", "{stream}/{sink}")),
        (String::new(), "prefix = \"tenants/\"\n".to_owned()),
        (String::new(), "stream = \"events.dead\"\n".to_owned()),
        (String::new(), "compression = \"gzip\"\n".to_owned()),
        (by_sink.clone(), by_sink),
    ];
    for (one, other) in right {
        let text = sink("a", &one) + &sink("b", &other);
        assert_eq!(problems(&text), [""; 0], "{text}");
    }
    for other in [&below, &spelled, &format!("{below}path_style = true\n")] {
        let text = sink("a", &all) + &sink("b", other);
        let found = problems(&text);
        let told = "objects can have the keys of those of [sinks.a], such as \
                    `tenants/events/00000000000000000000-00000000000000000000-00000000.ndjson`";
        assert!(found.len() == 1 && found[0].starts_with("pluvio.toml:13:8: "), "{found:?}");
        assert!(found[0].contains(told), "{found:?}");
    }

    let found = problems(&(sink("a", "") + &sink("b", "")));
    assert!(found.len() == 1 && found[0].contains("write {sink} into `name` of both"), "{found:?}");
    // A name that is taken gets a number.
    let last = "name = \"{first}-{last}-{log}-{sink}.ndjson\"\n";
    let found = problems(&(sink("a", last) + &sink("a-2", last)));
    assert!(found.len() == 1 && found[0].contains("-00000000-a-2.ndjson`"), "{found:?}");
    // Where both keep their place.
    let found = problems(&(sink("a", "stream = \"b-c\"\n") + &sink("a-b", "stream = \"c\"\n")));
    let told = format!("the object `.pluvio/a-b-c-{}.json`, which keeps the place", "0".repeat(32));
    assert!(found.len() == 1 && found[0].contains(&told), "{found:?}");
    // Where the other one keeps its place.
    let zeros = "0".repeat(20);
    let name = "name = \"tenants/.pluvio/{first}-c-{log}{last}1234.json\"\n";
    let other = "prefix = \"tenants/\"\nstream = \"c\"\n";
    let found = problems(&(sink("a", name) + &sink(&zeros, other)));
    let told =
        format!("the object `tenants/.pluvio/{zeros}-c-{}.json`, which keeps", "0".repeat(32));
    assert!(found.len() == 1 && found[0].contains(&told), "{found:?}");
}

/// Names that TOML can quote and that read like something else.
const ODD_NAMES: [&str; 9] =
    ["billing [prod]", "a]", "[a", "a.b", "x].y", "\u{e4}rger", "a\"b", "a b", "'"];

#[test]
fn a_principal_with_any_name_that_toml_can_quote_is_kept_and_the_server_stays_closed() {
    for name in ODD_NAMES {
        let text = format!("[principals.{name:?}]\ntoken = \"t-0ken\"\n");
        let configuration = parse(&Document::new("pluvio.toml", text));
        let configuration = configuration.unwrap_or_else(|p| unreachable!("{name}: {p:#?}"));
        let access =
            configuration.principals().table().unwrap_or_else(|p| unreachable!("{name}: {p:#?}"));
        assert!(access.demands_authentication(), "{name}");
        let known = access.authenticate(pluvio_runtime::Credential::Bearer("t-0ken"));
        assert_eq!(known.map(|principal| principal.name.clone()), Ok(name.to_owned()));
    }
}

#[test]
fn a_section_with_any_name_is_kept_or_refused_and_never_left_out() {
    let mut seed = 0x5eed_u64;
    let alphabet: Vec<char> = "a.]['\"\\ \t\u{1}#=\u{e4}-_:\u{202e}".chars().collect();
    for _ in 0..2000 {
        let mut name = String::new();
        loop {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match usize::try_from(seed >> 33).unwrap_or_default() % (alphabet.len() + 3) {
                at if at < alphabet.len() => name.push(alphabet[at]),
                _ => break,
            }
        }
        let key = toml::Value::String(name.clone()).to_string();
        let sections = [
            format!("[principals.{key}]\ntoken = \"t\"\n"),
            format!("[sinks.{key}]\ntype = \"stdout\"\n"),
            format!("[listeners.{key}]\ntype = \"http\"\n"),
            VCENTER.replace("[sources.vc]", &format!("[sources.{key}]")),
        ];
        for text in sections {
            if let Ok(read) = parse(&Document::new("pluvio.toml", text.clone())) {
                let kept = read.principals.len()
                    + read.sinks.len()
                    + read.listeners.len()
                    + read.sources.len();
                assert_eq!(kept, 1, "{text}");
            }
        }
    }
}

#[test]
fn principals_that_name_nobody_are_an_error_and_not_an_open_server() {
    let found = problems("[principals]\n");
    assert!(found[0].contains("[principals] names nobody"), "{found:?}");
    assert!(problems("principals = {}\n")[0].contains("names nobody"));
    assert!(problems("[principals.\"\"]\ntoken = \"t\"\n")[0].contains("is empty"));
}

#[test]
fn a_header_is_told_as_toml_writes_it() {
    let found = problems("[sinks.\"a [b]\"]\ntype = \"stdot\"\n");
    assert!(found[0].contains("in [sinks.\"a [b]\"]; did you mean \"stdout\"?"), "{found:?}");
}

#[test]
fn secrets_that_others_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("pluvio-exposed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| unreachable!("{e}"));
    let (path, secret) = (folder.join("pluvio.toml"), folder.join("token"));
    let write = |path: &std::path::Path, text: &str, mode| {
        std::fs::write(path, text).unwrap_or_else(|e| unreachable!("{e}"));
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).unwrap_or_else(|e| unreachable!("{e}"));
    };
    let warnings = |text: &str, mode, of_secret| {
        write(&secret, "t", of_secret);
        write(&path, text, mode);
        let read = load(&path).unwrap_or_else(|p| unreachable!("{p:#?}"));
        read.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let literal = "[principals.a]\ntoken = \"t\"\n";
    let by_file =
        format!("[principals.a]\ntoken = {{ file = {:?} }}\n", secret.display().to_string());
    let found = warnings(literal, 0o644, 0o600);
    assert!(found.len() == 1 && found[0].contains("pluvio.toml:2:9: the secret here"), "{found:?}");
    assert_eq!(warnings(literal, 0o640, 0o644), [""; 0]);
    assert_eq!(warnings(&by_file, 0o644, 0o640), [""; 0]);
    let found = warnings(&by_file, 0o644, 0o644);
    assert!(found.len() == 1 && found[0].contains("/token` can be read by everybody"), "{found:?}");
    let _best_effort = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_limit_that_no_event_could_keep_is_refused() {
    assert!(problems("[log]\nrecord_max = \"0 B\"\n")[0].contains("not between 64 KiB and 16 MiB"));
}

#[test]
fn a_secret_is_never_shown() {
    let text = VCENTER.replace("\"p\"", "{ file = 1, hunter2 = \"hunter2\" }").replace("url", "ur");
    let problems = problems(&text);
    assert!(!problems.is_empty() && !problems.iter().any(|p| p.contains("\"hunter2\"")));
}

#[test]
fn an_address_that_two_listeners_want_is_told_with_both() {
    let text = "[listeners.http]\nlisten = \"127.0.0.1:9\"\n[listeners.b]\ntype = \"http\"\n\
                listen = \"127.0.0.1:9\"\n";
    let problems = problems(text);
    assert_eq!(
        problems,
        ["pluvio.toml:5:10: `listen` is 127.0.0.1:9, as in [listeners.http]; give each a \
                         port of its own"]
    );
}

#[test]
fn listeners_that_could_not_be_started_are_all_told_before_anything_is_bound() {
    let text = "[listeners.a]\ntype = \"http\"\nlisten = \"0.0.0.0:1\"\n\
                [listeners.b]\ntype = \"http\"\nlisten = \"127.0.0.1:2\"\nhosts = [\"*\"]\n\
                [listeners.c]\ntype = \"http\"\nlisten = \"127.0.0.1:3\"\nheartbeat = \"5ms\"\n\
                [listeners.d]\ntype = \"kafka\"\nlisten = \"127.0.0.1:4\"\nadvertised = \"x\"\n\
                [listeners.e]\ntype = \"kafka\"\nlisten = \"127.0.0.1:5\"\n\
                tls = { cert_file = \"no.pem\", key_file = \"no.key\" }\n\
                [listeners.f]\ntype = \"http\"\nlisten = \"127.0.0.1:6\"\ncors_origins = [\"a\"]\n";
    let found = problems(text);
    let begins = [
        "pluvio.toml:3:10: refused to listen on 0.0.0.0:1 beyond loopback without authentication and TLS",
        "pluvio.toml:7:9: `*` is not a host name",
        "pluvio.toml:11:13: heartbeat 5ms is too short",
        "pluvio.toml:15:14: cannot advertise an address: `x` is no host and port",
        "pluvio.toml:19:7: failed to set up TLS on 127.0.0.1:5: failed to read certificates from `no.pem`",
        "pluvio.toml:23:16: `a` is no origin",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (problem, beginning) in found.iter().zip(begins) {
        assert!(problem.starts_with(beginning), "{problem}");
    }
    let closed = format!("[principals.a]\ntoken = \"t\"\n{text}");
    assert!(problems(&closed)[0].contains("beyond loopback without TLS;"));
}

#[test]
fn a_number_that_no_listener_could_use_is_told_with_what_it_could() {
    for (line, told) in [
        ("listen = \"127.0.0.1:99999\"", "`127.0.0.1:99999` is no address with a port"),
        ("watchers_max = 0", "`watchers_max` must be at least 1"),
        ("watchers_per_client_max = 0", "`watchers_per_client_max` must be at least 1"),
        ("connections_max = 0", "`connections_max` must be at least 1"),
        ("connections_max = 18446744073709551615", "must be from 1 to 9223372036854775807"),
    ] {
        let found = problems(&format!("[listeners.http]\n{line}\n"));
        assert!(found.len() == 1 && found[0].contains(told), "{found:?}");
    }
    let found = problems("[sinks.a]\ntype = \"stdout\"\nbatch_events = 18446744073709551615\n");
    assert_eq!(found, ["pluvio.toml:3:16: `batch_events` must be from 1 to 100000"]);
}

#[test]
fn two_listeners_that_name_no_address_want_the_same_one() {
    let found = problems("[listeners.a]\ntype = \"http\"\n[listeners.b]\ntype = \"http\"\n");
    assert!(found[0].contains("127.0.0.1:8080, as in [listeners.a]"), "{found:?}");
    let found = problems(
        "[listeners.http]\nlisten = \"127.0.0.1:9\"\n[listeners.kafka]\nlisten = \"0.0.0.0:9\"\n\
         insecure = true\n",
    );
    assert!(found[0].contains("127.0.0.1:9 of [listeners.http] holds it too"), "{found:?}");
}

#[test]
fn a_file_of_events_does_not_lie_in_the_folder_of_the_log() {
    let sink = |path| format!("[sinks.a]\ntype = \"file\"\npath = \"{path}\"\n");
    for path in ["data/a.ndjson", "./data/events/a", "x/../data/a", "data"] {
        let found = problems(&sink(path));
        assert!(
            found.len() == 1 && found[0].contains("the folder of the log"),
            "{path}: {found:?}"
        );
    }
    assert_eq!(problems(&sink("data.ndjson")), [""; 0]);
    assert_eq!(problems(&format!("[log]\ntype = \"memory\"\n{}", sink("data/a"))), [""; 0]);
}

#[test]
fn a_file_by_a_link_is_refused_with_where_it_leads() {
    let folder = std::env::temp_dir().join(format!("pluvio-by-a-link-{}", std::process::id()));
    let _not_there = std::fs::remove_dir_all(&folder);
    let link = folder.join("link.ndjson");
    let made = std::fs::create_dir_all(&folder);
    let made = made.and_then(|()| std::os::unix::fs::symlink("real.ndjson", &link));
    made.unwrap_or_else(|error| unreachable!("{error}"));
    let text = format!("[sinks.a]\ntype = \"file\"\npath = \"{}\"\n", link.display());
    let found = problems(&text);
    assert!(found.len() == 1 && found[0].contains("real.ndjson\"; finished"), "{found:?}");
    let _best_effort = std::fs::remove_dir_all(&folder);
}

#[test]
fn names_that_no_file_system_and_no_bucket_takes_are_refused() {
    let file = |key: &str, value: &str| {
        let path = if key == "path" { "" } else { "path = \"a.ndjson\"\n" };
        format!("[sinks.a]\ntype = \"file\"\n{path}{key} = \"{value}\"\n")
    };
    let long = |length| "x".repeat(length);
    let finished = |length| file("finished", &format!("{}{{first}}", long(length)));
    assert_eq!(problems(&finished(230)), [""; 0]);
    let found = problems(&finished(240));
    assert!(found.len() == 1 && found[0].contains("`finished` makes names of"), "{found:?}");
    let found = problems(&file("path", &long(250)));
    assert!(found.len() == 1 && found[0].contains("`path` makes names of"), "{found:?}");
    let bucket = |length| {
        let name = format!("{}{{first}}{{last}}{{log}}", long(length));
        format!(
            "[sinks.a]\ntype = \"s3\"\nbucket = \"sky\"\naccess_key = \"a\"\nsecret_key = \"b\"\n\
             name = \"{name}\"\n"
        )
    };
    // With the number that one gets whose name is taken.
    assert_eq!(problems(&bucket(1024 - 48 - "-99".len())), [""; 0]);
    let found = problems(&bucket(1025 - 48 - "-99".len()));
    assert!(found.len() == 1 && found[0].contains("shorten it by 1"), "{found:?}");
}

#[test]
fn a_log_whose_folder_is_none_is_refused() {
    let found = problems("[log]\ndir = \"\"\n");
    assert_eq!(
        found,
        ["pluvio.toml:2:7: `dir` of [log]: names no folder; write for example \"data\""]
    );
    assert!(
        problems("[log]\ndir = \"Cargo.toml/data\"\n")[0].contains("`Cargo.toml` is no folder")
    );
    assert_eq!(problems("[log]\ntype = \"memory\"\ndir = \"\"\n"), [""; 0]);
}

#[test]
fn a_secret_of_another_kind_is_refused_with_the_forms_that_it_may_have() {
    let keys = ["{ env = \"A\", file = \"b\" }", "{ value = \"a\" }", "{ envv = \"A\" }", "{}"];
    let told = keys.map(|keys| problems(&format!("[principals.a]\ntoken = {keys}\n")).join("; "));
    assert!(told[0].contains("and one of them only"), "{told:?}");
    assert!(told[1].contains("unknown key `value` in `token`; valid: env, file"), "{told:?}");
    assert!(told[2].contains("did you mean `env`?"), "{told:?}");
    assert!(told[3].contains("and one of them only"), "{told:?}");
    let forms = "must be a string, { env = \"NAME\" } or { file = \"path\" }, not ";
    for (value, found) in [("7", "a whole number"), ("true", "a boolean"), ("[\"a\"]", "an array")]
    {
        for (key, section) in [
            ("token", "[principals.a]\n".to_owned()),
            ("password", VCENTER.replace("password", "# password")),
        ] {
            let told = problems(&format!("{section}{key} = {value}\n"));
            let expected = format!("`{key}` {forms}{found}");
            assert!(told.iter().any(|problem| problem.ends_with(&expected)), "{key}: {told:?}");
        }
    }
}

#[test]
fn an_empty_secret_is_refused_where_it_stands() {
    let file = std::env::temp_dir().join(format!("pluvio-empty-{}", std::process::id()));
    std::fs::write(&file, "\n").unwrap_or_else(|e| unreachable!("{e}"));
    let by_file = format!("{{ file = {:?} }}", file.display().to_string());
    for secret in ["\"\"", "\"  \"", &by_file] {
        for section in [
            VCENTER.replace("\"p\"", secret),
            format!("[principals.a]\n\n\n\ntoken = {secret}\n"),
            format!("[sinks.a]\ntype = \"webhook\"\nurl = \"http://h/\"\n\nsecret = {secret}\n"),
        ] {
            let found = problems(&section);
            assert!(
                found.len() == 1 && found[0].contains("is empty; write the secret"),
                "{found:?}"
            );
            assert!(found[0].starts_with("pluvio.toml:5:"), "{found:?}");
        }
    }
    let _best_effort = std::fs::remove_file(&file);
}

#[test]
fn a_principal_that_could_read_no_stream_is_told_what_to_write() {
    let found = problems("[principals.a]\ntoken = \"t\"\nstreams = []\n");
    assert!(found.len() == 1 && found[0].contains("write [\"*\"] for all"), "{found:?}");
    for (wrong, told) in [
        ("token = \"t\"\nstreams = [\"\"]", "no stream that can be read"),
        ("token = \"t\"\nstreams = [\"events\", \"__*\"]", "`__*` is no stream"),
        ("token = \"t \"", "holds a blank"),
        ("token = \"größe\"", "beyond ASCII"),
    ] {
        let found = problems(&format!("[principals.a]\n{wrong}\n"));
        assert!(found.iter().any(|problem| problem.contains(told)), "{wrong}: {found:?}");
    }
    let scraper = "[principals.a]\ntoken = \"t\"\nverbs = [\"status\"]\nstreams = []\n";
    assert_eq!(problems(scraper), [""; 0]);
}

#[test]
fn a_credential_that_no_client_could_present_is_refused_without_being_shown() {
    for key in ["token", "password"] {
        for secret in ["hunter2\\u0000", "hunter2\\nhunter3", "\\u0007hunter2"] {
            let found = problems(&format!("[principals.a]\n{key} = \"{secret}\"\n"));
            assert!(found.len() == 1 && found[0].contains("control character"), "{found:?}");
            assert!(!found[0].contains("hunter"), "{found:?}");
        }
    }
}

#[test]
fn a_file_of_events_is_no_folder() {
    let found = problems("[sinks.a]\ntype = \"file\"\npath = \"src\"\n");
    assert!(
        found.len() == 1 && found[0].starts_with("pluvio.toml:3:8: `path` is the folder"),
        "{found:?}"
    );
    let found = problems("[sinks.a]\ntype = \"file\"\npath = \"/dev/null\"\n");
    let told = "pluvio.toml:3:8: `path` is no regular file: `/dev/null`; name a file";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
}

/// What is warned of in a configuration that is right, but for the sources that it lacks.
fn warnings(text: &str) -> Vec<String> {
    let read = parse(&Document::new("pluvio.toml", text));
    let mut read = read.unwrap_or_else(|problems| unreachable!("{problems:#?}"));
    let resolved = read.resolve().err();
    assert!(resolved.is_none(), "{resolved:#?}");
    let mut warnings: Vec<_> = read.warnings.iter().map(ToString::to_string).collect();
    let last = warnings.pop().unwrap_or_default();
    assert!(last.starts_with("[sources.NAME]: there is none"), "{last}");
    warnings
}

#[test]
fn a_principal_that_holds_only_status_and_cannot_have_it_is_told_of() {
    let of = |keys: &str| {
        let token = "0123456789abcdef";
        warnings(&format!("[principals.a]\ntoken = \"{token}\"\nverbs = [\"status\"]\n{keys}\n"))
    };
    for keys in ["streams = [\"events\"]", "filter = 'account == \"a\"'"] {
        let found = of(keys);
        assert!(found.len() == 1 && found[0].contains("principal `a` may do nothing"), "{found:?}");
    }
    for keys in ["", "streams = []", "streams = [\"*\", \"events\"]"] {
        assert_eq!(of(keys), [""; 0]);
    }
}

#[test]
fn a_token_that_could_be_guessed_is_warned_of_without_being_shown() {
    let found = warnings("[principals.a]\ntoken = \"hunter2\"\n");
    assert!(found.len() == 1 && found[0].starts_with("pluvio.toml:2:9: "), "{found:?}");
    assert!(found[0].contains("principal `a`") && !found[0].contains("hunter2"), "{found:?}");
    assert_eq!(warnings("[principals.a]\ntoken = \"0123456789abcdef\"\n"), [""; 0]);
    assert_eq!(warnings("[principals.a]\npassword = \"a-word\"\n"), [""; 0]);
}

#[test]
fn a_time_that_no_event_has_yet_is_warned_of() {
    let sink = |from| format!("[sinks.a]\ntype = \"stdout\"\nfrom = \"{from}\"\n");
    let found = warnings(&sink("9999-01-01T00:00:00Z"));
    assert!(found.len() == 1 && found[0].starts_with("pluvio.toml:3:8: `from` lies "), "{found:?}");
    assert!(found[0].contains("years ahead of this machine's clock"), "{found:?}");
    assert_eq!(warnings(&sink("2020-01-01T00:00:00Z")), [""; 0]);
}

#[test]
fn a_name_that_reads_otherwise_than_it_is_is_refused() {
    for hidden in
        ['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{e0041}', '\u{3164}']
    {
        let number = format!("U+{:04X}", u32::from(hidden));
        for section in [
            format!("[principals.\"ad{hidden}min\"]\ntoken = \"t\"\n"),
            format!("[sinks.\"a{hidden}\"]\ntype = \"stdout\"\n"),
            format!("[listeners.\"{hidden}a\"]\ntype = \"http\"\n"),
            VCENTER.replace("[sources.vc]", &format!("[sources.\"v{hidden}c\"]")),
        ] {
            let found = problems(&section);
            assert!(found.len() == 1 && found[0].contains(&number), "{number}: {found:?}");
        }
    }
    for name in ["\u{e4}rger", "\u{865a}\u{62df}\u{673a}", "\u{5e9}\u{5e8}\u{5ea}", "\u{1f600}"] {
        let text = format!("[principals.\"{name}\"]\ntoken = \"t\"\n");
        assert_eq!(problems(&text), [""; 0], "{name}");
    }
}

#[test]
fn the_printed_default_configuration_is_right_once_its_comments_are_taken_off() {
    let template = template();
    let uncommented: String = template
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
        .filter(|line| !line.contains('…') || line.contains("file ="))
        .filter(|line| !line.starts_with("thumbprint") && !line.starts_with("tls."))
        .map(|line| format!("{line}\n"))
        .collect();
    let found = parse(&Document::new("template", uncommented.clone())).err().unwrap_or_default();
    let is_example =
        |p: &Problem| p.message.contains("lacks the key") || p.message.contains("/run/secrets/…");
    let wrong: Vec<_> = found.iter().filter(|p| !is_example(p)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{uncommented}");
}
