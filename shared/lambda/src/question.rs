//! Questions: `GET` requests, which have parameters and no body.

use std::future::Future;

use lambda_http::{RequestExt, service_fn};
use tracing::error;

use crate::http::NotSetUp;
use crate::{BadRequest, BadSetting, ErrorReply, Reply};

/// The parameters of a question, decoded.
#[derive(Clone, Debug, Default)]
pub struct Question {
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Question {
    /// A question with these path parameters and this query.
    #[must_use]
    pub fn new(path: &[(&str, &str)], query: &[(&str, &str)]) -> Self {
        let owned = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Self { path: owned(path), query: owned(query) }
    }

    /// The variable part of the path; `None` where the route has none of this name.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The query's values of these names. Every other name and every repetition is refused.
    ///
    /// # Errors
    /// [`BadRequest::Field`] with the name at fault.
    pub fn query<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&str>; N], BadRequest> {
        for (name, _) in &self.query {
            let field = || name.chars().take(64).collect::<String>();
            if !names.contains(&name.as_str()) {
                return Err(BadRequest::field(&field(), "is not a parameter of this request"));
            }
            if self.query.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(BadRequest::field(&field(), "stands twice"));
            }
        }
        let value = |name: &str| self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        Ok(names.map(value))
    }
}

/// What a function does with a question.
pub trait Answer: Send + Sync {
    /// Why it may refuse.
    type Error: ErrorReply;

    /// Answers a question. A refusal is logged and answered, never handed to the runtime.
    fn answer(&self, question: Question) -> impl Future<Output = Result<Reply, Self::Error>> + Send;
}

/// Answers questions for as long as the function lives. With a bad setting, every answer is 503.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_questions<A: Answer>(set_up: Result<A, BadSetting>) -> Result<(), lambda_http::Error> {
    let handler = set_up.inspect_err(|error| error!("not set up: {error}")).ok();
    let handler = handler.as_ref();
    let answer = |request: lambda_http::Request| async move {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let question = Question {
            path: request.path_parameters().iter().map(owned).collect(),
            query: request.query_string_parameters().iter().map(owned).collect(),
        };
        let reply = match handler {
            Some(handler) => handler.answer(question).await.unwrap_or_else(|refusal| Reply::refuse(&refusal)),
            None => Reply::refuse(&NotSetUp),
        };
        reply.into_response()
    };
    lambda_http::run(service_fn(answer)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_by_name_and_nothing_else_is_allowed() {
        let names = ["state", "cursor"];
        let question = Question::new(&[("id", "1")], &[("state", "unknown")]);
        assert_eq!(question.query(names), Ok([Some("unknown"), None]));
        assert_eq!((question.path_parameter("id"), question.path_parameter("state")), (Some("1"), None));
        let foreign = Question::new(&[], &[("stat", "unknown")]);
        assert_eq!(foreign.query(names), Err(BadRequest::field("stat", "is not a parameter of this request")));
        let twice = Question::new(&[], &[("state", "a"), ("state", "a")]);
        assert_eq!(twice.query(names), Err(BadRequest::field("state", "stands twice")));
    }
}
