//! What each function's role allows, compared with the rights that the function declares.

use std::collections::BTreeSet;

use lambda::{Purpose, Right};
use serde_json::{Value, json};

use super::document::{Template, functions, of_own_table};

/// An action, and what on.
type Action = (String, String);

/// The functions with the rights that they declare.
pub(crate) const DECLARED: [(&str, &[Right]); 12] = [
    ("activate", activate::RIGHTS),
    ("attention-reporter", attention_reporter::RIGHTS),
    ("authorizer", authorizer::RIGHTS),
    ("create-deposit", create_deposit::RIGHTS),
    ("create-withdrawal", create_withdrawal::RIGHTS),
    ("decision-recorder", decision_recorder::RIGHTS),
    ("event-forwarder", event_forwarder::RIGHTS),
    ("event-publisher", event_publisher::RIGHTS),
    ("evidence-verifier", evidence_verifier::RIGHTS),
    ("postback-receiver", postback_receiver::RIGHTS),
    ("transaction-reader", transaction_reader::RIGHTS),
    ("withdrawal-submitter", withdrawal_submitter::RIGHTS),
];

/// A declared right as actions on a resource.
pub(crate) fn actions(right: Right) -> Vec<Action> {
    let on = |service: &str, actions: &[&str], resource: &str| -> Vec<Action> {
        actions.iter().map(|action| (format!("{service}:{action}"), resource.to_owned())).collect()
    };
    let rows = |action: &str, kind: &str| on("dynamodb", &[action], &format!("{kind}#*"));
    match right {
        Right::ReadRows(kind) => rows("GetItem", kind),
        Right::ReadManyRows(kind) => rows("BatchGetItem", kind),
        Right::PutRows(kind) => rows("PutItem", kind),
        Right::UpdateRows(kind) => rows("UpdateItem", kind),
        Right::FindAttention => on("dynamodb", &["Query"], "${Table.Arn}/index/attention"),
        Right::SendMessages => on("sqs", &["SendMessage"], "SubmissionQueue.Arn"),
        Right::TakeMessages => {
            let actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"];
            on("sqs", &actions, "SubmissionQueue.Arn")
        }
        Right::TakeChanges => {
            let actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
            let unpublished = on("sqs", &["SendMessage"], "UnpublishedQueue.Arn");
            [on("dynamodb", &actions, "Table.StreamArn"), unpublished].concat()
        }
        Right::SetChangesAside => {
            let actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
            on("sqs", &actions, "SetAsideQueue.Arn")
        }
        Right::SendEvents => on("sqs", &["SendMessage"], "EventsQueue.Arn"),
        Right::TakeEvents => {
            let actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"];
            on("sqs", &actions, "EventsQueue.Arn")
        }
        Right::MoveEvents => {
            let actions =
                ["SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "StartMessageMoveTask"];
            [on("sqs", &actions, "UndeliveredQueue.Arn"), on("sqs", &["SendMessage"], "EventsQueue.Arn")].concat()
        }
        Right::PublishEvents => on("events", &["PutEvents"], "EventBus.Arn"),
        Right::ReadSecret(purpose) => on("secretsmanager", &["GetSecretValue"], secret_of(purpose)),
    }
}

/// The resource that is the secret of a purpose.
pub(crate) fn secret_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Deposits => "DepositSecret",
        Purpose::Withdrawals => "WithdrawalSecret",
        Purpose::Postbacks => "PostbackSecret",
        Purpose::Tokens => "TokenSecret",
        Purpose::Events => "EventSecret",
    }
}

fn list(value: &Value) -> Vec<&str> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().map(|value| value.as_str().unwrap()).collect()
}

fn rights_of_statement(statement: &Value) -> Vec<Action> {
    assert_eq!(statement["Effect"], "Allow");
    let resource = of_own_table(&statement["Resource"]);
    let known = ["Fn::GetAtt", "Ref", "Fn::Sub"].iter().find_map(|by| resource[*by].as_str());
    let resource = known.unwrap_or_else(|| panic!("{resource}"));
    let on = match (&statement["Condition"], resource) {
        (Value::Null, "Table.Arn") => panic!("a right on all rows: {statement}"),
        (Value::Null, resource) => vec![resource],
        (condition, "Table.Arn") => {
            let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            assert_eq!(condition, &json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}));
            list(keys)
        }
        (condition, _) => panic!("not understood: {condition}"),
    };
    let actions = list(&statement["Action"]).into_iter();
    actions.flat_map(|action| on.iter().map(move |on| (action.to_owned(), (*on).to_owned()))).collect()
}

fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Policies"].as_array().unwrap().iter();
    let all = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    // What is allowed if its condition holds, and nothing is otherwise.
    all.map(|statement| {
        statement["Fn::If"].as_array().map_or(statement, |choice| {
            assert_eq!(choice[2], json!({"Ref": "AWS::NoValue"}));
            &choice[1]
        })
    })
    .collect()
}

fn trusts(role: &Value) -> &Value {
    &role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
}

fn rights_of_role(template: &Template, function: &str) -> BTreeSet<Action> {
    let resource = template.functions()[function];
    let role = &template.properties(resource)["Role"]["Fn::GetAtt"];
    assert_eq!(role, &format!("{resource}Role.Arn"), "each function has its own role");
    statements(template.properties(&format!("{resource}Role"))).into_iter().flat_map(rights_of_statement).collect()
}

#[test]
fn a_role_allows_what_its_function_does_and_nothing_else() {
    let template = Template::read();
    for (function, declared) in DECLARED {
        let log = ["logs:CreateLogStream", "logs:PutLogEvents"].map(|it| (it.to_owned(), "Log.Arn".to_owned()));
        let declared = declared.iter().flat_map(|right| actions(*right)).chain(log);
        assert_eq!(rights_of_role(&template, function), declared.collect(), "{function}");
    }
}

#[test]
fn who_may_do_what_to_money() {
    let template = Template::read();
    let may = |action: &str, on: &str| -> Vec<String> {
        let right = (action.to_owned(), on.to_owned());
        functions().into_iter().filter(|function| rights_of_role(&template, function).contains(&right)).collect()
    };
    assert_eq!(may("sqs:SendMessage", "SubmissionQueue.Arn"), ["create-withdrawal"]);
    assert_eq!(may("dynamodb:UpdateItem", "deposit#*"), ["postback-receiver"]);
    assert_eq!(may("dynamodb:PutItem", "entries#*"), ["activate"]);
    assert_eq!(
        may("dynamodb:PutItem", "payment#*"),
        ["activate", "create-deposit", "decision-recorder", "postback-receiver"]
    );
    assert_eq!(
        may("dynamodb:PutItem", "number#*"),
        ["create-deposit", "decision-recorder", "postback-receiver"],
        "who credits"
    );
    assert_eq!(may("dynamodb:PutItem", "proposal#*"), ["decision-recorder"]);
    assert_eq!(may("dynamodb:PutItem", "waiting#*"), ["postback-receiver"]);
    assert_eq!(may("dynamodb:PutItem", "evidence#*"), ["postback-receiver"]);
    assert_eq!(may("dynamodb:PutItem", "list#*"), ["postback-receiver"]);
    assert_eq!(may("dynamodb:UpdateItem", "ceiling#*"), ["create-withdrawal"]);
    assert_eq!(may("dynamodb:PutItem", "ceiling#*"), [""; 0], "no sum is ever written over");
    let payers =
        ["attention-reporter", "create-withdrawal", "decision-recorder", "postback-receiver", "withdrawal-submitter"];
    assert_eq!(may("dynamodb:PutItem", "withdrawal#*"), payers);
    let checkers = [
        "attention-reporter",
        "create-withdrawal",
        "decision-recorder",
        "event-publisher",
        "postback-receiver",
        "withdrawal-submitter",
    ];
    assert_eq!(may("dynamodb:PutItem", "table#*"), checkers, "who refuses another table, or makes its heartbeat");
    let readers = |purpose| may("secretsmanager:GetSecretValue", secret_of(purpose));
    assert_eq!(readers(Purpose::Deposits), ["activate", "create-deposit"]);
    assert_eq!(readers(Purpose::Withdrawals), ["create-withdrawal"], "the public function signs none");
    assert_eq!(readers(Purpose::Postbacks), ["event-publisher", "evidence-verifier", "postback-receiver"]);
    assert_eq!(readers(Purpose::Tokens), ["authorizer"]);
    assert_eq!(may("dynamodb:Query", "${Table.Arn}/index/attention"), ["attention-reporter", "transaction-reader"]);
    assert_eq!(may("sqs:SendMessage", "SetAsideQueue.Arn"), ["event-publisher"]);
    assert_eq!(may("sqs:ReceiveMessage", "SetAsideQueue.Arn"), ["event-publisher"]);
    assert_eq!(may("events:PutEvents", "EventBus.Arn"), ["event-publisher"], "an event is what the table says");
    assert_eq!(may("sqs:SendMessage", "EventsQueue.Arn"), ["event-forwarder", "event-publisher"]);
}

