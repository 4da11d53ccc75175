//! What of a row is people's own, or would show it: hidden unless it is asked for.

use crate::spelled::Spelled;

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

/// Replaces what is people's own by `***`, at any depth. JSON that is not divided into fields may be anything.
pub(crate) fn mask(value: &mut Spelled) {
    match value {
        Spelled::Object(entries) => {
            for (name, value) in entries {
                mask_entry(name, value);
            }
        }
        Spelled::List(values) => values.iter_mut().for_each(mask),
        Spelled::Json(_) => hide(value),
        Spelled::Text(_) | Spelled::Token(_) => {}
    }
}

/// Does as [`mask`] with the value that an entry of this name has.
pub(crate) fn mask_entry(name: &str, value: &mut Spelled) {
    if !PERSONAL.contains(&name) {
        mask(value);
    } else if !value.is_empty() {
        hide(value);
    }
}

/// Does as [`mask`] with signed elements. One that is not an object may be anything.
pub(crate) fn mask_signed(said: &mut Spelled) {
    match said {
        Spelled::Object(_) => mask(said),
        Spelled::List(elements) => elements.iter_mut().for_each(mask_signed),
        Spelled::Text(_) | Spelled::Token(_) | Spelled::Json(_) if said.is_empty() => {}
        Spelled::Text(_) | Spelled::Token(_) | Spelled::Json(_) => hide(said),
    }
}

fn hide(value: &mut Spelled) {
    *value = Spelled::Text("***".into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(json: &str, mask: fn(&mut Spelled)) -> String {
        let mut value = Spelled::read(json);
        mask(&mut value);
        value.to_string()
    }

    #[test]
    fn what_is_peoples_own_is_hidden_at_any_depth() {
        let row = r#"{"label":"user-1","amount":700.10,"facts":{"label":null,"evidence":{"additional_data":"[]","signature":"ab"}},"attempts":[{"comment":""},{"account_number":1234}]}"#;
        let hidden = r#"{"label":"***","amount":700.10,"facts":{"label":null,"evidence":{"additional_data":"***","signature":"ab"}},"attempts":[{"comment":""},{"account_number":"***"}]}"#;
        assert_eq!(masked(row, mask), hidden);
    }

    #[test]
    fn each_entry_of_one_name_is_hidden_however_the_name_is_spelled() {
        let element = r#"[{"x":{"label":"Alice","label":"","label":"null","\u006cabel":["Bob"]}},"Carol",7,null,{"y":{"\ud800":"Dave"}}]"#;
        let hidden = r#"[{"x":{"label":"***","label":"","label":"***","label":"***"}},"***","***",null,{"y":"***"}]"#;
        assert_eq!(masked(element, mask_signed), hidden);
    }
}
