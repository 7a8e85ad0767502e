//! Policies, runtime parameters and global parameters.

use super::{Broker, Put};
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, Parameter};
use crate::domain::policy::{Policy, PolicyKind};
use crate::error::Error;
use crate::runtime::directory::{parameters, policies};

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
        let PutPolicy { policy, operator } = policy;
        self.change(move |directory| policies::put(directory, kind(operator), policy)).await
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_policy(&self, vhost: &VhostName, name: &str, operator: bool) -> Result<(), Error> {
        let (vhost, name) = (vhost.clone(), name.to_owned());
        self.change(move |directory| policies::delete(directory, kind(operator), &vhost, &name)).await
    }

    /// Creates or replaces a runtime parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`]; [`Error::InvalidValue`] (`component X not found`).
    pub async fn put_parameter(&self, parameter: Parameter) -> Result<Put, Error> {
        self.change(move |directory| parameters::put(directory, parameter)).await
    }

    /// Deletes a runtime parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_parameter(&self, vhost: &VhostName, component: &str, name: &str) -> Result<(), Error> {
        let (vhost, component, name) = (vhost.clone(), component.to_owned(), name.to_owned());
        self.change(move |directory| parameters::delete(directory, &vhost, &component, &name)).await
    }

    /// Creates or replaces a global parameter.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put_global_parameter(&self, name: &str, value: Document) -> Result<Put, Error> {
        let name = name.to_owned();
        self.change(move |directory| parameters::put_global(directory, name, value)).await
    }

    /// Deletes a global parameter.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`].
    pub async fn delete_global_parameter(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.change(move |directory| parameters::delete_global(directory, &name)).await
    }
}

fn kind(operator: bool) -> PolicyKind {
    if operator { PolicyKind::Operator } else { PolicyKind::User }
}
