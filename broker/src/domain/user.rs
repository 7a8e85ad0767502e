//! A user, its tags and what each tag allows.

use super::name::UserName;
use crate::error::Error;

/// Most tags a user can have.
pub const TAGS_MAX: usize = 32;

/// How a stored password was hashed. Names are those of the management API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashAlgorithm {
    /// `argon2id`: what new passwords get; the hash is a PHC string.
    #[default]
    Argon2id,
    /// `rabbit_password_hashing_sha256`: base64(salt ‖ H(salt ‖ password)).
    Sha256,
    /// `rabbit_password_hashing_sha512`
    Sha512,
    /// `rabbit_password_hashing_md5`
    Md5,
}

impl HashAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Argon2id, Self::Sha256, Self::Sha512, Self::Md5];

    /// The name the management API and definition files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// A password as stored: never the password itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// How `hash` was made.
    pub algorithm: HashAlgorithm,
    /// Salt and digest, in the form the algorithm prescribes.
    pub hash: String,
}

/// Limits of one user; `None` means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserLimits {
    /// Open AMQP connections.
    pub max_connections: Option<i64>,
    /// Open channels over all connections.
    pub max_channels: Option<i64>,
}

/// An internal user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: UserName,
    /// `None`: password logins are refused.
    pub password: Option<StoredPassword>,
    /// Tags in the order given, duplicates kept as the reference keeps them.
    pub tags: Vec<String>,
    /// Its limits.
    pub limits: UserLimits,
}

/// Refuses more than [`TAGS_MAX`] tags.
///
/// # Errors
/// [`Error::InvalidValue`] in the reference's words.
pub fn check_tags(tags: &[String]) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::InvalidValue(format!("A user can have at most {TAGS_MAX} tags (received {})", tags.len())));
    }
    Ok(())
}

impl User {
    fn tagged(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// Everything over HTTP.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.tagged("administrator")
    }

    /// May see all vhosts, connections and node data.
    #[must_use]
    pub fn is_monitoring(&self) -> bool {
        self.is_administrator() || self.tagged("monitoring")
    }

    /// May manage policies and parameters of own vhosts.
    #[must_use]
    pub fn is_policymaker(&self) -> bool {
        self.is_administrator() || self.tagged("policymaker")
    }

    /// May use the management API at all.
    #[must_use]
    pub fn is_management(&self) -> bool {
        self.is_monitoring() || self.is_policymaker() || self.tagged("management")
    }

    /// May set any `user_id` on a published message.
    #[must_use]
    pub fn is_impersonator(&self) -> bool {
        self.tagged("impersonator")
    }

    /// May not be changed over HTTP.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.tagged("protected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_includes_what_it_should() {
        for (tags, administrator, monitoring, policymaker, management) in [
            (&[][..], false, false, false, false),
            (&["custom", "impersonator"], false, false, false, false),
            (&["management"], false, false, false, true),
            (&["policymaker"], false, false, true, true),
            (&["monitoring"], false, true, false, true),
            (&["x", "administrator"], true, true, true, true),
            (&["Administrator"], false, false, false, false),
        ] {
            let user = User {
                name: UserName::new("u").unwrap(),
                password: None,
                tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
                limits: UserLimits::default(),
            };
            assert_eq!(
                (user.is_administrator(), user.is_monitoring(), user.is_policymaker(), user.is_management()),
                (administrator, monitoring, policymaker, management),
                "{tags:?}"
            );
        }
    }

    #[test]
    fn too_many_tags_are_refused() {
        let tags = |count: usize| vec![String::from("t"); count];
        assert!(check_tags(&tags(TAGS_MAX)).is_ok());
        assert_eq!(check_tags(&tags(40)).unwrap_err().to_string(), "A user can have at most 32 tags (received 40)");
    }

    #[test]
    fn algorithm_names_lead_back() {
        for algorithm in HashAlgorithm::ALL {
            assert_eq!(HashAlgorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!(HashAlgorithm::from_name("nosuch"), None);
    }
}
