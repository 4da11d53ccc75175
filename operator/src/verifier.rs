//! Who verifies signed lists.

use std::future::Future;

use domain::SignedList;
use paykassma::{Unproved, Verdict, VerifiedList};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::failure::Failure;

/// Verifies signed lists, as many in a call as fit into a request.
pub(crate) trait Verifier: Send + Sync {
    /// Gives a verdict on each.
    fn verify(
        &self,
        lists: &[SignedList],
    ) -> impl Future<Output = Result<Vec<Result<VerifiedList, Unproved>>, Failure>> + Send;
}

#[derive(Serialize)]
struct Batch<'a> {
    lists: &'a [SignedList],
}

#[derive(Deserialize)]
struct Verdicts {
    verdicts: Vec<Verdict>,
}

/// A function of the stack has the keys, and the tool has not.
impl Verifier for Api {
    async fn verify(&self, lists: &[SignedList]) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
        let Verdicts { verdicts } = self.post("/verifications", &Batch { lists }).await?;
        if verdicts.len() != lists.len() {
            let (given, asked) = (verdicts.len(), lists.len());
            return Err(Failure::NoAnswer(format!("{given} verdicts were given on {asked} lists")));
        }
        Ok(lists.iter().zip(verdicts).map(|(list, verdict)| VerifiedList::vouched(list, verdict)).collect())
    }
}

/// Verifies one list.
pub(crate) async fn verify_one(
    verifier: &impl Verifier,
    list: &SignedList,
) -> Result<Result<VerifiedList, Unproved>, Failure> {
    let verdict = verifier.verify(std::slice::from_ref(list)).await?.pop();
    verdict.ok_or_else(|| Failure::NoAnswer("no verdict was given".into()))
}

#[cfg(test)]
impl Verifier for paykassma::EvidenceKeys {
    async fn verify(&self, lists: &[SignedList]) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
        Ok(lists.iter().map(|list| VerifiedList::of(self, list)).collect())
    }
}
