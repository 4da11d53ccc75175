//! What is retained, what is encrypted, and what is secret.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use lambda::Purpose;

use super::document::{self, Template, between, functions, sources};
use super::rights::secret_of;

#[test]
fn the_table_outlives_everything() {
    let template = Template::read();
    let tables = template.of_type("AWS::DynamoDB::Table");
    assert_eq!(tables.len(), 1);
    let table = tables["Table"];
    assert_eq!((&table["DeletionPolicy"], &table["UpdateReplacePolicy"]), (&json!("Retain"), &json!("Retain")));
    let table = &table["Properties"];
    assert_eq!(table["DeletionProtectionEnabled"], true);
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["KeySchema"], json!([{"AttributeName": "transaction_id", "KeyType": "HASH"}]));
    assert!(table["TimeToLiveSpecification"].is_null(), "a row that expires is a second credit");
}

/// Whether a value refers to the stack's own table.
fn names_own_table(value: &Value) -> bool {
    let names = |it: &Value| it.as_str().is_some_and(|text| text == "Table" || text.starts_with("Table."));
    let within = |it: &Value| it.as_str().is_some_and(|text| text.contains("${Table}") || text.contains("${Table."));
    names(&value["Ref"]) || names(&value["Fn::GetAtt"]) || within(&value["Fn::Sub"])
}

/// All places that refer to the stack's own table whether or not the stack owns one.
fn unconditional(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(members) => {
            let choice = value["Fn::If"].as_array().filter(|it| it[0] == "OwnsTable");
            match choice {
                Some(choice) => unconditional(&choice[2]),
                None if names_own_table(value) => vec![value],
                None => members.values().flat_map(unconditional).collect(),
            }
        }
        Value::Array(values) => values.iter().flat_map(unconditional).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn an_existing_table_takes_the_place_of_the_stacks_own_everywhere() {
    let template = Template::read();
    let table = template.of_type("AWS::DynamoDB::Table")["Table"];
    assert_eq!(table["Condition"], "OwnsTable");
    assert_eq!(table["Properties"]["TableName"], json!({"Ref": "AWS::StackName"}), "a second, empty table is refused");
    for (name, resource) in template.section("Resources") {
        assert_eq!(unconditional(resource), [&Value::Null; 0], "{name}");
    }
    for (name, output) in template.section("Outputs") {
        assert_eq!(unconditional(output), [&Value::Null; 0], "{name}");
    }
    for function in functions() {
        let variables = template.variables(&function);
        let of = |name: &str, parameter: &str| {
            variables.get(name).is_none_or(|value| value["Fn::If"][2] == json!({"Ref": parameter}))
        };
        assert!(of("TABLE_NAME", "ExistingTable") && of("TABLE_STREAM_ARN", "ExistingTableStream"), "{function}");
    }
}

#[test]
fn the_table_streams_its_changes_and_finds_what_needs_attention() {
    let template = Template::read();
    let mut table = template.properties("Table").clone();
    assert_eq!(table["StreamSpecification"], json!({"StreamViewType": "NEW_AND_OLD_IMAGES"}));
    table["GlobalSecondaryIndexes"][0].as_object_mut().unwrap().remove("WarmThroughput");
    let schema: Value = serde_json::from_str(store::CREATE_TABLE).unwrap();
    for part in ["KeySchema", "GlobalSecondaryIndexes", "AttributeDefinitions", "BillingMode"] {
        assert_eq!(table[part], schema[part], "{part}");
    }
    assert_eq!(table["StreamSpecification"]["StreamViewType"], schema["StreamSpecification"]["StreamViewType"]);
}

/// The table is not among them: it cannot be deleted while it is protected.
#[test]
fn queues_secrets_and_the_address_outlive_the_stack_and_nothing_is_left_of_a_creation_that_failed() {
    let template = Template::read();
    for kind in ["AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::EC2::EIP"] {
        for (name, resource) in template.of_type(kind) {
            let policies = (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]);
            assert_eq!(policies, (&json!("RetainExceptOnCreate"), &json!("Retain")), "{name}");
        }
    }
}

