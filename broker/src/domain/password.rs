//! Stored passwords: making and checking them. Knows no user and keeps no password.
//!
//! New passwords become Argon2id PHC strings. The reference's form, taken on import and
//! made when the node is told so, is
//!
//! ```text
//! base64( salt: 4 bytes | H(salt ‖ password) )        H: SHA-256, SHA-512 or MD5
//! ```

use argon2::password_hash::phc::{PasswordHash, PasswordHash as Phc};
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::user::{HashAlgorithm, StoredPassword};
use crate::error::Error;

/// Random bytes a new hash needs; the reference's form takes the first four.
pub const SALT_BYTES: usize = 16;

/// Salt of the reference's form, in bytes.
const SALTED_DIGEST_SALT_BYTES: usize = 4;

/// Most memory an imported Argon2 hash may ask for, in KiB: a check must not exhaust the node.
const ARGON2_MEMORY_KIB_MAX: u32 = 64 * 1024;
/// Most passes an imported Argon2 hash may ask for.
const ARGON2_PASSES_MAX: u32 = 10;
/// Most lanes an imported Argon2 hash may ask for.
const ARGON2_LANES_MAX: u32 = 4;

/// Hashes a password. `salt` must be fresh random bytes.
///
/// # Errors
/// `Internal` when the hash function refuses its parameters, which are ours.
pub fn hash(algorithm: HashAlgorithm, password: &str, salt: [u8; SALT_BYTES]) -> Result<StoredPassword, Error> {
    let hash = match algorithm {
        HashAlgorithm::Argon2id => Argon2::default()
            .hash_password_customized(
                password.as_bytes(),
                &salt,
                Some(Algorithm::Argon2id.as_str()),
                Some(Version::default().into()),
                Params::default(),
            )
            .map(|hash: Phc| hash.to_string())
            .map_err(|error| Error::Internal(format!("cannot hash a password: {error}")))?,
        HashAlgorithm::Sha256 | HashAlgorithm::Sha512 | HashAlgorithm::Md5 => {
            let salt = &salt[..SALTED_DIGEST_SALT_BYTES];
            let mut bytes = salt.to_vec();
            bytes.extend(salted_digest(algorithm, salt, password));
            STANDARD.encode(bytes)
        }
    };
    Ok(StoredPassword { algorithm, hash })
}

/// Whether `password` is the stored one. An empty password never is: the reference
/// refuses blank logins even when a blank password was set.
#[must_use]
pub fn verify(stored: &StoredPassword, password: &str) -> bool {
    if password.is_empty() {
        return false;
    }
    match stored.algorithm {
        HashAlgorithm::Argon2id => bounded_argon2(&stored.hash)
            .is_some_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
        HashAlgorithm::Sha256 | HashAlgorithm::Sha512 | HashAlgorithm::Md5 => {
            let Ok(bytes) = STANDARD.decode(&stored.hash) else { return false };
            let Some((salt, digest)) = bytes.split_at_checked(SALTED_DIGEST_SALT_BYTES) else { return false };
            salted_digest(stored.algorithm, salt, password).ct_eq(digest).into()
        }
    }
}

/// Whether checking a password against this hash is expensive on purpose.
#[must_use]
pub fn is_slow(algorithm: HashAlgorithm) -> bool {
    algorithm == HashAlgorithm::Argon2id
}

/// A hash made elsewhere must at least have the form of its algorithm. The reference
/// takes any base64, whatever its length; one that is too short verifies nothing.
///
/// # Errors
/// [`Error::InvalidValue`].
pub fn check_hash(stored: &StoredPassword) -> Result<(), Error> {
    let fits = match stored.algorithm {
        HashAlgorithm::Argon2id => bounded_argon2(&stored.hash).is_some(),
        HashAlgorithm::Sha256 | HashAlgorithm::Sha512 | HashAlgorithm::Md5 => STANDARD.decode(&stored.hash).is_ok(),
    };
    if fits {
        return Ok(());
    }
    Err(Error::InvalidValue(match stored.algorithm {
        HashAlgorithm::Argon2id => format!(
            "password hash is no argon2id PHC string within m={ARGON2_MEMORY_KIB_MAX}, t={ARGON2_PASSES_MAX}, p={ARGON2_LANES_MAX}"
        ),
        _ => format!("not_base64: {}", stored.hash),
    }))
}

