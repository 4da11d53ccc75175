//! How a change of the table becomes an event, and where one goes that does not.

use serde_json::{Value, json};

use super::document::{Template, of_own_table};

/// How long a table's stream keeps a change.
const STREAM_S: u64 = 24 * 3_600;

#[test]
fn a_change_of_the_table_is_published_or_set_aside_for_a_person() {
    let template = Template::read();
    let source = &template.properties("EventPublisher")["Events"]["Stream"];
    assert_eq!(source["Type"], "DynamoDB");
    let source = &source["Properties"];
    assert_eq!(of_own_table(&source["Stream"]), &json!({"Fn::GetAtt": "Table.StreamArn"}));
    assert_eq!(source["StartingPosition"], "TRIM_HORIZON", "what happens before the mapping is there is published too");
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(source["BisectBatchOnFunctionError"], true);
    assert_eq!(source["MaximumRetryAttempts"], 10_000, "AWS's most: time ends the retries, not their number");
    assert_eq!(source["BatchSize"], local::STREAM_LIMITS.batch_size, "the stand-in does as Lambda does");
    assert_eq!(source["MaximumRetryAttempts"], local::STREAM_LIMITS.retries);
    assert_eq!(source["MaximumRecordAgeInSeconds"], local::STREAM_LIMITS.age.as_secs());
    let given_up_s = source["MaximumRecordAgeInSeconds"].as_u64().unwrap();
    let late_s = template.properties("EventsLateAlarm")["Threshold"].as_u64().unwrap() / 1_000;
    assert!(late_s < given_up_s && given_up_s < STREAM_S / 2, "a person must have time before it and after it");
    let kept = json!({"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": "UnpublishedQueue.Arn"}}});
    assert_eq!(source["DestinationConfig"], kept);
    let [filter] = source["FilterCriteria"]["Filters"].as_array().unwrap().as_slice() else { panic!("{source}") };
    let pattern: Value = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
    assert_eq!(
        pattern,
        serde_json::from_str::<Value>(store::STREAM_FILTER).unwrap(),
        "only marked changes are dropped"
    );
    assert_eq!(template.variables("event-publisher")["EVENT_BUS_NAME"], json!({"Ref": "EventBus"}));
}

#[test]
fn what_was_set_aside_is_tried_again_every_quarter_of_an_hour_and_never_expires() {
    let template = Template::read();
    assert_eq!(template.variables("event-publisher")["SET_ASIDE_QUEUE_URL"], json!({"Ref": "SetAsideQueue"}));
    let queue = template.properties("SetAsideQueue");
    let retry_s = u64::from(local::StackOptions::default().set_aside_retry_seconds);
    assert_eq!((&queue["DelaySeconds"], &queue["VisibilityTimeout"]), (&json!(retry_s), &json!(retry_s)));
    assert!(retry_s >= 6 * template.time_limit("event-publisher"), "as AWS recommends");
    assert!(queue["RedrivePolicy"].is_null(), "an attempt that fails does not use the message up");
    let retention_s = queue["MessageRetentionPeriod"].as_u64().unwrap();
    assert_eq!(retention_s, 2 * event_publisher::RENEWAL.as_secs(), "AWS's most, and time to send it anew");
    let largest = queue["MaximumMessageSize"].as_u64().unwrap_or(256 * 1024);
    assert!(usize::try_from(largest).unwrap() >= lambda::LARGEST_MESSAGE);
    let source = &template.properties("EventPublisher")["Events"]["SetAside"];
    assert_eq!(source["Type"], "SQS");
    let source = &source["Properties"];
    assert_eq!(source["Queue"], json!({"Fn::GetAtt": "SetAsideQueue.Arn"}));
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let batch_bytes = source["BatchSize"].as_u64().unwrap() * u64::try_from(lambda::LARGEST_MESSAGE).unwrap();
    assert!(batch_bytes < 6 * 1024 * 1024 / 2, "a batch fits into an invocation, also with its quotes escaped");
    assert!(source["FilterCriteria"].is_null());
}

#[test]
fn events_are_posted_as_the_local_stack_posts_them() {
    let template = Template::read();
    let rule = template.properties("EventsRule");
    let source = lambda::SOURCE;
    assert_eq!(rule["EventPattern"], json!({"source": [source]}));
    assert_eq!(rule["EventBusName"], json!({"Ref": "EventBus"}));
    let [target] = rule["Targets"].as_array().unwrap().as_slice() else { panic!("{rule}") };
    assert_eq!(target["Arn"], json!({"Fn::GetAtt": "EventsDestination.Arn"}));
    assert_eq!(target["InputPath"], "$.detail");
    assert_eq!(target["RetryPolicy"], json!({"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}));
    assert_eq!(target["DeadLetterConfig"], json!({"Arn": {"Fn::GetAtt": "UndeliveredQueue.Arn"}}));
    let may_keep = &template.properties("UndeliveredQueuePolicy")["PolicyDocument"]["Statement"][0];
    assert_eq!(may_keep["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(may_keep["Condition"], json!({"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "EventsRule.Arn"}}}));
    let resources = template.section("Resources").iter();
    let mut posting = resources.filter(|(name, _)| {
        ["EventsRule", "EventsDest", "EventsConn", "Undeliv"].iter().any(|it| name.starts_with(it))
    });
    assert!(posting.all(|(_, it)| it["Condition"] == "HasEventsUrl"));
}

#[test]
fn during_a_rotation_posted_events_have_both_secrets() {
    let template = Template::read();
    let given = &template.properties("EventsConnection")["AuthParameters"];
    let current = json!({"ApiKeyName": "X-Events-Secret", "ApiKeyValue": {"Ref": "EventsSecret"}});
    assert_eq!(given["ApiKeyAuthParameters"], current);
    let value = json!({"Ref": "EventsSecretPrevious"});
    let previous =
        json!({"HeaderParameters": [{"Key": "X-Events-Secret-Previous", "Value": value, "IsValueSecret": true}]});
    let choice = json!(["HasPreviousEventsSecret", previous, {"Ref": "AWS::NoValue"}]);
    assert_eq!(
        given["InvocationHttpParameters"],
        json!({"Fn::If": choice}),
        "an empty header is one that anybody knows"
    );
}