#[test]
fn who_writes_to_the_table_is_recorded_on_request_where_it_cannot_be_deleted() {
    let template = Template::read();
    assert_eq!(template.section("Parameters")["TableTrail"]["Default"], "off");
    for name in ["Trail", "TrailBucket", "TrailBucketPolicy"] {
        assert_eq!(template.section("Resources")[name]["Condition"], "HasTableTrail", "{name}");
    }
    let trail = template.properties("Trail");
    assert_eq!((&trail["IsLogging"], &trail["EnableLogFileValidation"]), (&json!(true), &json!(true)));
    let fields = trail["AdvancedEventSelectors"][0]["FieldSelectors"].as_array().unwrap();
    let selected: BTreeMap<_, _> = fields.iter().map(|it| (it["Field"].as_str().unwrap(), &it["Equals"][0])).collect();
    assert_eq!(selected["eventCategory"], "Data");
    assert_eq!(selected["resources.type"], "AWS::DynamoDB::Table");
    assert_eq!(selected["resources.ARN"]["Fn::If"][1], json!({"Fn::GetAtt": "Table.Arn"}));
    assert_eq!((selected["readOnly"], selected.len()), (&json!("false"), 4), "every write, whoever made it");
    let bucket = &template.section("Resources")["TrailBucket"];
    assert_eq!(bucket["DeletionPolicy"], "RetainExceptOnCreate");
    let bucket = &bucket["Properties"];
    assert_eq!(bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"], "GOVERNANCE");
    assert!(bucket["PublicAccessBlockConfiguration"].as_object().unwrap().values().all(|it| it == true));
    let name = json!({"Fn::Sub": "${AWS::StackName}-table"});
    assert_eq!(trail["TrailName"], name, "the bucket's policy names it");
    let statements = template.properties("TrailBucketPolicy")["PolicyDocument"]["Statement"].as_array().unwrap();
    for statement in statements.iter().filter(|it| it["Effect"] == "Allow") {
        assert_eq!(statement["Principal"], json!({"Service": "cloudtrail.amazonaws.com"}));
        let source = statement["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"].as_str().unwrap();
        assert!(source.ends_with("trail/${AWS::StackName}-table"), "{source}");
    }
}

#[test]
fn queues_and_alarms_are_encrypted() {
    let template = Template::read();
    for (name, queue) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
    }
    for (name, topic) in template.of_type("AWS::SNS::Topic") {
        assert_eq!(topic["Properties"]["KmsMasterKeyId"], json!({"Ref": "AlarmKey"}), "{name}");
    }
    assert_eq!(template.properties("AlarmKey")["EnableKeyRotation"], true);
}

#[test]
fn logs_end_some_day_and_every_function_has_one() {
    let template = Template::read();
    for (name, group) in template.of_type("AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{name}");
    }
    assert_eq!(template.global()["LoggingConfig"]["LogGroup"], json!({"Ref": "Log"}));
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        assert!(function["Properties"]["LoggingConfig"].is_null(), "{name} logs elsewhere");
    }
}

#[test]
fn the_access_logs_hold_neither_paths_nor_bodies_nor_headers() {
    let template = Template::read();
    let settings = ["Stage", "PostbackStage"].map(|stage| &template.properties(stage)["AccessLogSettings"]);
    assert_ne!(settings[0]["DestinationArn"], settings[1]["DestinationArn"]);
    assert_eq!(settings[0]["Format"], settings[1]["Format"]);
    let format = settings[0]["Format"].as_str().unwrap();
    let fields: Value = serde_json::from_str(format).unwrap();
    let logged: BTreeSet<_> = fields.as_object().unwrap().values().map(|field| field.as_str().unwrap()).collect();
    let allowed = [
        "$context.authorizer.error",
        "$context.identity.sourceIp",
        "$context.integration.error",
        "$context.requestId",
        "$context.responseLatency",
        "$context.routeKey",
        "$context.status",
    ];
    assert_eq!(logged, BTreeSet::from(allowed));
}

