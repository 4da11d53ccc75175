//! The faults that the control API has ordered for the next calls.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The provider's calls that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    pub(crate) on: Call,
    #[serde(default = "once")]
    pub(crate) times: u64,
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

/// What the caller sees of each kind of fault, and which values the kind takes.
pub(crate) const KINDS: [(&str, &[&str], &str); 21] = [
    ("reset_before", &[], "the connection is reset before the body is read"),
    ("reset_after", &[], "the connection is reset instead of an answer"),
    ("slow_headers", &["ms"], "the whole answer comes later"),
    ("slow_body", &["ms"], "the headers come at once, the body later"),
    ("hang", &[], "no answer at all"),
    ("status", &["code", "body", "ms"], "this status and text, later by ms"),
    ("empty", &[], "200 without a body"),
    ("html", &[], "200 with an HTML page"),
    ("truncated", &[], "half of the JSON"),
    ("trailing_comma", &[], "a comma before the last brace"),
    ("unknown_status", &[], "the status processing"),
    ("message_string", &["message"], "fail with a string"),
    ("message_map", &[], "fail with a map: Insufficient balance"),
    ("empty_list", &[], "ok with an empty list of params"),
    ("null_params", &[], "ok with null as params"),
    ("no_params", &[], "ok without params"),
    ("byte_order_mark", &[], "a byte-order mark before the JSON"),
    ("no_status", &["code"], "a status with message and errors, without status in the body"),
    ("echo", &["status"], "fail with a message that repeats the request's fields"),
    ("huge", &[], "an answer of 10 MB"),
    ("accepted_but_lost", &[], "502"),
];

impl fmt::Display for Kind {
    /// The kind's name and its values.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = serde_json::to_value(self).unwrap_or_default();
        out.write_str(fields.get("fault").and_then(Value::as_str).unwrap_or_default())?;
        let values = fields.as_object().into_iter().flatten().filter(|(name, value)| *name != "fault" && *value != "");
        for (name, value) in values {
            write!(out, ", {name}: {value}")?;
        }
        Ok(())
    }
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

    /// Gives the ordered faults in their order.
    pub(crate) fn ordered(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.times > 0)
    }

    /// Takes the fault of the next such call.
    pub(crate) fn take(&mut self, call: Call) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.on == call)?;
        fault.times = fault.times.saturating_sub(1);
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_with_its_values() {
        for (kind, values, _) in KINDS {
            let mut fields = serde_json::Map::from_iter([("fault".to_owned(), kind.into())]);
            for value in values {
                let given = if matches!(*value, "ms" | "code") { 500.into() } else { "text".into() };
                fields.insert((*value).to_owned(), given);
            }
            let read: Kind = serde_json::from_value(fields.clone().into()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::Value::from(fields), "{kind}");
        }
        let error = serde_json::from_str::<Kind>(r#"{"fault":"?"}"#).unwrap_err().to_string();
        let known = KINDS.map(|(kind, _, _)| format!("`{kind}`"));
        assert!(known.iter().all(|kind| error.contains(kind)), "{error}");
        let aliases = 1;
        assert_eq!(error.matches('`').count() / 2, 1 + known.len() + aliases, "{error}");
    }
}
