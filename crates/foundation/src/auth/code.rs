//! One-time codes: 256 bits in an e-mail, which prove that its reader has the address it went to.
//!
//! A code follows from the number of its e-mail by the server's key: the task that sends the e-mail holds the number, the
//! row that the code is checked against its hash, and no table the code. An e-mail that is sent again has the same one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::auth::token::key_id;

/// Stands before the number of an e-mail, so that nothing else that is signed with the key is a code: a token has no space.
const CONTEXT: &[u8] = b"one-time code ";

/// Characters of a code: 256 bits in base64url.
pub const LENGTH: usize = 43;

/// Makes codes. Cheap to clone.
#[derive(Clone)]
pub struct Codes {
    makes: Key,
    /// Of e-mails that were made before another key, or by a server that has it already.
    others: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    keyed: Hmac<Sha256>,
}

impl Key {
    fn new(secret: &str) -> Self {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        Self { id: key_id(secret), keyed }
    }
}

impl Codes {
    /// With the keys of the access tokens: the first makes new ones.
    pub fn new(makes: &str, others: &[String]) -> Self {
        Self { makes: Key::new(makes), others: others.iter().map(|secret| Key::new(secret)).collect() }
    }

    /// The key of codes that are new.
    pub fn key(&self) -> &str {
        &self.makes.id
    }

    /// The code of the e-mail with this number; none if its key is not known here.
    pub fn of(&self, key: &str, number: &str) -> Option<String> {
        let key = std::iter::once(&self.makes).chain(&self.others).find(|known| known.id == key)?;
        let mac = key.keyed.clone().chain_update(CONTEXT).chain_update(number);
        Some(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

/// What is stored of a code: SHA-256, because 256 bits that nobody knows cannot be guessed.
pub fn hash(code: &str) -> String {
    Sha256::digest(code.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_follows_from_number_and_key() {
        let (ours, theirs) = (Codes::new("ours", &[]), Codes::new("theirs", &["ours".to_owned()]));
        let code = ours.of(ours.key(), "7");
        assert_eq!(code, ours.of(ours.key(), "7"));
        assert_eq!(code.as_ref().map(String::len), Some(LENGTH));
        for other in [ours.of(ours.key(), "8"), theirs.of(theirs.key(), "7")] {
            assert_ne!(code, other);
        }
        assert_eq!(theirs.of(ours.key(), "7"), code, "an e-mail of before another key");
        assert_eq!(ours.of(theirs.key(), "7"), None);
    }
}
