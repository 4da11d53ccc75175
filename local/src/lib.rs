//! Everything on this machine: the functions, their table and queue, and the provider.

mod aws;
mod binaries;
mod clock;
mod console;
mod credentials;
mod demo;
mod deployment;
mod dynamodb;
mod environment;
mod error;
mod event;
mod event_source;
mod function;
mod functions;
mod guide;
mod http_api;
mod ids;
mod logs;
mod options;
mod process;
pub mod provider;
mod runtime_api;
mod secrets_manager;
mod servers;
mod sqs;
mod stack;

pub use aws::AwsError;
pub use console::{complain, say};
pub use credentials::{Credentials, Secrets};
pub use demo::demonstrate;
pub use environment::Failure;
pub use error::StartError;
pub use guide::{env_file, guide};
pub use options::StackOptions;
pub use process::{EXEC_ARGUMENT, exec_child};
pub use stack::Stack;
