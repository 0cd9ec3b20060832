//! The signature as the server recomputes it.
//!
//! Parameters are sorted by their raw names, values are encoded as Java does, the whole is lowered,
//! and HMAC-SHA1 over it is compared. The order of these steps is the protocol: clients that lower
//! first agree only as long as their names are lower case already.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Whether a signature is the one of these parameters under that key.
pub(super) fn verify(pairs: &[(String, String)], secret: &str, signature: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(text_to_sign(pairs).as_bytes());
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    mac.verify_slice(&signature).is_ok()
}

fn text_to_sign(pairs: &[(String, String)]) -> String {
    let signed = pairs.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("signature"));
    let mut signed: Vec<_> = signed.collect();
    signed.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let parts: Vec<_> =
        signed.into_iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    parts.join("&").to_lowercase()
}

/// `URLEncoder` with its plus signs replaced: `*` stays, `~` does not.
fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::verify;

    fn holds(secret: &str, text: &str, signature: &str) -> bool {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        verify(&pairs, secret, signature)
    }

    #[test]
    fn signatures_of_public_clients_hold() {
        let text = "response=json&command=listVirtualMachines&apikey=fnord&signature=any";
        assert!(holds("abracadabra", text, "z/a9Y7J52u48VpqIgiwaGUMCso0="));
        let text = "account=Lorem Ipsum&domainid=42&q=keywords (MissionCriticalCloud)";
        assert!(!holds("abcdefg", text, "z/a9Y7J52u48VpqIgiwaGUMCso0="));
    }

    #[test]
    fn values_are_encoded_as_java_does_and_names_are_not() {
        let key = "plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9\
                   EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg";
        let secret = "VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj8\
                      7ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ";
        let text = format!(
            "apikey={key}&command=listVirtualMachines&name=a b*c~d+e/ü[0]&response=json\
             &expires=2026-11-20T12:00:00+0000&signatureversion=3"
        );
        assert!(holds(secret, &text, "tLpkFOjTaKeHy0YNTYZ4FQjBeWU="));
    }
}
