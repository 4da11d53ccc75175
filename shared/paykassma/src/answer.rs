//! Reads the provider's answers.

use std::borrow::Cow;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::object;

/// An answer to any of the three calls. Which fields it has depends on the call and on `status`.
#[derive(Deserialize)]
pub(crate) struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) deposit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) deposit_amount: Option<&'a RawValue>,
}

/// Reads an answer and gives it to `judge`, with its `status`. If the answer cannot be read or has no `status`, the error says so,
/// with the HTTP code.
///
/// The provider's page prints `{"status":"ok",}`. So one comma before the last brace is ignored. A PHP file can begin with a
/// byte-order mark, and PHP prints it. So these marks are ignored before the JSON. Nothing else is.
pub(crate) fn read<T>(code: StatusCode, body: &str, judge: impl FnOnce(&str, &Answer<'_>) -> T) -> Result<T, String> {
    read_with(code, body, |answer| Some(judge(answer.status.as_deref()?, answer)))
}

/// Reads an answer like [`read`], and reads HTTP 400 or 422 with a `message` and without a `status` as a `fail`. Laravel, the usual
/// PHP framework, answers so when it rejects a field.
///
/// It is for the deposit calls only. If it is wrong about a withdrawal, money can be lost.
pub(crate) fn read_or_rejection<T>(
    code: StatusCode,
    body: &str,
    judge: impl FnOnce(&str, &Answer<'_>) -> T,
) -> Result<T, String> {
    read_with(code, body, |answer| {
        let rejection = answer.is_rejection_without_status(code).then_some("fail");
        Some(judge(answer.status.as_deref().or(rejection)?, answer))
    })
}

fn read_with<T>(code: StatusCode, body: &str, judge: impl FnOnce(&Answer<'_>) -> Option<T>) -> Result<T, String> {
    let body = without_last_comma(without_marks(body));
    let judged = object(&body).as_ref().and_then(judge);
    judged.ok_or_else(|| format!("HTTP {}: the answer cannot be read", code.as_u16()))
}

impl Answer<'_> {
    /// The message, and behind it the texts of `errors`. Each is a text, or `field: text` for each field of a map of lists.
    pub(crate) fn message(&self) -> String {
        self.reason().unwrap_or_else(|| "no message".into())
    }

    /// The text of a JSON object. PHP spells the empty map `[]`, and `null` or nothing means the same. `None` if it is no map.
    pub(crate) fn params(&self) -> Option<&str> {
        let Some(params) = self.params.map(RawValue::get) else { return Some("{}") };
        let items = params.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match items {
            Some(items) if items.trim_ascii().is_empty() => Some("{}"),
            Some(_) => None,
            None => params.starts_with('{').then_some(params),
        }
    }

    fn is_rejection_without_status(&self, code: StatusCode) -> bool {
        let is_its_code = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&code);
        is_its_code && self.status.is_none() && self.message.is_some() && self.reason().is_some()
    }

    fn reason(&self) -> Option<String> {
        let texts = [self.message, self.errors].into_iter().flatten();
        let texts = texts.filter_map(|text| serde_json::from_str(text.get()).ok().as_ref().map(render));
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        let reason = clean(&texts.join("; "));
        (!reason.is_empty()).then_some(reason)
    }
}

/// The reason that is logged for a status that is not documented. It has none of the provider's words.
pub(crate) fn unknown_status() -> String {
    "the status is unknown".into()
}

/// Cleans a foreign text, so that it can be written to a log line and to a row.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
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

fn without_marks(body: &str) -> &str {
    body.trim_start_matches(|char: char| char == '\u{feff}' || char.is_ascii_whitespace())
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
        read(StatusCode::OK, body, |status, _| status.to_owned()).ok()
    }

    fn rejection(code: StatusCode, body: &str) -> Option<String> {
        read_or_rejection(code, body, |status, answer| format!("{status}: {}", answer.message())).ok()
    }

    fn message(body: &str) -> String {
        read(StatusCode::OK, body, |_, answer| answer.message()).unwrap()
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
    }

    #[test]
    fn byte_order_marks_before_the_json_are_skipped_and_none_elsewhere() {
        for good in [
            "\u{feff}{\"status\":\"ok\"}",
            "\u{feff}{\"status\":\"ok\",}",
            "\u{feff}\r\n {\"status\":\"ok\"}\n",
            "\n\u{feff}\u{feff}{\"status\":\"ok\"}",
        ] {
            assert_eq!(status(good).as_deref(), Some("ok"), "{good}");
        }
        for bad in ["\u{feff}", "{\u{feff}\"status\":\"ok\"}", "{\"status\":\"ok\"}\u{feff}", "\u{feff}[]"] {
            assert_eq!(status(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_empty_list_null_and_nothing_are_empty_params_and_no_other_value_is() {
        let params = |params: &str| {
            let body = format!(r#"{{"status":"ok"{params}}}"#);
            read(StatusCode::OK, &body, |_, answer| answer.params().map(str::to_owned)).unwrap()
        };
        for empty in ["", r#","params":null"#, r#","params":[]"#, r#","params": [ ] "#, r#","params":{}"#] {
            assert_eq!(params(empty).as_deref(), Some("{}"), "{empty}");
        }
        assert_eq!(params(r#","params":{"a": 1.10}"#).as_deref(), Some(r#"{"a": 1.10}"#));
        for other in ["[1]", "[{}]", "[[]]", "[null]", r#""""#, r#""[]""#, "0", "false"] {
            assert_eq!(params(&format!(r#","params":{other}"#)), None, "{other}");
        }
    }

    #[test]
    fn a_rejection_without_a_status_has_its_message_and_its_errors() {
        for (sent, shown) in [
            (r#""message":"invalid""#, "fail: invalid"),
            (r#""status":null,"message":"invalid","errors":[]"#, "fail: invalid"),
            (r#""message":"invalid","errors":{}"#, "fail: invalid"),
            (r#""message":"invalid","errors":null"#, "fail: invalid"),
            (
                r#""message":"invalid","errors":{"label":["too long","odd"],"a":["b"]}"#,
                "fail: invalid; a: b; label: too long; odd",
            ),
            (r#""message":"","errors":{"label":["too\nlong"]}"#, "fail: label: toolong"),
            (r#""message":{"label":["too long"]}"#, "fail: label: too long"),
        ] {
            for code in [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY] {
                let body = format!("{{{sent}}}");
                assert_eq!(rejection(code, &body).as_deref(), Some(shown), "{body}");
                assert!(read(code, &body, |_, _| ()).is_err(), "a withdrawal needs a status: {body}");
            }
        }
    }

    #[test]
    fn what_gives_no_reason_or_has_another_code_is_no_rejection() {
        for body in ["{}", r#"{"message":""}"#, r#"{"message":null}"#, r#"{"message":[]}"#, r#"{"errors":{"a":["b"]}}"#]
        {
            assert_eq!(rejection(StatusCode::UNPROCESSABLE_ENTITY, body), None, "{body}");
        }
        for code in [200, 201, 401, 403, 409, 419] {
            assert_eq!(rejection(StatusCode::from_u16(code).unwrap(), r#"{"message":"invalid"}"#), None, "{code}");
        }
        let with_status = r#"{"status":"pending","message":"wait"}"#;
        assert_eq!(rejection(StatusCode::BAD_REQUEST, with_status).as_deref(), Some("pending: wait"));
    }
}
