//! Who verifies signed lists.

use std::future::Future;

use domain::SignedList;
use paykassma::{EvidenceKeys, Unproved, VerifiedList};

use crate::deployment::Keys;
use crate::failure::Failure;

/// Verifies signed lists, as many in a call as fit into a request.
pub(crate) trait Verifier: Send + Sync {
    /// Gives a verdict on each.
    fn verify(
        &self,
        lists: &[SignedList],
    ) -> impl Future<Output = Result<Vec<Result<VerifiedList, Unproved>>, Failure>> + Send;
}

impl Verifier for EvidenceKeys {
    async fn verify(&self, lists: &[SignedList]) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
        Ok(lists.iter().map(|list| VerifiedList::of(self, list)).collect())
    }
}

impl Verifier for Keys {
    async fn verify(&self, lists: &[SignedList]) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
        self.of_postbacks.verify(lists).await
    }
}
