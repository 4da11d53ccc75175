//! What every function needs around its handler: settings, secrets, AWS clients, requests and replies, queue and stream. Knows
//! no domain.

mod aws;
mod backlog;
mod clock;
mod event_bus;
mod fields;
mod http;
mod log;
mod metrics;
mod queue;
mod rights;
mod secrets;
mod serve;
mod set_aside;
mod settings;
mod stream;

pub use aws::{Aws, http as aws_http};
pub use backlog::{Backlog, BacklogQueue, Waiting};
pub use clock::{Clock, System, warm_up};
pub use event_bus::{EventBus, Publish, Published, SOURCE};
pub use fields::{BadRequest, Fields};
pub use http::{ErrorReply, Handler, Parameters, Reply, Request, WRONG_TABLE, serve};
pub use lambda_http::http::StatusCode;
pub use log::start as start_log;
pub use metrics::{
    DEFINITIONS, Definition, EVENTS, Metric, Money, count_credited, count_error, count_paid, count_use,
    report_oldest_seconds,
};
pub use queue::{
    Defer, Handled, Message, MessageHandler, Queue, ScheduleHandler, SendLater, serve_queue, serve_queue_and_schedule,
};
pub use rights::{Purpose, Right};
pub use secrets::{SecretStore, Secrets};
pub use serve::serve_events;
pub use set_aside::{LARGEST_MESSAGE, SetAside, SetAsideQueue, queue_text};
pub use settings::{BadSetting, SHARED_SETTINGS, Settings};
pub use stream::{ChangeHandler, ChangeRecord, RowChange, SetAsideMessage, serve_changes_and_requests};
#[doc(hidden)]
pub use tracing;

/// A service of AWS did not answer as it should. The text is for the log, and quotes nothing that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AwsError(pub String);
