//! A service that does not answer, or answers with an error: what a person can do about it.

use std::fmt;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata};
use store::StoreError;

/// What a command calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Table,
    Queue,
    DeadLetters,
    Api,
}

/// That it did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    pub(crate) service: Service,
    reason: Reason,
    /// Where it should be; empty while nobody has said so.
    place: String,
    /// What the client says.
    cause: String,
}

/// Why, as far as a person can do something about it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    Silent,
    NoCredentials,
    Expired,
    UnknownCaller,
    Denied,
    Missing,
    Busy,
    /// An error of this code.
    Other(String),
}

impl Reason {
    /// What the code of an error means. `None` for a text that is no code.
    fn of(code: &str) -> Option<Self> {
        // SQS has codes of two protocols.
        Some(match code.trim_start_matches("AWS.SimpleQueueService.").trim_end_matches("Exception") {
            "ExpiredToken" | "RequestExpired" => Self::Expired,
            "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken" => Self::UnknownCaller,
            "AccessDenied" | "NotAuthorized" | "KmsAccessDenied" => Self::Denied,
            "ResourceNotFound" | "NonExistentQueue" | "QueueDoesNotExist" => Self::Missing,
            "Throttling"
            | "ThrottledRequest"
            | "RequestThrottled"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceeded" => Self::Busy,
            _ if code.contains(char::is_whitespace) || code.is_empty() => return None,
            _ => Self::Other(code.to_owned()),
        })
    }
}

impl Unreached {
    fn new(service: Service, reason: Reason, cause: impl Into<String>) -> Self {
        Self { service, reason, place: String::new(), cause: cause.into() }
    }

    /// `None` if the error's own text says best what it is.
    pub(crate) fn of_table(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::NoAnswer(cause) => Some(Self::new(Service::Table, Reason::Silent, cause)),
            StoreError::Transient(code) => Reason::of(code).map(|reason| Self::new(Service::Table, reason, code)),
            StoreError::Newer { .. } | StoreError::Permanent { .. } | StoreError::WrongTable => None,
        }
    }

    pub(crate) fn of_queue<E: ProvideErrorMetadata + std::error::Error>(service: Service, error: &E) -> Self {
        let reason = error.code().and_then(Reason::of).unwrap_or(Reason::Silent);
        Self::new(service, reason, DisplayErrorContext(error).to_string())
    }

    /// A request was not answered, or could not be signed.
    pub(crate) fn of_api(error: &dyn std::error::Error) -> Self {
        Self::new(Service::Api, Reason::Silent, DisplayErrorContext(error).to_string())
    }

    /// With the place where it should be, and whether the credentials are there.
    pub(crate) fn at(self, place: String, has_credentials: bool) -> Self {
        let reason =
            if self.reason == Reason::Silent && !has_credentials { Reason::NoCredentials } else { self.reason };
        Self { reason, place, ..self }
    }

    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting, policy) = match self.service {
            Service::Table => ("the table", "TABLE_NAME", "LookPolicyArn"),
            Service::Queue => ("the queue", "QUEUE_URL", "MaintainPolicyArn"),
            Service::DeadLetters => ("the queue of dead letters", "DEAD_LETTER_QUEUE_URL", "MaintainPolicyArn"),
            Service::Api => ("the API", "OPERATOR_API_URL", "DecidePolicyArn"),
        };
        write!(out, "{what}{}: ", self.place)?;
        match &self.reason {
            Reason::Silent => out.write_str(
                "it does not answer. Check the network, the region and AWS_ENDPOINT_URL; --verbose prints the cause",
            ),
            Reason::NoCredentials => out.write_str(
                "no AWS credentials were found, or they cannot be renewed. Set AWS_PROFILE, or log in as for the AWS CLI",
            ),
            Reason::Expired => out.write_str("the AWS credentials have expired. Log in again"),
            Reason::UnknownCaller => out.write_str(
                "AWS does not know these credentials. Check AWS_PROFILE, the region, and this computer's clock",
            ),
            Reason::Denied => {
                write!(out, "access is denied. Your role needs the policy that the stack's output {policy} names")
            }
            Reason::Missing => write!(out, "it does not exist there. Check {setting}, the region and the account"),
            Reason::Busy => out.write_str("it has too many requests at the moment. Repeat the command later"),
            Reason::Other(code) => write!(out, "it answered {code}. Repeat the command; --verbose prints the cause"),
        }
    }
}
