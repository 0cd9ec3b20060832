//! What a person who edits the file is told.

use super::*;

fn problems(text: &str) -> Vec<String> {
    let document = Document::new("pluvio.toml", text);
    let mut configuration = match parse(&document) {
        Ok(configuration) => configuration,
        Err(problems) => return problems.iter().map(ToString::to_string).collect(),
    };
    let mut problems = configuration.sources().err().unwrap_or_default();
    problems.extend(configuration.sinks().err().unwrap_or_default());
    problems.extend(configuration.access().err().unwrap_or_default());
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
                url = 7\nusername = \"u\"\nbegin = \"10\"\n[sinks.x]\n[listeners.web]\ntype = \"htp\"\n";
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
    assert_eq!(problems.len(), 6, "{problems:#?}");
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
                token = \"t\"\n[principals.c]\ntoken = \"t\"\n[principals.d]\nverbs = []\n";
    let problems = problems(text);
    let begins = [
        "pluvio.toml:3:10: `filter`: ",
        "pluvio.toml:7:9: `token`: the token is also that \
                  of principal `b`",
        "pluvio.toml:9:9: `verbs`: ",
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
        "pluvio.toml:6:8: `from`: `yesterday` is no place; write \"earliest\"",
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
    assert!(found[0].ends_with("as [sinks.a] does"), "{found:?}");
    let all = format!(
        "[sinks.a]\n{file}stream = \"events.dead\"\nfilter = 'pluviosink == \"x\"'\nfrom = \"44\"\n\
         batch_events = 5\nbatch_size = \"1 MiB\"\nbatch_age = \"1s\"\n[sinks.o]\ntype = \"stdout\"\n"
    );
    assert_eq!(problems(&all), [""; 0]);
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
    assert_eq!(problems, ["pluvio.toml:5:10: `listen` is 127.0.0.1:9, as in [listeners.http]"]);
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
