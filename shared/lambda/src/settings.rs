//! Settings: read once, at start-up, by name.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

/// A setting that is missing or malformed. Names it, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting {name} {rule}")]
pub struct BadSetting {
    /// Which setting.
    pub name: &'static str,
    /// What is wrong with it.
    pub rule: String,
}

/// The settings that every function has: its AWS clients and its log read them.
pub const SHARED_SETTINGS: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "LOG_LEVEL",
    "METRICS_NAMESPACE",
    "SETTINGS_VERSION",
];

/// The settings of this process.
#[derive(Clone, Default)]
pub struct Settings {
    values: HashMap<String, String>,
    declared: Option<&'static [&'static str]>,
}

impl Settings {
    /// The environment variables of this process that a function declares, and [`SHARED_SETTINGS`]. Nothing else can be read.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_function(declared: &'static [&'static str]) -> Self {
        let names = SHARED_SETTINGS.iter().chain(declared);
        let values = names.filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        Self { values: values.collect(), declared: Some(declared) }
    }

    /// All environment variables of this process that are text.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        let values = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { values: values.collect(), declared: None }
    }

    /// These settings.
    #[must_use]
    pub fn of(settings: &[(&str, &str)]) -> Self {
        let values = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { values: values.collect(), declared: None }
    }

    /// These settings with others in place of those of the same name.
    #[must_use]
    pub fn with(mut self, settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.values.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// A setting that may be missing. An empty one counts as missing.
    #[must_use]
    pub fn optional(&self, name: &'static str) -> Option<&str> {
        let is_declared = self.declared.is_none_or(|names| SHARED_SETTINGS.iter().chain(names).any(|it| *it == name));
        debug_assert!(is_declared, "{name} is read but not declared");
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A setting that must be there.
    ///
    /// # Errors
    /// [`BadSetting`] when it is not.
    pub fn required(&self, name: &'static str) -> Result<&str, BadSetting> {
        self.optional(name).ok_or_else(|| BadSetting { name, rule: "is missing".into() })
    }

    /// A setting that must be there, read by `parse`, whose error names the rule and not the value.
    ///
    /// # Errors
    /// [`BadSetting`] when it is missing or cannot be read.
    pub fn parsed<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, BadSetting> {
        parse(self.required(name)?).map_err(|error| BadSetting { name, rule: error.to_string() })
    }

    /// A setting that may be missing, read by `parse`.
    ///
    /// # Errors
    /// [`BadSetting`] when it is there and `parse` refuses it.
    pub fn optional_parsed<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, BadSetting> {
        self.optional(name).map(|_| self.parsed(name, parse)).transpose()
    }

    /// A setting in JSON that may be missing.
    ///
    /// # Errors
    /// [`BadSetting`] when it is there and cannot be read.
    pub fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, BadSetting> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| BadSetting {
            name,
            rule: format!("is not the JSON that it must be, at line {} column {}", error.line(), error.column()),
        })
    }

    /// A setting in JSON that may be missing, from which `make` makes something. Its error names the rule.
    ///
    /// # Errors
    /// [`BadSetting`] when it is there and cannot be read, or `make` refuses it.
    pub fn made_from_json<T: DeserializeOwned, U, E: Display>(
        &self,
        name: &'static str,
        make: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Option<U>, BadSetting> {
        let result = self.json(name)?.map(make).transpose();
        result.map_err(|error| BadSetting { name, rule: error.to_string() })
    }

    /// A whole number above 0, or `default` when it is not set.
    ///
    /// # Errors
    /// [`BadSetting`] when it is set and not such a number.
    pub fn number<T: FromStr + Default + PartialOrd>(&self, name: &'static str, default: T) -> Result<T, BadSetting> {
        let Some(text) = self.optional(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number > T::default());
        number.ok_or_else(|| BadSetting { name, rule: "must be a whole number above 0".into() })
    }

    /// A switch: `on` or `off`, the default.
    ///
    /// # Errors
    /// [`BadSetting`] when it is something else.
    pub fn switch(&self, name: &'static str) -> Result<bool, BadSetting> {
        self.switch_or(name, false)
    }

    /// A switch that is `on` unless it is `off`.
    ///
    /// # Errors
    /// [`BadSetting`] when it is something else.
    pub fn switch_that_is_on(&self, name: &'static str) -> Result<bool, BadSetting> {
        self.switch_or(name, true)
    }

    fn switch_or(&self, name: &'static str, default: bool) -> Result<bool, BadSetting> {
        match self.optional(name) {
            None => Ok(default),
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(_) => Err(BadSetting { name, rule: "must be on or off".into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_names_itself_and_not_its_value() {
        let settings = Settings::of(&[("LIMIT", "marker"), ("NONE", "0"), ("EMPTY", ""), ("RESEND", "marker")]);
        let said = [
            settings.required("ABSENT").unwrap_err().to_string(),
            settings.required("EMPTY").unwrap_err().to_string(),
            settings.number("LIMIT", 5).unwrap_err().to_string(),
            settings.number("NONE", 5_u64).unwrap_err().to_string(),
            settings.switch("RESEND").unwrap_err().to_string(),
        ];
        assert_eq!(
            said,
            [
                "setting ABSENT is missing",
                "setting EMPTY is missing",
                "setting LIMIT must be a whole number above 0",
                "setting NONE must be a whole number above 0",
                "setting RESEND must be on or off",
            ]
        );
        assert_eq!(settings.number("ABSENT", 5), Ok(5));
    }

    #[test]
    fn a_switch_has_its_default_until_it_is_set() {
        let settings = Settings::of(&[("ON", "on"), ("OFF", "off"), ("EMPTY", ""), ("BAD", "yes")]);
        for (name, by_default, that_is_on) in [("ON", true, true), ("OFF", false, false), ("EMPTY", false, true)] {
            assert_eq!((settings.switch(name), settings.switch_that_is_on(name)), (Ok(by_default), Ok(that_is_on)));
        }
        assert!(settings.switch("BAD").is_err() && settings.switch_that_is_on("BAD").is_err());
    }
}