/// A secret's text with the given parameters, as `Fn::Sub` and `Fn::If` make it.
fn secret(template: &Template, purpose: Purpose, given: &dyn Fn(&str) -> String) -> Value {
    let text = &template.properties(secret_of(purpose))["SecretString"]["Fn::Sub"];
    let (text, parts) = (text.as_str().unwrap_or_else(|| text[0].as_str().unwrap()), &text[1]);
    let mut text = text.to_owned();
    for (name, part) in parts.as_object().into_iter().flatten() {
        text = text.replace(&format!("${{{name}}}"), &decide(template, part, given));
    }
    for parameter in template.section("Parameters").keys() {
        text = text.replace(&format!("${{{parameter}}}"), &given(parameter));
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn decide(template: &Template, value: &Value, given: &dyn Fn(&str) -> String) -> String {
    match (value.as_str(), value["Fn::Sub"].as_str(), value["Fn::If"].as_array()) {
        (Some(text), ..) | (_, Some(text), _) => text.to_owned(),
        (.., Some(branches)) => {
            let condition = &template.section("Conditions")[branches[0].as_str().unwrap()];
            decide(template, &branches[if holds(template, condition, given) { 1 } else { 2 }], given)
        }
        _ => panic!("{value}"),
    }
}

fn holds(template: &Template, condition: &Value, given: &dyn Fn(&str) -> String) -> bool {
    let (name, operands) = condition.as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "Fn::Not" => !holds(template, &operands[0], given),
        "Fn::And" => operands.as_array().unwrap().iter().all(|operand| holds(template, operand, given)),
        "Fn::Equals" => given(operands[0]["Ref"].as_str().unwrap()) == operands[1].as_str().unwrap(),
        "Condition" => holds(template, &template.section("Conditions")[operands.as_str().unwrap()], given),
        name => panic!("{name}"),
    }
}

/// The fields of the functions' `Keys`, but for what is flattened.
fn secrets_read() -> BTreeSet<String> {
    let sources: Vec<_> = functions().iter().map(|function| sources(&format!("functions/{function}/src"))).collect();
    let evidence = document::sources("shared/paykassma/src");
    let keys = sources.iter().flat_map(|source| between(source, "pub struct Keys {\n", "\n}"));
    let of_evidence = ["pub struct EvidenceKeys {\n", "pub struct PostbackSecrets {\n"];
    let keys = keys.chain(of_evidence.iter().flat_map(|start| between(&evidence, start, "\n}")));
    let fields = keys.flat_map(|keys| between(keys, "pub ", ":")).map(str::to_owned);
    fields.filter(|field| !["of_today", "postbacks"].contains(&field.as_str())).collect()
}

const PURPOSES: [Purpose; 5] =
    [Purpose::Deposits, Purpose::Withdrawals, Purpose::Postbacks, Purpose::Tokens, Purpose::Events];

/// A value of a parameter.
fn given(parameter: &str) -> String {
    if parameter == "RetiredPostbackKeys" { "[]".into() } else { format!("<{parameter}>") }
}

#[test]
fn the_secrets_are_the_documents_that_the_functions_read() {
    let template = Template::read();
    let all = PURPOSES.map(|purpose| secret(&template, purpose, &given));
    let fields: Vec<_> = all.iter().flat_map(|secret| secret.as_object().unwrap().keys().cloned()).collect();
    assert_eq!(fields.iter().cloned().collect::<BTreeSet<_>>(), secrets_read());
    assert_eq!(fields.len(), secrets_read().len(), "nothing is in two secrets");
    let [deposits, withdrawals, postbacks, tokens, events] = all;
    assert_eq!(deposits, json!({"pluginapi_secret": "<PluginApiSecret>"}));
    assert_eq!(withdrawals, json!({"withdrawal_private_key": "<WithdrawalPrivateKey>"}));
    assert_eq!(postbacks["access_key_previous"], "<PostbackAccessKeyPrevious>");
    assert_eq!(postbacks["postback_private_key_previous"], "<PostbackPrivateKeyPrevious>");
    assert_eq!(postbacks["postback_token_previous"], "<PostbackTokenPrevious>");
    assert_eq!(tokens["merchant_token_hashes"], json!(["<MerchantTokenHash>", "<MerchantTokenHashPrevious>"]));
    assert_eq!(
        (&events["events_secret"], &events["events_secret_previous"]),
        (&json!("<EventsSecret>"), &json!("<EventsSecretPrevious>"))
    );
}

#[test]
fn there_is_a_secret_for_each_purpose() {
    let template = Template::read();
    let secrets = template.of_type("AWS::SecretsManager::Secret");
    assert_eq!(secrets.into_keys().collect::<BTreeSet<_>>(), PURPOSES.map(secret_of).into());
}

#[test]
fn what_is_not_given_is_not_in_the_secret() {
    let template = Template::read();
    let without = |word: &'static str| {
        move |parameter: &str| if parameter.contains(word) { String::new() } else { given(parameter) }
    };
    let postbacks = secret(&template, Purpose::Postbacks, &without("Previous"));
    let fields = postbacks.as_object().unwrap().keys().map(String::as_str);
    assert!(fields.filter(|field| field.contains("previous")).count() == 0, "an empty key is one that anybody knows");
    let events = secret(&template, Purpose::Events, &without("Previous"));
    assert_eq!(events, json!({"events_secret": "<EventsSecret>"}));
    let one = secret(&template, Purpose::Tokens, &without("Previous"));
    assert_eq!(one["merchant_token_hashes"], json!(["<MerchantTokenHash>"]));
    let nobody = secret(&template, Purpose::Tokens, &without("Hash"));
    assert_eq!(nobody["merchant_token_hashes"], json!([]));
}

