//! The template as JSON, and the sources that it is held against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the functions: the folders of `functions/`.
pub(crate) fn functions() -> BTreeSet<String> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect()
}

/// The text of all Rust files below a folder.
pub(crate) fn sources(folder: &str) -> String {
    fn collect(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut text = String::new();
    collect(&root().join(folder), &mut text);
    text
}

/// Each text between `before` and `after`.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

/// The template, with `!Ref x` as `{"Ref": "x"}` and `!Sub x` as `{"Fn::Sub": "x"}`.
pub(crate) struct Template(Value);

impl Template {
    pub(crate) fn read() -> Self {
        Self(json(serde_norway::from_str(&file("template.yaml")).unwrap()))
    }

    pub(crate) fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("no section {name}"))
    }

    pub(crate) fn global(&self) -> &Value {
        &self.0["Globals"]["Function"]
    }

    pub(crate) fn properties(&self, resource: &str) -> &Value {
        let properties = &self.0["Resources"][resource]["Properties"];
        assert!(properties.is_object(), "no resource {resource}");
        properties
    }

    /// The resources of a type, by name.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.section("Resources").iter();
        resources.filter(|(_, it)| it["Type"] == kind).map(|(name, it)| (name.as_str(), it)).collect()
    }

    /// The functions: the name of each folder, with the name of its resource.
    pub(crate) fn functions(&self) -> BTreeMap<&str, &str> {
        let functions = self.of_type("AWS::Serverless::Function").into_iter();
        functions.map(|(name, it)| (it["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap(), name)).collect()
    }

    /// A function's own environment variables.
    pub(crate) fn variables(&self, function: &str) -> &Map<String, Value> {
        self.properties(self.functions()[function])["Environment"]["Variables"].as_object().unwrap()
    }

    pub(crate) fn number(&self, function: &str, variable: &str) -> u64 {
        self.variables(function)[variable].as_str().unwrap().parse().unwrap()
    }

    /// A function's time limit in seconds.
    pub(crate) fn time_limit(&self, function: &str) -> u64 {
        let own = self.properties(self.functions()[function])["Timeout"].as_u64();
        own.or(self.global()["Timeout"].as_u64()).unwrap()
    }
}

/// What a value is while the stack owns its table; any other value as it is.
pub(crate) fn of_own_table(value: &Value) -> &Value {
    let choice = value["Fn::If"].as_array();
    choice.filter(|it| it[0] == "OwnsTable").map_or(value, |it| &it[1])
}

fn json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(value) => value.as_u64().map_or_else(|| panic!("{value}"), Value::from),
        Yaml::String(value) => json!(value),
        Yaml::Sequence(values) => values.into_iter().map(json).collect(),
        Yaml::Mapping(values) => {
            let values = values.into_iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), json(value)));
            Value::Object(values.collect())
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = match tag.trim_start_matches('!') {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ name: json(tagged.value) })
        }
    }
}
