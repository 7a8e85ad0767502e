//! The first boot of an empty node: its first user, vhost, permissions and identity.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Change;
use crate::domain::name::{NameTooLong, UserName, VhostName};
use crate::domain::parameter::Document;
use crate::domain::permission::Permissions;
use crate::domain::queue::QueueKind;
use crate::domain::user::{HashAlgorithm, StoredPassword, User, UserLimits};
use crate::domain::vhost::{Vhost, VhostLimits};
use crate::error::Error;
use crate::facade::Settings;

/// Global parameter: who this cluster is, for ever.
pub(crate) const INTERNAL_CLUSTER_ID: &str = "internal_cluster_id";
/// Global parameter: free tags of the cluster.
pub(crate) const CLUSTER_TAGS: &str = "cluster_tags";
/// Global parameter: the name shown for the cluster.
pub(crate) const CLUSTER_NAME: &str = "cluster_name";

/// Random bytes of a cluster's identity.
const CLUSTER_ID_BYTES: usize = 16;

/// What an empty node starts with.
#[derive(Debug, Clone)]
pub(crate) struct FirstBoot {
    pub(super) user: UserName,
    pub(super) password: String,
    pub(super) hashing: HashAlgorithm,
    tags: Vec<String>,
    vhost: VhostName,
    permissions: [String; 3],
    cluster_name: Option<String>,
    default_queue_type: QueueKind,
    /// Users and vhosts come from elsewhere.
    pub(super) is_provisioned: bool,
}

impl FirstBoot {
    /// Takes what the settings say about the first boot.
    ///
    /// # Errors
    /// [`NameTooLong`]
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, NameTooLong> {
        Ok(Self {
            user: UserName::new(&settings.default_user)?,
            password: settings.default_pass.clone(),
            hashing: settings.password_hashing,
            tags: settings.default_user_tags.clone(),
            vhost: VhostName::new(&settings.default_vhost)?,
            permissions: settings.default_permissions.clone(),
            cluster_name: settings.cluster_name.clone(),
            default_queue_type: settings.default_queue_type,
            is_provisioned: settings.is_provisioned,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test(user: &str, password: &str, hashing: HashAlgorithm) -> Self {
        Self {
            user: UserName::new(user).unwrap(),
            password: password.to_owned(),
            hashing,
            tags: vec!["administrator".to_owned()],
            vhost: VhostName::new("/").unwrap(),
            permissions: [".*"; 3].map(str::to_owned),
            cluster_name: None,
            default_queue_type: QueueKind::Classic,
            is_provisioned: false,
        }
    }

    /// The changes that make an empty node usable. `None`: the password is being hashed.
    pub(super) fn changes(&self, password: Option<StoredPassword>, cluster_id: &str) -> Vec<Change> {
        let [configure, write, read] = self.permissions.clone();
        let user = User { name: self.user.clone(), password, tags: self.tags.clone(), limits: UserLimits::default() };
        let vhost = Vhost {
            name: self.vhost.clone(),
            description: "Default virtual host".into(),
            tags: Vec::new(),
            default_queue_type: self.default_queue_type,
            protected_from_deletion: None,
            tracing: false,
            limits: VhostLimits::default(),
        };
        let row = Permissions { user: self.user.clone(), vhost: self.vhost.clone(), configure, write, read };
        let mut changes = vec![
            Change::PutGlobalParameter(INTERNAL_CLUSTER_ID.into(), Document::from(cluster_id)),
            Change::PutGlobalParameter(CLUSTER_TAGS.into(), Document::Array(Vec::new())),
        ];
        if let Some(name) = &self.cluster_name {
            changes.push(Change::PutGlobalParameter(CLUSTER_NAME.into(), Document::from(name.as_str())));
        }
        if self.is_provisioned {
            return changes;
        }
        // A node counts as empty until a user or a vhost is there, so the batch can stop
        // anywhere before and the next boot begins again.
        changes.extend([
            Change::PutVhost(Arc::new(vhost)),
            Change::PutUser(Arc::new(user)),
            Change::PutPermissions(Arc::new(row)),
        ]);
        changes
    }
}

/// A new identity for a cluster.
///
/// # Errors
/// `Internal` when the system has no randomness to give.
pub(super) fn new_cluster_id() -> Result<String, Error> {
    let mut bytes = [0; CLUSTER_ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(format!("rabbitmq-cluster-id-{}", URL_SAFE_NO_PAD.encode(bytes)))
}
