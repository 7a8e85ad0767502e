//! Encrypted configuration values: a key from a passphrase, the term under that key.
//!
//! ```text
//! base64( salt (16) | initialisation vector (16) | AES-CBC(term, padded to 16) )
//! key = PBKDF2-HMAC(hash, passphrase, salt, iterations)
//! ```

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::etf;
use crate::term::Term;

/// Names of the ciphers.
pub const CIPHERS: [&str; 3] = ["aes_128_cbc", "aes_192_cbc", "aes_256_cbc"];

/// Names of the hashes.
pub const HASHES: [&str; 4] = ["sha224", "sha256", "sha384", "sha512"];

/// Most rounds of key derivation.
pub const ITERATIONS_MAX: i64 = 10_000_000;

const SALT_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;

/// How a value is encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Scheme<'a> {
    /// One of [`CIPHERS`].
    pub cipher: &'a str,
    /// One of [`HASHES`].
    pub hash: &'a str,
    /// Rounds of key derivation.
    pub iterations: u32,
}

impl Default for Scheme<'_> {
    fn default() -> Self {
        Self { cipher: "aes_256_cbc", hash: "sha512", iterations: 1000 }
    }
}

impl Scheme<'_> {
    fn key(&self, passphrase: &str, salt: &[u8]) -> Option<Vec<u8>> {
        let mut key = vec![
            0_u8;
            match self.cipher {
                "aes_128_cbc" => 16,
                "aes_192_cbc" => 24,
                "aes_256_cbc" => 32,
                _ => return None,
            }
        ];
        let secret = passphrase.as_bytes();
        match self.hash {
            "sha224" => pbkdf2::pbkdf2_hmac::<sha2::Sha224>(secret, salt, self.iterations, &mut key),
            "sha256" => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret, salt, self.iterations, &mut key),
            "sha384" => pbkdf2::pbkdf2_hmac::<sha2::Sha384>(secret, salt, self.iterations, &mut key),
            "sha512" => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(secret, salt, self.iterations, &mut key),
            _ => return None,
        }
        Some(key)
    }

    /// The encrypted form of a term; `None` when the system gives no random bytes.
    pub fn encrypt(&self, term: &Term, passphrase: &str) -> Option<String> {
        let mut head = [0_u8; SALT_BYTES + BLOCK_BYTES];
        getrandom::fill(&mut head).ok()?;
        let (salt, vector) = head.split_at(SALT_BYTES);
        let key = self.key(passphrase, salt)?;
        let clear = etf::encode(term);
        let sealed = match key.len() {
            16 => {
                cbc::Encryptor::<aes::Aes128>::new_from_slices(&key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(&clear)
            }
            24 => {
                cbc::Encryptor::<aes::Aes192>::new_from_slices(&key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(&clear)
            }
            _ => cbc::Encryptor::<aes::Aes256>::new_from_slices(&key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(&clear),
        };
        Some(STANDARD.encode([&head[..], &sealed].concat()))
    }

    /// The term of an encrypted form; `None` when the passphrase or the scheme is another.
    pub fn decrypt(&self, text: &str, passphrase: &str) -> Option<Term> {
        let bytes = STANDARD.decode(text).ok()?;
        let (salt, rest) = bytes.split_at_checked(SALT_BYTES)?;
        let (vector, sealed) = rest.split_at_checked(BLOCK_BYTES)?;
        let key = self.key(passphrase, salt)?;
        let clear = match key.len() {
            16 => {
                cbc::Decryptor::<aes::Aes128>::new_from_slices(&key, vector).ok()?.decrypt_padded_vec::<Pkcs7>(sealed)
            }
            24 => {
                cbc::Decryptor::<aes::Aes192>::new_from_slices(&key, vector).ok()?.decrypt_padded_vec::<Pkcs7>(sealed)
            }
            _ => cbc::Decryptor::<aes::Aes256>::new_from_slices(&key, vector).ok()?.decrypt_padded_vec::<Pkcs7>(sealed),
        };
        etf::decode(&clear.ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_reference_is_decrypted() {
        let text = "0AHdwOsLcqFd9OwgNgHlLlYP1w4i14w2Qzhd+6RlAJeVDKTbDcy4jJnUQhMJJfnt";
        assert_eq!(Scheme::default().decrypt(text, "wrong"), None);
        let sealed = "nuNhOMN/hP23X6SxPRjaRCc89tUn1q6IeOIhdZUZH0p9TZMQHF1gh/NYLXSNV5Sq";
        let scheme = Scheme { iterations: 10, ..Scheme::default() };
        assert_eq!(scheme.decrypt(sealed, "p"), Some(Term::Chars("v w".into())));
    }

    #[test]
    fn every_scheme_reads_what_it_wrote() {
        for cipher in CIPHERS {
            for hash in HASHES {
                let scheme = Scheme { cipher, hash, iterations: 2 };
                let term = Term::text("s3cr3t");
                let sealed = scheme.encrypt(&term, "p").expect("random bytes");
                assert_eq!(scheme.decrypt(&sealed, "p"), Some(term), "{cipher} {hash}");
            }
        }
    }
}
