//! Policies, runtime parameters and global parameters.

use super::{Broker, Put};
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, Parameter};
use crate::domain::policy::Policy;
use crate::error::Error;

/// A policy, and whether it is an operator's.
#[derive(Debug, Clone, PartialEq)]
pub struct PutPolicy {
    /// The policy.
    pub policy: Policy,
    /// An operator policy.
    pub operator: bool,
}

impl Broker {
    /// Creates or replaces a policy.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`]; [`Error::InvalidValue`] with the reference's validation text.
    pub async fn put_policy(&self, policy: PutPolicy) -> Result<Put, Error> {
        let _ = policy;
        todo!()
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_policy(&self, vhost: &VhostName, name: &str, operator: bool) -> Result<(), Error> {
        let _ = (vhost, name, operator);
        todo!()
    }

    /// Creates or replaces a runtime parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`]; [`Error::InvalidValue`] (`component X not found`).
    pub async fn put_parameter(&self, parameter: Parameter) -> Result<Put, Error> {
        let _ = parameter;
        todo!()
    }

    /// Deletes a runtime parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_parameter(&self, vhost: &VhostName, component: &str, name: &str) -> Result<(), Error> {
        let _ = (vhost, component, name);
        todo!()
    }

    /// Creates or replaces a global parameter.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put_global_parameter(&self, name: &str, value: Document) -> Result<Put, Error> {
        let _ = (name, value);
        todo!()
    }

    /// Deletes a global parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_global_parameter(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        todo!()
    }
}
