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
fn all_events_go_to_the_forwarder_and_none_is_used_up() {
    let template = Template::read();
    let rule = template.properties("EventsRule");
    let source = lambda::SOURCE;
    assert_eq!(rule["EventPattern"], json!({"source": [source]}));
    assert_eq!(rule["EventBusName"], json!({"Ref": "EventBus"}));
    let [target] = rule["Targets"].as_array().unwrap().as_slice() else { panic!("{rule}") };
    assert_eq!(target["Arn"], json!({"Fn::GetAtt": "EventsQueue.Arn"}));
    assert_eq!(target["InputPath"], "$.detail");
    assert_eq!(target["DeadLetterConfig"], json!({"Arn": {"Fn::GetAtt": "UndeliveredQueue.Arn"}}));
    let may_send = &template.properties("EventsQueuePolicy")["PolicyDocument"]["Statement"][0];
    assert_eq!(may_send["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(may_send["Condition"], json!({"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "EventsRule.Arn"}}}));

    let replays = json!({"Fn::If": ["HasEventsUrl", {"Ref": "EventsQueue"}, ""]});
    assert_eq!(template.variables("event-publisher")["REPLAY_QUEUE_URL"], replays, "there is one way to push");
    let queue = template.properties("EventsQueue");
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], json!({"Fn::GetAtt": "UndeliveredQueue.Arn"}));
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], 1_000, "SQS's most: the age ends the attempts");
    for queue in ["EventsQueue", "UndeliveredQueue"] {
        assert_eq!(template.properties(queue)["MessageRetentionPeriod"], 1_209_600, "{queue}: SQS's most");
    }
    let limit_s = template.time_limit("event-forwarder");
    assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= 6 * limit_s, "as AWS recommends");
    let source = &template.properties("EventForwarder")["Events"]["Queue"]["Properties"];
    assert_eq!(source["Queue"], json!({"Fn::GetAtt": "EventsQueue.Arn"}));
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let schedule = &template.properties("EventForwarder")["Events"]["Backlog"];
    assert_eq!(schedule, &json!({"Type": "Schedule", "Properties": {"Schedule": "rate(15 minutes)"}}));
    let resources = template.section("Resources").iter();
    let names = ["EventsRule", "EventsQueue", "Undelivered", "EventForwarder", "EventSecret"];
    let mut posting = resources.filter(|(name, _)| names.iter().any(|it| name.starts_with(it)));
    assert!(posting.all(|(_, it)| it["Condition"] == "HasEventsUrl"));
}

#[test]
fn the_forwarder_has_time_for_the_slowest_receiver() {
    let template = Template::read();
    let variables = template.variables("event-forwarder");
    let number = |name: &str| variables[name].as_str().unwrap().parse::<u64>().unwrap();
    let defaults = local::StackOptions::default();
    assert_eq!(number("EVENTS_TIMEOUT_MS"), 15_000);
    assert!(number("EVENTS_TIMEOUT_MS") < 1_000 * template.time_limit("event-forwarder"));
    assert_eq!(number("EVENTS_FIRST_RETRY_SECONDS"), u64::from(defaults.events_first_retry_seconds));
    assert_eq!(number("EVENTS_GIVE_UP_SECONDS"), u64::from(defaults.events_give_up_seconds));
    assert_eq!(defaults.events_probe_after.as_secs(), 900);
    let allowed = template.section("Parameters")["EventsUrl"]["AllowedPattern"].as_str().unwrap();
    assert!(allowed.starts_with("^(https://"), "{allowed}");
}
