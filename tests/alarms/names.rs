//! The names that the template only refers to: what they are on the local stack.

use local::Api;
use serde_json::{Map, Value};

use crate::template::document::Template;

/// What `!Ref` and `!GetAtt` give on the local stack.
const NAMES: [(&str, &str); 9] = [
    ("AWS::StackName", "paykassma"),
    ("EventBus", "paykassma"),
    ("AlarmTopic", "alarms"),
    ("DeadLetterQueue.QueueName", "withdrawal-submission-dlq"),
    ("SetAsideQueue.QueueName", "set-aside"),
    ("EventsQueue.QueueName", "events"),
    ("UndeliveredQueue.QueueName", "undelivered"),
    ("UnpublishedQueue.QueueName", "unpublished"),
    ("SubmissionQueue.QueueName", "withdrawal-submission"),
];

/// The value without references: parameters have their defaults.
pub(super) fn resolve(template: &Template, value: &Value) -> Result<Value, String> {
    match value {
        Value::Array(values) => values.iter().map(|value| resolve(template, value)).collect(),
        Value::Object(members) => match single(members) {
            Some(("Ref" | "Fn::GetAtt", Value::String(name))) => named(template, name),
            Some(("Fn::Sub", Value::String(text))) => substitute(template, text).map(Value::String),
            Some(("Fn::FindInMap", Value::Array(keys))) => find(template, keys),
            Some((name, _)) if name.starts_with("Fn::") => Err(format!("{name} is not known")),
            _ => {
                let resolved = members.iter().map(|(name, value)| Ok((name.clone(), resolve(template, value)?)));
                resolved.collect::<Result<Map<_, _>, String>>().map(Value::Object)
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
    }
}

fn single(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name, value))
}

fn named(template: &Template, name: &str) -> Result<Value, String> {
    if let Some((_, value)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok((*value).into());
    }
    if let Some(api) = [Api::Merchant, Api::Postbacks].into_iter().find(|api| api.id() == name) {
        return Ok(api.id().into());
    }
    let parameter = template.section("Parameters").get(name);
    parameter.and_then(|it| it.get("Default")).cloned().ok_or_else(|| format!("{name} is not known"))
}

/// A text with the values of its `${references}`.
fn substitute(template: &Template, text: &str) -> Result<String, String> {
    let mut parts = text.split("${");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or("a reference without an end")?;
        let value = named(template, name)?;
        all += value.as_str().ok_or_else(|| format!("{name} is not text"))?;
        all += rest;
    }
    Ok(all)
}

fn find(template: &Template, keys: &[Value]) -> Result<Value, String> {
    let key = |value| {
        let key = resolve(template, value)?;
        Ok(key.as_str().map_or_else(|| key.to_string(), str::to_owned))
    };
    let keys = keys.iter().map(key).collect::<Result<Vec<_>, String>>()?;
    let [map, first, second] = keys.as_slice() else { return Err("a map has two keys".into()) };
    let found = template.section("Mappings").get(map).and_then(|it| it.get(first)?.get(second));
    found.cloned().ok_or_else(|| format!("{keys:?} is not in the map"))
}
