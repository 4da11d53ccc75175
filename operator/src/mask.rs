//! What of a row is people's own, or would show it: hidden unless it is asked for.

use serde_json::Value;

/// Fields of rows and of signed elements whose values are people's own.
const PERSONAL: [&str; 11] = [
    "account_email",
    "account_name",
    "account_number",
    "additional_data",
    "bank_details",
    "body",
    "comment",
    "credited_label",
    "exchanger_identifier",
    "label",
    "labels",
];

/// Replaces what is people's own by `***`, at any depth.
pub(crate) fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if PERSONAL.contains(&name.as_str()) && !is_empty(value) {
                    *value = "***".into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_peoples_own_is_hidden_at_any_depth() {
        let mut row = json!({"label": "user-1", "amount": "5", "facts": {"label": null, "evidence": {"additional_data": "[]",
            "signature": "ab"}}, "attempts": [{"comment": ""}, {"account_number": "1234"}]});
        mask(&mut row);
        let hidden = json!({"label": "***", "amount": "5", "facts": {"label": null, "evidence": {"additional_data": "***",
            "signature": "ab"}}, "attempts": [{"comment": ""}, {"account_number": "***"}]});
        assert_eq!(row, hidden);
    }
}