#[test]
fn a_secret_is_not_echoed_and_goes_nowhere_but_into_a_secret() {
    let template = Template::read();
    let mut elsewhere = template.section("Resources").clone();
    let mut take = |name: &str| elsewhere.remove(name).unwrap().to_string();
    let secret = PURPOSES.map(secret_of).map(&mut take).concat();
    let outputs = Value::from(template.section("Outputs").clone()).to_string();
    let elsewhere = Value::from(elsewhere).to_string() + &outputs;
    for (name, parameter) in template.section("Parameters") {
        let is_secret = secret.contains(&format!("${{{name}}}"));
        assert_eq!(parameter["NoEcho"] == true, is_secret, "{name}");
        let used = [format!("{{\"Ref\":\"{name}\"}}"), format!("${{{name}}}")];
        assert!(!is_secret || !used.iter().any(|used| elsewhere.contains(used)), "{name} is used in the open");
    }
}

#[test]
fn a_parameter_says_what_it_is_and_what_it_may_be() {
    let template = Template::read();
    for (name, parameter) in template.section("Parameters") {
        assert!(parameter["Description"].is_string(), "{name}");
        let is_limited =
            ["AllowedPattern", "AllowedValues", "MaxValue"].iter().any(|limit| !parameter[*limit].is_null());
        assert!(is_limited, "{name}");
    }
}

#[test]
fn an_foreign_withdrawal_is_not_sent_again_by_default() {
    let template = Template::read();
    assert_eq!(template.section("Parameters")["ResendUnknown"]["Default"], "off");
    assert_eq!(template.variables("withdrawal-submitter")["RESEND_UNKNOWN"], json!({"Ref": "ResendUnknown"}));
}