fn bounded_argon2(hash: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(hash).ok()?;
    if hash.algorithm.as_str() != Algorithm::Argon2id.as_str() {
        return None;
    }
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= ARGON2_MEMORY_KIB_MAX
        && params.t_cost() <= ARGON2_PASSES_MAX
        && params.p_cost() <= ARGON2_LANES_MAX;
    bounded.then_some(hash)
}

fn salted_digest(algorithm: HashAlgorithm, salt: &[u8], password: &str) -> Vec<u8> {
    fn digest<D: Digest>(salt: &[u8], password: &str) -> Vec<u8> {
        D::new().chain_update(salt).chain_update(password.as_bytes()).finalize().to_vec()
    }
    match algorithm {
        HashAlgorithm::Sha512 => digest::<Sha512>(salt, password),
        HashAlgorithm::Md5 => digest::<Md5>(salt, password),
        HashAlgorithm::Sha256 | HashAlgorithm::Argon2id => digest::<Sha256>(salt, password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(algorithm: HashAlgorithm, hash: &str) -> StoredPassword {
        StoredPassword { algorithm, hash: hash.into() }
    }

    #[test]
    fn hashes_of_the_reference_are_verified() {
        // Recorded from the reference: the password is `secret`, the salt 01 02 03 04.
        for (algorithm, hash) in [
            (HashAlgorithm::Sha256, "AQIDBDB9kM21iEUzN1lZ+6VReCsdNqS0sERdAQTcY6Xs3PMz"),
            (
                HashAlgorithm::Sha512,
                "AQIDBPhTH2L5HGYB1LWOrn+YpvuQmVOXKGqgsuiJRIZTILRoEvblSJo/WAsym3IZTfuaIaK5KR2o5KwFfTv6KsxfMIE=",
            ),
            (HashAlgorithm::Md5, "AQIDBDgk9ci8Lfh6CKE9Y0AUfmU="),
        ] {
            let password = stored(algorithm, hash);
            assert!(check_hash(&password).is_ok());
            assert!(verify(&password, "secret"), "{algorithm:?}");
            for wrong in ["Secret", "secre", "secret ", ""] {
                assert!(!verify(&password, wrong), "{algorithm:?} {wrong}");
            }
            let mut salt = [9; SALT_BYTES];
            salt[..4].copy_from_slice(&[1, 2, 3, 4]);
            assert_eq!(super::hash(algorithm, "secret", salt), Ok(password));
        }
    }

    #[test]
    fn a_new_password_is_verified_and_looks_like_its_algorithm() {
        for algorithm in HashAlgorithm::ALL {
            let password = hash(algorithm, "Grüße 水", [7; SALT_BYTES]).unwrap();
            assert_eq!(password.algorithm, algorithm);
            assert!(verify(&password, "Grüße 水"));
            assert!(!verify(&password, "Grüße"));
            assert_ne!(password, hash(algorithm, "Grüße 水", [8; SALT_BYTES]).unwrap());
            assert!(check_hash(&password).is_ok());
        }
        let argon2 = hash(HashAlgorithm::Argon2id, "p", [7; SALT_BYTES]).unwrap().hash;
        assert!(argon2.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon2}");
    }

    #[test]
    fn a_blank_password_never_logs_in() {
        for algorithm in HashAlgorithm::ALL {
            assert!(!verify(&hash(algorithm, "", [1; SALT_BYTES]).unwrap(), ""));
        }
    }

    #[test]
    fn hashes_that_are_none_are_refused_and_verify_nothing() {
        for (algorithm, hash, accepted) in [
            (HashAlgorithm::Sha256, "not-base64!", false),
            (HashAlgorithm::Sha256, "AAA=", true),
            (HashAlgorithm::Sha512, "TBybOvomyVw6BqBU/fHCEpVhDO7fLdQ4kxZDUpt6hagCxV8I", true),
            (HashAlgorithm::Argon2id, "AAA=", false),
            (HashAlgorithm::Argon2id, "$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", false),
            (HashAlgorithm::Argon2id, "$argon2id$v=19$m=64,t=99,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", false),
            (HashAlgorithm::Argon2id, "$argon2i$v=19$m=64,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", false),
        ] {
            let password = stored(algorithm, hash);
            assert_eq!(check_hash(&password).is_ok(), accepted, "{hash}");
            assert!(!verify(&password, "p"), "{hash}");
        }
    }
}
