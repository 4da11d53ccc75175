//! Functions, their settings and their time limits.

use std::collections::BTreeSet;

use lambda::SHARED_SETTINGS;
use local::{FAST, INTEGRATION_LIMIT, StackOptions};
use serde_json::{Value, json};

use super::document::{Template, between, file, functions};

/// The functions with the settings that they declare. A function can read no others.
pub(crate) const DECLARED: [(&str, &[&str]); 12] = [
    ("activate", activate::SETTINGS),
    ("attention-reporter", attention_reporter::SETTINGS),
    ("authorizer", authorizer::SETTINGS),
    ("create-deposit", create_deposit::SETTINGS),
    ("create-withdrawal", create_withdrawal::SETTINGS),
    ("decision-recorder", decision_recorder::SETTINGS),
    ("event-forwarder", event_forwarder::SETTINGS),
    ("event-publisher", event_publisher::SETTINGS),
    ("evidence-verifier", evidence_verifier::SETTINGS),
    ("postback-receiver", postback_receiver::SETTINGS),
    ("transaction-reader", transaction_reader::SETTINGS),
    ("withdrawal-submitter", withdrawal_submitter::SETTINGS),
];

#[test]
fn every_function_is_in_the_template_and_the_other_way_round() {
    let template = Template::read();
    let deployed: BTreeSet<_> = template.functions().into_keys().map(str::to_owned).collect();
    assert_eq!(deployed, functions());
    assert_eq!(template.global()["CodeUri"], ".");
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        assert_eq!(function["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert!(function["Properties"]["CodeUri"].is_null(), "{name} would be built from elsewhere");
        assert_eq!(function["Properties"]["AutoPublishAliasAllProperties"], true, "{name}");
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
        assert_eq!(function["Properties"]["FunctionName"]["Fn::Sub"], format!("${{AWS::StackName}}-{binary}"));
    }
}

#[test]
fn a_build_is_never_stale() {
    assert!(file("samconfig.toml").contains("\ncached = false\n"));
}

/// What a version of a function has of its properties, and what a parameter may decide of it.
const OF_A_VERSION: [&str; 5] = ["Environment", "MemorySize", "Timeout", "Tracing", "VpcConfig"];

/// The parameters that a value depends on.
fn parameters_of(template: &Template, value: &Value) -> BTreeSet<String> {
    let parameters = template.section("Parameters");
    let named = |name: &str| parameters.contains_key(name).then(|| BTreeSet::from([name.to_owned()]));
    match value {
        Value::Object(members) => {
            let condition = value["Fn::If"][0].as_str().or(value["Condition"].as_str());
            let condition = condition.and_then(|name| template.section("Conditions").get(name));
            let of_ref = value["Ref"].as_str().and_then(named);
            let of_sub =
                between(value["Fn::Sub"].as_str().unwrap_or_default(), "${", "}").into_iter().filter_map(named);
            let within = members.values().chain(condition).map(|it| parameters_of(template, it));
            within.chain(of_ref).chain(of_sub).flatten().collect()
        }
        Value::Array(values) => values.iter().flat_map(|it| parameters_of(template, it)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

/// SAM makes a new version only if the text of a property changes, and `!Ref X` stays the same whatever X is. `CloudFormation` replaces a version
/// whose description changes. A description that changed alone would fail: Lambda makes no second version of the same.
#[test]
fn a_choice_or_a_number_that_changes_a_function_makes_a_new_version_of_it() {
    let template = Template::read();
    let is_short = |name: &String| {
        let parameter = &template.section("Parameters")[name];
        parameter["AllowedValues"].is_array() || parameter["Type"] == "Number"
    };
    for (function, resource) in template.functions() {
        let (own, global) = (template.properties(resource), template.global());
        let properties = OF_A_VERSION.iter().flat_map(|name| [&own[*name], &global[*name]]);
        let decided_by = properties.flat_map(|it| parameters_of(&template, it)).filter(is_short);
        let described = &own["VersionDescription"];
        assert_eq!(parameters_of(&template, described), decided_by.collect(), "{function}");
        assert!(described.to_string().contains("${SettingsVersion}"), "{function}");
    }
}

#[test]
fn a_function_gets_the_settings_that_it_reads_and_no_others() {
    let template = Template::read();
    assert_eq!(DECLARED.map(|(function, _)| function.to_owned()), *functions().into_iter().collect::<Vec<_>>());
    for (function, declared) in DECLARED {
        let given = template.variables(function).keys().map(String::as_str);
        assert_eq!(given.collect::<BTreeSet<_>>(), declared.iter().copied().collect(), "{function}");
    }
    let is_of_lambda = |name: &str| name.starts_with("AWS_") && !name.starts_with("AWS_ENDPOINT_URL_");
    let shared: BTreeSet<_> = SHARED_SETTINGS.into_iter().filter(|name| !is_of_lambda(name)).collect();
    let given = template.global()["Environment"]["Variables"].as_object().unwrap();
    assert_eq!(given.keys().map(String::as_str).collect::<BTreeSet<_>>(), shared);
}

#[test]
fn nothing_but_an_endpoint_is_empty() {
    let template = Template::read();
    let global = template.global()["Environment"]["Variables"].as_object().unwrap().clone();
    for (name, value) in &global {
        assert_eq!(value == "", name.starts_with("AWS_ENDPOINT_URL_"), "{name}");
    }
    for function in functions() {
        assert!(template.variables(&function).values().all(|value| value != ""), "{function}");
    }
}

#[test]
fn ids_are_read_as_they_are_made() {
    let template = Template::read();
    let parameter = &template.section("Parameters")["AttemptIdSeparator"];
    assert_eq!((&parameter["Default"], &parameter["AllowedValues"]), (&json!("."), &json!([".", "-"])));
    let read_by = DECLARED.into_iter().filter(|(_, settings)| settings.contains(&"ATTEMPT_ID_SEPARATOR"));
    for (function, _) in read_by {
        let given = &template.variables(function)["ATTEMPT_ID_SEPARATOR"];
        assert_eq!(*given, json!({"Ref": "AttemptIdSeparator"}), "{function}");
    }
}

#[test]
fn a_label_has_a_limit_unless_otherwise_said() {
    let template = Template::read();
    let parameter = &template.section("Parameters")["NumbersPerDay"];
    let limits = (&parameter["Type"], &parameter["Default"], &parameter["MinValue"]);
    assert_eq!(limits, (&json!("Number"), &json!(30), &json!(0)));
    assert_eq!(template.variables("activate")["NUMBERS_PER_DAY"], json!({"Ref": "NumbersPerDay"}));
}

#[test]
fn whoever_deploys_chooses_the_ceilings_on_outgoing_money() {
    let template = Template::read();
    for (name, setting) in [
        ("WithdrawalCeilingPerHour", "WITHDRAWAL_CEILING_PER_HOUR"),
        ("WithdrawalCeilingPerDay", "WITHDRAWAL_CEILING_PER_DAY"),
    ] {
        let parameter = &template.section("Parameters")[name];
        assert!(parameter["Default"].is_null(), "{name}");
        assert_eq!(template.variables("create-withdrawal")[setting], json!({"Ref": name}));
        let allowed = jsonschema::validator_for(&json!({"pattern": parameter["AllowedPattern"]})).unwrap();
        for good in ["none", "1", "100000", "1500.50", r#"{"paytm":"100000","x":"none"}"#] {
            assert!(allowed.is_valid(&json!(good)), "{good}");
        }
        for bad in ["", "0", "0100", "-5", "1e6", "1.", "1,000", "unlimited", "NONE", "[]", "{", "none "] {
            assert!(!allowed.is_valid(&json!(bad)), "{bad}");
        }
    }
}

#[test]
fn withdrawals_are_on_until_they_are_switched_off_and_then_no_message_is_received() {
    let template = Template::read();
    let parameter = &template.section("Parameters")["Withdrawals"];
    assert_eq!((&parameter["Default"], &parameter["AllowedValues"]), (&json!("on"), &json!(["on", "off"])));
    let readers = DECLARED.into_iter().filter(|(_, settings)| settings.contains(&"WITHDRAWALS"));
    let readers: Vec<_> = readers.map(|(function, _)| function).collect();
    assert_eq!(readers, ["create-withdrawal", "withdrawal-submitter"]);
    for function in readers {
        assert_eq!(template.variables(function)["WITHDRAWALS"], json!({"Ref": "Withdrawals"}), "{function}");
    }
    let source = &template.properties("WithdrawalSubmitter")["Events"]["Queue"]["Properties"];
    assert_eq!(source["Enabled"], json!({"Fn::If": ["WithdrawalsAreOn", true, false]}));
    let are_on = &template.section("Conditions")["WithdrawalsAreOn"];
    assert_eq!(*are_on, json!({"Fn::Equals": [{"Ref": "Withdrawals"}, "on"]}));
}

#[test]
fn the_time_limits_are_one_ladder() {
    let template = Template::read();
    let connect_s = paykassma::CONNECT_TIMEOUT.as_secs();
    let delay_s = template.number("create-withdrawal", "SUBMISSION_DELAY_SECONDS");
    let sender_ms = template.number("withdrawal-submitter", "SENDER_LIFETIME_MS");
    let queue = template.properties("SubmissionQueue");
    assert_eq!(template.number("attention-reporter", "SENDER_LIFETIME_MS"), sender_ms, "they give up alike");
    assert!(attention_reporter::LOST_AFTER.as_secs() >= 5 * delay_s, "the armed message comes first");
    for function in ["create-deposit", "activate", "create-withdrawal", "withdrawal-submitter"] {
        let provider_ms = template.number(function, "PROVIDER_TIMEOUT_MS");
        assert!(connect_s * 1_000 < provider_ms, "{function}");
        assert!(provider_ms < template.time_limit(function) * 1_000, "{function}");
    }
    for sender in ["create-withdrawal", "withdrawal-submitter"] {
        assert!(template.time_limit(sender) * 1_000 < sender_ms, "{sender} may live when it counts as dead");
    }
    assert!(sender_ms < delay_s * 1_000, "the armed message comes before its sender counts as dead");
    let visibility_s = queue["VisibilityTimeout"].as_u64().unwrap();
    assert!(visibility_s >= 6 * template.time_limit("withdrawal-submitter"));
    for (name, integration) in template.of_type("AWS::ApiGatewayV2::Integration") {
        let gateway_ms = integration["Properties"]["TimeoutInMillis"].as_u64().unwrap();
        let functions = template.functions();
        let called = integration["Properties"]["IntegrationUri"]["Ref"].as_str().unwrap();
        let function = functions.iter().find(|(_, resource)| called == format!("{resource}.Alias")).unwrap().0;
        assert!(template.time_limit(function) * 1_000 < gateway_ms && gateway_ms < 30_000, "{name}");
    }
    assert!(template.time_limit("authorizer") < 10, "the gateway waits no longer for an authorizer");
}

/// The sandbox's times that depend on each other, in milliseconds, by the names of the settings where there is one.
fn times(options: &StackOptions) -> [(&'static str, u128); 8] {
    let seconds = |time: u32| u128::from(time) * 1_000;
    [
        ("PROVIDER_TIMEOUT_MS", options.provider_timeout_ms.into()),
        ("Timeout", options.sender_time_limit.as_millis()),
        ("SENDER_LIFETIME_MS", options.sender_lifetime_ms.into()),
        ("SUBMISSION_DELAY_SECONDS", seconds(options.submission_delay_seconds)),
        ("VisibilityTimeout", seconds(options.visibility_timeout_seconds)),
        ("FIRST_RETRY_SECONDS", seconds(options.first_retry_seconds)),
        ("RETRY_CEILING_SECONDS", seconds(options.retry_ceiling_seconds)),
        ("DelaySeconds", seconds(options.set_aside_retry_seconds)),
    ]
}

#[test]
fn the_sandbox_has_the_templates_times() {
    let template = Template::read();
    for (name, ms) in times(&StackOptions::default()) {
        let of_submitter = || template.number("withdrawal-submitter", name);
        let expected = match name {
            "Timeout" => template.time_limit("withdrawal-submitter") * 1_000,
            "SUBMISSION_DELAY_SECONDS" => template.number("create-withdrawal", name) * 1_000,
            "VisibilityTimeout" => template.properties("SubmissionQueue")[name].as_u64().unwrap() * 1_000,
            "DelaySeconds" => template.properties("SetAsideQueue")[name].as_u64().unwrap() * 1_000,
            _ if name.ends_with("_SECONDS") => of_submitter() * 1_000,
            _ => of_submitter(),
        };
        assert_eq!(ms, expected.into(), "{name}");
    }
    assert_eq!(StackOptions::default().time_limit.as_secs(), template.time_limit("postback-receiver"));
    for (name, integration) in template.of_type("AWS::ApiGatewayV2::Integration") {
        let gateway_ms = integration["Properties"]["TimeoutInMillis"].as_u64().unwrap();
        assert_eq!(INTEGRATION_LIMIT.as_millis(), gateway_ms.into(), "{name}");
    }
}

#[test]
fn a_fast_sandbox_keeps_the_order_of_the_time_limits() {
    let (normal, fast) = (StackOptions::default(), StackOptions::default().fast());
    for ((name, normal_ms), (_, fast_ms)) in times(&normal).into_iter().zip(times(&fast)) {
        assert_eq!(fast_ms * u128::from(FAST), normal_ms, "{name}");
    }
    assert_eq!(fast.late_payment_after * FAST, normal.late_payment_after);
    assert_eq!(fast.postback_repeat_after * FAST, normal.postback_repeat_after);
    let [(_, provider), (_, sender), (_, lifetime), (_, delay), (_, visibility), ..] = times(&fast);
    assert!(provider < sender && sender < lifetime && lifetime < delay && visibility >= 6 * sender);
    assert!(fast.sender_time_limit <= fast.time_limit && fast.time_limit < INTEGRATION_LIMIT);
}

#[test]
fn a_postback_is_answered_before_the_receiver_reaches_its_time_limit() {
    let limit_s = Template::read().time_limit("postback-receiver");
    let (last_start, last_answer) = (postback_receiver::LAST_START, postback_receiver::LAST_ANSWER);
    assert!(last_start < last_answer, "what is begun last has time to end");
    assert!(last_answer.as_secs() < limit_s, "an answer is better than being killed");
}

#[test]
fn the_queue_and_the_submitter_agree() {
    let template = Template::read();
    let (queue, dead) = (template.properties("SubmissionQueue"), template.properties("DeadLetterQueue"));
    let attempts = template.number("withdrawal-submitter", "SUBMISSION_ATTEMPTS");
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], attempts);
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], json!({"Fn::GetAtt": "DeadLetterQueue.Arn"}));
    let retention_s = queue["MessageRetentionPeriod"].as_u64().unwrap();
    assert!(retention_s < dead["MessageRetentionPeriod"].as_u64().unwrap());
    let longest_s = attempts * template.number("withdrawal-submitter", "RETRY_CEILING_SECONDS");
    let alarm_s = template.properties("WithdrawalNotSubmittedAlarm")["Threshold"].as_u64().unwrap();
    assert!(longest_s <= alarm_s && alarm_s < retention_s);
    let source = &template.properties("WithdrawalSubmitter")["Events"]["Queue"]["Properties"];
    assert_eq!(source["Queue"], json!({"Fn::GetAtt": "SubmissionQueue.Arn"}));
    assert_eq!(source["BatchSize"], 1);
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
}

/// How much of the environment a value takes at most, in bytes. Lambda measures the environment as JSON text, in which a quotation mark, a
/// backslash and a line break are two characters. ARNs and URLs are those of the longest region and stack name.
fn longest(template: &Template, value: &Value) -> usize {
    let parameter = |name: &str| {
        let parameter = &template.section("Parameters")[name];
        let of_values = parameter["AllowedValues"].as_array().into_iter().flatten().map(|it| it.to_string().len());
        let number = parameter["MaxValue"].as_u64().map(|most| most.to_string().len());
        let length =
            parameter["MaxLength"].as_u64().map(|most| {
                let pattern = parameter["AllowedPattern"].as_str().unwrap();
                let takes_any = [r"\S", r"\W", r"\D", "[^"].iter().any(|class| pattern.contains(class));
                assert!(!takes_any, "{name} takes characters of several bytes");
                usize::try_from(most)
                    .unwrap()
                    .saturating_mul(if PRINTABLE.iter().any(|class| pattern.contains(class)) { 2 } else { 1 })
            });
        of_values.max().or(number).or(length).unwrap_or_else(|| panic!("{name} has no greatest length"))
    };
    match value {
        Value::String(text) => text.len(),
        Value::Object(_) if value["Fn::If"].is_array() => {
            value["Fn::If"].as_array().unwrap()[1..].iter().map(|branch| longest(template, branch)).max().unwrap()
        }
        Value::Object(_) if value["Fn::Sub"].is_string() => {
            let parts = value["Fn::Sub"].as_str().unwrap().split("${");
            let parts = parts.map(|part| match part.split_once('}') {
                Some(("AWS::StackName", rest)) => rest.len().saturating_add(43),
                Some((name, rest)) => parameter(name).saturating_add(rest.len()),
                None => part.len(),
            });
            parts.sum()
        }
        Value::Object(_) => match value["Ref"].as_str() {
            Some(name) if template.section("Parameters").contains_key(name) => parameter(name),
            _ => 200,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string().len(),
    }
}

#[test]
fn the_environment_of_a_function_fits_whatever_the_parameters_are() {
    let template = Template::read();
    let global = template.global()["Environment"]["Variables"].as_object().unwrap();
    for function in functions() {
        let all = global.iter().chain(template.variables(&function));
        let sizes = all.map(|(name, value)| r#""":"","#.len() + name.len() + longest(&template, value));
        let size = "{}".len() + sizes.sum::<usize>();
        assert!(size <= 4_096, "{function}: {size} bytes, and Lambda takes 4 KB");
    }
}

/// The characters of JSON text without those that have several bytes.
const PRINTABLE: [&str; 2] = [r"[ -~\t\r\n]", r"[ -&(-~\t\r\n]"];

#[test]
fn a_parameter_in_json_takes_text_of_several_lines_and_writes_other_alphabets_as_escapes() {
    let template = Template::read();
    for (name, open, close) in [
        ("PaymentSystems", "[", "]"),
        ("PaymentWindowParameters", "{", "}"),
        ("WithdrawalCeilingPerHour", "{", "}"),
        ("WithdrawalCeilingPerDay", "{", "}"),
    ] {
        let pattern = &template.section("Parameters")[name]["AllowedPattern"];
        let allowed = jsonschema::validator_for(&json!({ "pattern": pattern })).unwrap();
        for (within, is_good) in
            [("", true), ("\r\n\t\"a\": 1 ", true), (r#""\u0928""#, true), ("\"न\"", false), ("\u{b}", false)]
        {
            assert_eq!(allowed.is_valid(&json!(format!("{open}{within}{close}"))), is_good, "{name}: {within:?}");
        }
    }
}
