//! Submits a withdrawal (docs/provider-protocol.md 3), and says what is certain about the attempt afterwards.

use domain::Submission;

use crate::answer::{self, Answer, unknown_status};
use crate::client::Reply;
use crate::{Answered, Client};

/// The right to submit withdrawals.
pub trait SubmitWithdrawal {
    /// Sends a journalled [`withdrawal_body`](crate::withdrawal_body) once, byte for byte.
    ///
    /// The result is `Accepted` or `Rejected` only if the HTTP code is 2xx or 4xx and the body can be read. Then the body's `status`
    /// decides, not the code. Without a `status` it is `Unknown`, whatever the code. A `fail` in a 5xx is `Unknown`, because the server may have done its work before it failed.
    fn submit(&self, body: &str) -> impl Future<Output = Answered<Submission>> + Send;
}

impl SubmitWithdrawal for Client {
    async fn submit(&self, body: &str) -> Answered<Submission> {
        self.post("v2/withdrawal/create", body.to_owned()).await.answered(|reply| match reply {
            Reply::Answered(code, body) => answer::read(code, &body, submitted).unwrap_or_else(Submission::Unknown),
            Reply::NotSent(reason) => Submission::NotSent(reason),
            Reply::Unknown(reason) => Submission::Unknown(reason),
        })
    }
}

fn submitted(status: &str, answer: &Answer<'_>) -> Submission {
    match status {
        "ok" => Submission::Accepted,
        "fail" => Submission::Rejected(answer.message()),
        _ => Submission::Unknown(unknown_status()),
    }
}
