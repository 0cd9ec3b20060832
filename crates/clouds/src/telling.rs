//! Names that tell of a secret: of fields, options, parameters, headers and cookies, in every cloud's events and
//! answers.
//!
//! It refuses to judge values.

/// A name is secret when it holds one of these, in any case, with `_` and `-` anywhere in it: `api_key`,
/// `Private-Key`.
const SECRET_WORDS: [&str; 17] = [
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
];

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
        words.any(|word| is_at_beginning(&text[*at..], word))
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
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["userName", "", "key", "pass", "-_-", "p_a_s_s", "tok", "sérialisé"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
