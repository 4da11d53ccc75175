//! What is deployed: the functions with their settings, and the routes that lead to them.

use std::collections::BTreeMap;

use crate::secrets_manager::{DEPOSITS, EVENTS, POSTBACKS, TOKENS, WITHDRAWALS};

/// A function, the secret that it reads, and the settings that it gets besides those that all get.
pub(crate) struct Deployed {
    pub(crate) name: &'static str,
    pub(crate) secret: Option<&'static str>,
    pub(crate) settings: &'static [&'static str],
}

/// All functions.
pub(crate) const FUNCTIONS: [Deployed; 12] = [
    Deployed {
        name: "create-deposit",
        secret: Some(DEPOSITS),
        settings: &["PROVIDER_API_URL", "PROVIDER_PLUGIN_URL", "PROVIDER_TIMEOUT_MS"],
    },
    Deployed { name: "activate", secret: Some(DEPOSITS), settings: &["PROVIDER_API_URL", "PROVIDER_TIMEOUT_MS"] },
    Deployed {
        name: CREATE_WITHDRAWAL,
        secret: Some(WITHDRAWALS),
        settings: &[
            "PROVIDER_API_URL",
            "PROVIDER_TIMEOUT_MS",
            "QUEUE_URL",
            "SUBMISSION_DELAY_SECONDS",
            "WITHDRAWALS",
            "WITHDRAWAL_CEILING_PER_DAY",
            "WITHDRAWAL_CEILING_PER_HOUR",
        ],
    },
    Deployed { name: "postback-receiver", secret: Some(POSTBACKS), settings: &[] },
    Deployed { name: AUTHORIZER, secret: Some(TOKENS), settings: &[] },
    Deployed {
        name: SUBMITTER,
        secret: None,
        settings: &[
            "FIRST_RETRY_SECONDS",
            "PROVIDER_API_URL",
            "PROVIDER_TIMEOUT_MS",
            "QUEUE_URL",
            "RESEND_UNKNOWN",
            "RETRY_CEILING_SECONDS",
            "SENDER_LIFETIME_MS",
            "SUBMISSION_ATTEMPTS",
            "WITHDRAWALS",
        ],
    },
    Deployed { name: "transaction-reader", secret: None, settings: &[] },
    Deployed { name: "attention-reporter", secret: None, settings: &["SENDER_LIFETIME_MS"] },
    Deployed { name: "decision-recorder", secret: None, settings: &["SECOND_PERSON_ABOVE", "SENDER_LIFETIME_MS"] },
    Deployed { name: "evidence-verifier", secret: Some(POSTBACKS), settings: &[] },
    Deployed {
        name: PUBLISHER,
        secret: Some(POSTBACKS),
        settings: &["AWS_ENDPOINT_URL_EVENTBRIDGE", "EVENT_BUS_NAME", "REPLAY_QUEUE_URL", "SET_ASIDE_QUEUE_URL"],
    },
    Deployed {
        name: FORWARDER,
        secret: Some(EVENTS),
        settings: &[
            "EVENTS_FIRST_RETRY_SECONDS",
            "EVENTS_GIVE_UP_SECONDS",
            "EVENTS_QUEUE_ARN",
            "EVENTS_QUEUE_URL",
            "EVENTS_TIMEOUT_MS",
            "EVENTS_URL",
            "UNDELIVERED_QUEUE_ARN",
            "UNDELIVERED_QUEUE_URL",
        ],
    },
];

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// The function in front of the routes that are not public.
pub(crate) const AUTHORIZER: &str = "authorizer";

/// The function that sends a withdrawal first.
const CREATE_WITHDRAWAL: &str = "create-withdrawal";

/// The functions that send withdrawals.
pub(crate) const SENDERS: [&str; 2] = [CREATE_WITHDRAWAL, SUBMITTER];

/// The function behind the queue.
pub(crate) const SUBMITTER: &str = "withdrawal-submitter";

/// The function behind the table's stream.
pub(crate) const PUBLISHER: &str = "event-publisher";

/// The function behind the queue of events for the merchant's server.
pub(crate) const FORWARDER: &str = "event-forwarder";

