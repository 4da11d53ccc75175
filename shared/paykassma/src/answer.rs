//! Reads the provider's answers.

use std::borrow::Cow;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::object;

/// The most characters of a provider's text that we use.
const MAX_TEXT: usize = 500;

/// An answer to any of the three calls. Which fields it has depends on the call and on `status`.
#[derive(Deserialize)]
pub(crate) struct Answer<'a> {
    #[serde(borrow)]
    pub(crate) status: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) params: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) deposit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) deposit_amount: Option<&'a RawValue>,
}

/// Reads an answer and gives it to `judge`. If the answer cannot be read, the error says so, with the HTTP code.
///
/// The provider's page prints `{"status":"ok",}`. So one comma before the last brace is ignored. Nothing else is.
pub(crate) fn read<T>(code: StatusCode, body: &str, judge: impl FnOnce(&Answer<'_>) -> T) -> Result<T, String> {
    let body = without_last_comma(body);
    object(&body).as_ref().map(judge).ok_or_else(|| format!("HTTP {}: the answer cannot be read", code.as_u16()))
}

impl Answer<'_> {
    /// The message. It is a text, or `field: text` for each field of a map of lists.
    pub(crate) fn message(&self) -> String {
        let value = self.message.and_then(|message| serde_json::from_str(message.get()).ok());
        let message = clean(&value.as_ref().map(render).unwrap_or_default());
        if message.is_empty() { "no message".into() } else { message }
    }

    pub(crate) fn unknown_status(&self) -> String {
        format!("unknown status: {}", clean(&self.status))
    }
}

/// Cleans a foreign text, so that it can be written to a log line and to a row.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_TEXT).collect()
}

fn render(message: &Value) -> String {
    match message {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => message.to_string(),
        Value::Array(texts) => texts.iter().map(render).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, text)| format!("{name}: {}", render(text))).collect();
            fields.join("; ")
        }
    }
}

/// The comma cannot be part of a string: a body that ends inside a string is not JSON, with or without the comma.
fn without_last_comma(body: &str) -> Cow<'_, str> {
    let members = body.trim_ascii_end().strip_suffix('}').and_then(|inner| inner.trim_ascii_end().strip_suffix(','));
    members.map_or(Cow::Borrowed(body), |members| Cow::Owned(format!("{members}}}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(body: &str) -> Option<String> {
        read(StatusCode::OK, body, |answer| answer.status.clone().into_owned()).ok()
    }

    fn message(body: &str) -> String {
        fn shown(answer: &Answer<'_>) -> String {
            answer.message()
        }
        read(StatusCode::OK, body, shown).unwrap()
    }

    #[test]
    fn one_comma_before_the_last_brace_is_forgiven_and_nothing_else() {
        for good in
            [r#"{"status":"ok"}"#, r#"{"status":"ok",}"#, "{\n\"status\": \"ok\" ,\n}\r\n", r#" {"status":"ok"}"#]
        {
            assert_eq!(status(good).as_deref(), Some("ok"), "{good}");
        }
        for bad in [
            "",
            "{",
            "{,}",
            "{}",
            "ok",
            "null",
            r#""ok""#,
            r#"["ok"]"#,
            r#"["ok",null,null,null,null]"#,
            r#"{"status":"ok",,}"#,
            r#"{"status":"ok""#,
            r#"{"status":"ok","message":"a,}"#,
            r#"{"status":"ok"}}"#,
            r#"{"status":"ok"} {"status":"fail"}"#,
            r#"{"status":"ok","status":"fail"}"#,
            r#"{"status":null}"#,
            r#"{"status":true}"#,
            r#"{"message":{"status":"ok"}}"#,
            r#"{"message":[1,],"status":"ok"}"#,
            "{'status':'ok'}",
        ] {
            assert_eq!(status(bad), None, "{bad}");
        }
    }

    #[test]
    fn messages_of_every_shape_become_one_clean_line() {
        for (sent, shown) in [
            (r#""MESSAGE""#, "MESSAGE"),
            (r#"{"withdrawals_sum_amount":["Insufficient balance"]}"#, "withdrawals_sum_amount: Insufficient balance"),
            (r#"{"a":["1","2"],"b":"3"}"#, "a: 1; 2; b: 3"),
            (r#""a\n\u001b[31mb""#, "a[31mb"),
            (r#""\ud800""#, "no message"),
            ("[]", "no message"),
            ("null", "no message"),
            ("7", "7"),
        ] {
            assert_eq!(message(&format!(r#"{{"status":"fail","message":{sent}}}"#)), shown, "{sent}");
        }
        assert_eq!(message(r#"{"status":"fail"}"#), "no message");
        let long = format!(r#"{{"status":"fail","message":"{}"}}"#, "é".repeat(501));
        assert_eq!(message(&long), "é".repeat(500));
    }
}