/// What a policy for people allows.
fn rights_of_policy(template: &Template, policy: &str) -> BTreeSet<Action> {
    let statements = template.properties(policy)["PolicyDocument"]["Statement"].as_array().unwrap();
    let on = |resource: &Value| {
        let resource = of_own_table(resource).as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let route = resource.split_once("${OperatorApi}/$default/").map(|(_, route)| route.replacen('/', " /", 1));
        route.unwrap_or_else(|| resource.to_owned())
    };
    let allowed = statements.iter().flat_map(|statement| {
        assert_eq!((&statement["Effect"], &statement["Condition"]), (&json!("Allow"), &Value::Null));
        let resource = &statement["Resource"];
        let on: Vec<_> = resource.as_array().map_or_else(|| vec![on(resource)], |all| all.iter().map(on).collect());
        let actions = list(&statement["Action"]).into_iter();
        actions.flat_map(|action| on.iter().map(move |on| (action.to_owned(), on.clone()))).collect::<Vec<_>>()
    });
    allowed.collect()
}

/// The table is written by functions alone, and a key is read by functions alone. Who may only look or maintain has no way to a
/// decision.
#[test]
fn people_look_decide_or_maintain_and_none_of_them_writes_to_the_table_or_reads_a_key() {
    let template = Template::read();
    let rights = |policy, allowed: &[(&str, &str)]| {
        let allowed = allowed.iter().map(|(action, on)| ((*action).to_owned(), (*on).to_owned()));
        assert_eq!(rights_of_policy(&template, policy), allowed.collect(), "{policy}");
    };
    rights(
        "LookPolicy",
        &[
            ("dynamodb:GetItem", "Table.Arn"),
            ("dynamodb:BatchGetItem", "Table.Arn"),
            ("dynamodb:Scan", "Table.Arn"),
            ("dynamodb:Query", "${Table.Arn}/index/attention"),
            ("execute-api:Invoke", "POST /verifications"),
        ],
    );
    rights("DecidePolicy", &[("execute-api:Invoke", "POST /decisions")]);
    rights(
        "MaintainPolicy",
        &[
            ("sqs:ReceiveMessage", "DeadLetterQueue.Arn"),
            ("sqs:DeleteMessage", "DeadLetterQueue.Arn"),
            ("sqs:ChangeMessageVisibility", "DeadLetterQueue.Arn"),
            ("sqs:SendMessage", "SubmissionQueue.Arn"),
            ("execute-api:Invoke", "POST /adoptions"),
            ("execute-api:Invoke", "POST /postbacks"),
            ("execute-api:Invoke", "POST /replays"),
        ],
    );
    let of_people: BTreeSet<_> = template.of_type("AWS::IAM::ManagedPolicy").into_keys().collect();
    assert_eq!(of_people, ["DecidePolicy", "EgressPolicy", "LookPolicy", "MaintainPolicy"].into());
}

#[test]
fn no_role_has_a_wildcard() {
    let template = Template::read();
    let roles = template.of_type("AWS::IAM::Role");
    for role in roles.values() {
        for statement in statements(&role["Properties"]) {
            assert_ne!(statement["Resource"], "*", "{statement}");
            assert!(list(&statement["Action"]).iter().all(|action| !action.contains('*')), "{statement}");
        }
    }
}

#[test]
fn each_role_is_a_functions() {
    let template = Template::read();
    let roles = template.of_type("AWS::IAM::Role");
    assert_eq!(roles.len(), functions().len());
    for (name, role) in roles {
        let role = &role["Properties"];
        assert_eq!(trusts(role), &json!({"Service": "lambda.amazonaws.com"}));
        // The managed policies are what Lambda needs to attach a function to the VPC, and to send traces.
        let egress = json!({"Fn::If": ["HasFixedEgress", {"Ref": "EgressPolicy"}, {"Ref": "AWS::NoValue"}]});
        let policy = json!({"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"});
        let traces = json!({"Fn::If": ["IsTraced", policy, {"Ref": "AWS::NoValue"}]});
        let is_in_vpc = !template.properties(name.strip_suffix("Role").unwrap())["VpcConfig"].is_null();
        let managed = if is_in_vpc { json!([egress, traces]) } else { json!([traces]) };
        assert_eq!(role["ManagedPolicyArns"], managed, "{name}");
    }
}

#[test]
fn those_who_call_the_provider_leave_from_the_fixed_address() {
    let template = Template::read();
    for (function, resource) in template.functions() {
        let calls_provider = template.variables(function).contains_key("PROVIDER_API_URL");
        assert_eq!(template.properties(resource)["VpcConfig"].is_object(), calls_provider, "{function}");
    }
}