/// The settings that every function gets.
pub(crate) const SHARED_SETTINGS: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "LOG_LEVEL",
    "METRICS_NAMESPACE",
    "TABLE_NAME",
    "TABLE_STREAM_ARN",
];

/// One of the HTTP APIs. Each has a host of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// What the merchant's app calls, with its token.
    Merchant,
    /// What the provider calls. Only it knows the host.
    Postbacks,
    /// What people call through the operator's tool, with their AWS credentials.
    Operator,
}

impl Api {
    /// Its id, as its metrics have it: the name of the template's resource.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Merchant => "Api",
            Self::Postbacks => "PostbackApi",
            Self::Operator => "OperatorApi",
        }
    }
}

/// A route of an HTTP API.
#[derive(Debug)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// The function that answers.
    pub function: &'static str,
    /// The API that has it.
    pub api: Api,
}

/// All routes.
pub const ROUTES: [Route; 12] = [
    Route { method: "POST", path: "/deposits", function: "create-deposit", api: Api::Merchant },
    Route {
        method: "POST",
        path: "/deposits/{custom_transaction_id}/activation",
        function: "activate",
        api: Api::Merchant,
    },
    Route { method: "POST", path: "/withdrawals", function: CREATE_WITHDRAWAL, api: Api::Merchant },
    Route {
        method: "GET",
        path: "/deposits/{custom_transaction_id}",
        function: "transaction-reader",
        api: Api::Merchant,
    },
    Route { method: "GET", path: "/withdrawals/{withdrawal_id}", function: "transaction-reader", api: Api::Merchant },
    Route { method: "GET", path: "/transactions", function: "transaction-reader", api: Api::Merchant },
    Route { method: "POST", path: "/postbacks/{token}", function: "postback-receiver", api: Api::Postbacks },
    Route { method: "POST", path: "/decisions", function: "decision-recorder", api: Api::Operator },
    Route { method: "POST", path: "/adoptions", function: "decision-recorder", api: Api::Operator },
    Route { method: "POST", path: "/verifications", function: "evidence-verifier", api: Api::Operator },
    Route { method: "POST", path: "/postbacks", function: "postback-receiver", api: Api::Operator },
    Route { method: "POST", path: "/replays", function: PUBLISHER, api: Api::Operator },
];

/// The values of a route's `{parameters}`.
pub(crate) type PathParameters = BTreeMap<&'static str, String>;

/// Finds the route of a request to an API.
pub(crate) fn find_route(api: Api, method: &str, path: &str) -> Option<(&'static Route, PathParameters)> {
    let of_method = ROUTES.iter().filter(|route| (route.api, route.method) == (api, method));
    of_method.into_iter().find_map(|route| Some((route, parameters(route.path, path)?)))
}

fn parameters(pattern: &'static str, path: &str) -> Option<PathParameters> {
    let (wanted, given) = (pattern.split('/'), path.split('/'));
    if wanted.clone().count() != given.clone().count() {
        return None;
    }
    let mut found = PathParameters::new();
    for (want, give) in wanted.zip(given) {
        match want.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !give.is_empty() => drop(found.insert(name, give.to_owned())),
            None if want == give => {}
            Some(_) | None => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_found_with_its_parameters() {
        let (route, parameters) = find_route(Api::Merchant, "POST", "/deposits/order-1/activation").unwrap();
        assert_eq!(route.function, "activate");
        assert_eq!(parameters.get("custom_transaction_id").unwrap(), "order-1");
    }

    #[test]
    fn a_path_is_matched_whole_and_by_its_method() {
        assert!(find_route(Api::Merchant, "POST", "/deposits").is_some());
        for (method, path) in [
            ("GET", "/deposits"),
            ("POST", "/"),
            ("POST", "/deposits/"),
            ("POST", "/deposits//activation"),
            ("POST", "/deposits/a/b/activation"),
            ("POST", "/postbacks"),
        ] {
            assert!(find_route(Api::Merchant, method, path).is_none(), "{method} {path}");
        }
    }
}
