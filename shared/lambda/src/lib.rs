//! What every function needs around its handler: settings, secrets, AWS clients, requests and replies, the queue. Knows no domain.

mod aws;
mod bus;
mod clock;
mod fields;
mod http;
mod log;
mod question;
mod queue;
mod secrets;
mod settings;
mod stream;

pub use aws::{Aws, http as aws_http};
pub use bus::{EventBus, Publish, Published};
pub use clock::{Clock, System, warm_up};
pub use fields::{BadRequest, Fields};
pub use http::{ErrorReply, Handle, Reply, Request, serve};
pub use lambda_http::http::StatusCode;
pub use log::start as start_log;
pub use question::{Answer, Question, serve_questions};
pub use queue::{Defer, HandleMessage, Handled, Message, Queue, SendLater, serve_queue};
pub use secrets::{SecretStore, Secrets};
pub use settings::{BadSetting, Settings};
pub use stream::{HandleChanges, RowChange, serve_stream};

/// A service of AWS did not answer as it should. The reason is for the logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AwsError(pub String);
