//! Names that tell of a secret: of fields, options, parameters, headers and cookies, in every cloud's events and
//! answers.
//!
//! It refuses to judge values.

/// A name is secret when it holds one of these, in any case, with `_` and `-` anywhere in it: `api_key`,
/// `Private-Key`.
const SECRET_WORDS: [&str; 18] = [
    "accesskey",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "privatekey",
    "credential",
    "apikey",
    "sessionkey",
    "signature",
    "jsessionid",
    "userdata",
    "vendordata",
    "ignition",
    "vnc.key",
    "pwd",
    // Where a machine's options keep its encrypted key.
    "keysafe",
];

/// The same, where a name ends with it: `root_pass`, `rootpw`. Within names they are parts of other words, such as
/// `passthrough`.
const SECRET_ENDS: [&str; 2] = ["pass", "pw"];

/// Honest names that end so.
const HONEST_ENDS: [&str; 2] = ["bypass", "compass"];

/// Whether what bears this name is secret.
pub fn looks_secret(name: &str) -> bool {
    places(name).next().is_some()
}

/// Where in a text words of secret names begin, in their order.
pub(crate) fn places(text: &str) -> impl Iterator<Item = usize> {
    let text = text.as_bytes();
    (0..text.len()).filter(|at| {
        let letter = text[*at].to_ascii_lowercase();
        let mut words = SECRET_WORDS.iter().filter(|word| word.as_bytes()[0] == letter);
        words.any(|word| is_at_beginning(&text[*at..], word)) || ends_a_name(text, *at)
    })
}

/// Whether the end of a name begins there that tells of a secret.
fn ends_a_name(text: &[u8], at: usize) -> bool {
    SECRET_ENDS.iter().any(|word| {
        let (name, rest) = text.split_at((at + word.len()).min(text.len()));
        let ends_with = |end: &str| {
            name.len() >= end.len()
                && name[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
        };
        name.len() == at + word.len()
            && ends_with(word)
            && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
            && !HONEST_ENDS.into_iter().any(ends_with)
    })
}

fn is_at_beginning(name: &[u8], word: &str) -> bool {
    let mut letters = name.iter().filter(|letter| !matches!(letter, b'_' | b'-'));
    word.bytes().all(|wanted| letters.next().is_some_and(|it| it.eq_ignore_ascii_case(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_secret_by_a_word_in_it_however_it_is_written() {
        for name in [
            "password",
            "RemoteDisplay.vnc.PASSWORD",
            "base64Token",
            "guestinfo.api_key",
            "ssh-private-key",
            "pass_phrase",
            "vncPasswordHash",
            "x-session-key",
            "guestinfo.ignition.config.data",
            "RemoteDisplay.vnc.key",
            "root_pwd",
            "a_secret_",
            "pass",
            "guestinfo.root_pass",
            "guestinfo.dbPass",
            "guestinfo.rootpw",
            "encryption.keySafe",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "userName",
            "",
            "key",
            "pas",
            "-_-",
            "p_a_s_s",
            "tok",
            "sérialisé",
            "pciPassthru0.present",
            "passed",
            "net.bypass",
            "pw1",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
