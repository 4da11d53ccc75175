//! The faults that the control API has ordered for the next calls.

use serde::Deserialize;

/// The provider's calls that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Call {
    /// `transaction/create`.
    Create,
    /// `transaction/activate`.
    Activate,
    /// `withdrawal/create`.
    Withdrawal,
}

/// How a call goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub(crate) enum Kind {
    ResetBefore,
    #[serde(alias = "process_then_reset")]
    ResetAfter,
    SlowHeaders {
        ms: u64,
    },
    SlowBody {
        ms: u64,
    },
    Hang,
    Status {
        code: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        ms: u64,
    },
    Empty,
    Html,
    Truncated,
    TrailingComma,
    UnknownStatus,
    MessageString {
        #[serde(default = "rejection")]
        message: String,
    },
    MessageMap,
    EmptyList,
    NullParams,
    NoParams,
    ByteOrderMark,
    NoStatus {
        #[serde(default = "unprocessable")]
        code: u16,
    },
    Echo {
        #[serde(default = "fail")]
        status: String,
    },
    Huge,
    AcceptedButLost,
}

/// A fault for the next `times` calls.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fault {
    on: Call,
    #[serde(default = "once")]
    times: u64,
    /// Whether the call has its effect. If absent, the kind decides.
    processed: Option<bool>,
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

fn once() -> u64 {
    1
}

fn unprocessable() -> u16 {
    422
}

fn fail() -> String {
    "fail".to_owned()
}

fn rejection() -> String {
    "The request was refused".to_owned()
}

impl Fault {
    /// Whether the call has its effect. A connection that is reset before the request is read cannot have one.
    pub(crate) fn is_processed(&self) -> bool {
        match self.kind {
            Kind::ResetBefore => false,
            Kind::Status { .. }
            | Kind::MessageString { .. }
            | Kind::MessageMap
            | Kind::NoStatus { .. }
            | Kind::Echo { .. } => self.processed.unwrap_or(false),
            Kind::ResetAfter
            | Kind::SlowHeaders { .. }
            | Kind::SlowBody { .. }
            | Kind::Hang
            | Kind::Empty
            | Kind::Html
            | Kind::Truncated
            | Kind::TrailingComma
            | Kind::UnknownStatus
            | Kind::EmptyList
            | Kind::NullParams
            | Kind::NoParams
            | Kind::ByteOrderMark
            | Kind::Huge
            | Kind::AcceptedButLost => self.processed.unwrap_or(true),
        }
    }
}

/// The ordered faults that have not happened yet, in their order.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Orders a fault.
    pub(crate) fn order(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Cancels all ordered faults.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the fault of the next such call.
    pub(crate) fn take(&mut self, call: Call) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.on == call)?;
        fault.times = fault.times.saturating_sub(1);
        Some(fault.clone())
    }
}
