//! Secrets at rest: what must be used again, so that a hash is not enough, is encrypted with a key that follows from the
//! server's secret key. Whoever reads the database, or a backup of it, has no use for it.
//!
//! AES-256-GCM with random nonces; the key is derived with HKDF-SHA256, so that the keys of tokens are not used for
//! anything else. The id of the key stands before the ciphertext: several keys open, the first one seals.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

use crate::auth::token::key_id;
use crate::declared;

/// The prefix of a sealed text, with the version of the format.
const PREFIX: &str = "sealed:1:";

/// The purpose of the derived keys (the `info` of HKDF).
fn purpose() -> String {
    format!("{}: secrets at rest", declared::name())
}

/// A text as the database has it: sealed, or in plain if an earlier release has written it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// The text in the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Sealed {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// Seals and opens texts. Cheap to clone.
#[derive(Clone)]
pub struct Seals {
    /// The first one seals.
    keys: Arc<[Key]>,
}

struct Key {
    id: String,
    cipher: LessSafeKey,
}

impl Key {
    fn new(secret: &str) -> Self {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(secret.as_bytes());
        let purpose = purpose();
        let info = [purpose.as_bytes()];
        let derived = extracted.expand(&info, &AES_256_GCM).expect("HKDF gives keys of this length");
        Self { id: key_id(secret), cipher: LessSafeKey::new(UnboundKey::from(derived)) }
    }
}

impl Seals {
    /// With the keys of the access tokens: the first seals, all open.
    pub fn new(seals: &str, others: &[String]) -> Self {
        let secrets = std::iter::once(seals).chain(others.iter().map(String::as_str));
        Self { keys: secrets.map(Key::new).collect() }
    }

    /// Encrypts a text.
    pub fn seal(&self, text: &str) -> Sealed {
        let (key, nonce) = (&self.keys[0], rand::random::<[u8; NONCE_LEN]>());
        let mut bytes = text.as_bytes().to_vec();
        let sealed = key.cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes);
        sealed.expect("a text is shorter than what the cipher takes");
        let bytes = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat());
        Sealed(format!("{PREFIX}{}:{bytes}", key.id))
    }

    /// The text itself. Returns `None` if its key is not known here, or if somebody has changed it.
    pub fn open(&self, sealed: &Sealed) -> Option<String> {
        let Some(rest) = sealed.0.strip_prefix(PREFIX) else { return Some(sealed.0.clone()) };
        let (id, bytes) = rest.split_once(':')?;
        let mut bytes = URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let (nonce, ciphertext) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let text = key.cipher.open_in_place(nonce, Aad::empty(), ciphertext).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Returns whether a text is sealed with the present key.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        let id = sealed.0.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).map(|(id, _)| id);
        id == Some(self.keys[0].id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_key_opens_and_the_first_one_seals() {
        let (old, new) = (Seals::new("old", &[]), Seals::new("new", &["old".to_owned()]));
        let sealed = old.seal("whsec_abc");
        assert!(!sealed.as_str().contains("abc") && !format!("{sealed:?}").contains("sealed:1"));
        assert_ne!(sealed, old.seal("whsec_abc"), "two of one text are not alike");
        assert_eq!(old.open(&sealed).as_deref(), Some("whsec_abc"));
        assert_eq!(new.open(&sealed).as_deref(), Some("whsec_abc"), "a key of before");
        assert!(old.is_current(&sealed) && !new.is_current(&sealed));
        assert_eq!(old.open(&new.seal("whsec_abc")), None, "a key that is not known");
    }

    #[test]
    fn plain_text_of_an_earlier_release_is_read_and_is_not_current() {
        let (seals, plain) = (Seals::new("key", &[]), Sealed::from("whsec_abc".to_owned()));
        assert_eq!(seals.open(&plain).as_deref(), Some("whsec_abc"));
        assert!(!seals.is_current(&plain));
    }

    #[test]
    fn changed_ciphertext_is_not_opened() {
        let seals = Seals::new("key", &[]);
        let sealed = seals.seal("whsec_abc").as_str().to_owned();
        let (head, bytes) = sealed.rsplit_once(':').expect("three colons");
        let mut changed = URL_SAFE_NO_PAD.decode(bytes).expect("base64");
        changed[NONCE_LEN] ^= 1;
        for text in [format!("{head}:{}", URL_SAFE_NO_PAD.encode(changed)), format!("{head}:AAAA"), PREFIX.into()] {
            assert_eq!(seals.open(&Sealed::from(text)), None);
        }
    }
}
