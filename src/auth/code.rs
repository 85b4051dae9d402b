//! One-time codes: 256 bits in a letter, which prove that its reader has the address it went to.
//!
//! A code follows from the number of its letter by the server's key: the task that sends the letter holds the number, the
//! row that the code is checked against its hash, and no table the code. A letter that is sent again has the same one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Stands before the number of a letter, so that nothing else that is signed with the key is a code: a token has no space.
const CONTEXT: &[u8] = b"one-time code ";

/// Characters of a code: 256 bits in base64url.
pub const LENGTH: usize = 43;

/// Makes codes. Cheap to clone.
#[derive(Clone)]
pub struct Codes {
    keyed: Hmac<Sha256>,
}

impl Codes {
    /// With the key of the access tokens.
    pub fn new(secret: &[u8]) -> Self {
        Self { keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// The code of the letter with this number.
    pub fn of(&self, number: &str) -> String {
        let mac = self.keyed.clone().chain_update(CONTEXT).chain_update(number);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// What is stored of it.
    pub fn hash_of(&self, number: &str) -> String {
        hash(&self.of(number))
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
    fn a_code_follows_from_letter_and_key() {
        let (ours, theirs) = (Codes::new(&[1; 32]), Codes::new(&[2; 32]));
        let code = ours.of("7");
        assert_eq!(code, ours.of("7"));
        assert_eq!((code.len(), hash(&code)), (LENGTH, ours.hash_of("7")));
        for other in [ours.of("8"), theirs.of("7")] {
            assert_ne!(code, other);
        }
    }
}
