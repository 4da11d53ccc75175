//! How a change of the table becomes an event, and where one goes that does not.

use serde_json::json;

use super::document::Template;

/// How long a table's stream keeps a change.
const STREAM_S: u64 = 24 * 3_600;

#[test]
fn a_change_of_the_table_is_published_or_set_aside_for_a_person() {
    let template = Template::read();
    let source = &template.properties("EventPublisher")["Events"]["Stream"];
    assert_eq!(source["Type"], "DynamoDB");
    let source = &source["Properties"];
    assert_eq!(source["Stream"], json!({"Fn::GetAtt": "Table.StreamArn"}));
    assert_eq!(source["StartingPosition"], "TRIM_HORIZON", "what happens before the mapping is there is published too");
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(source["BisectBatchOnFunctionError"], true);
    assert_eq!(source["MaximumRetryAttempts"], 10_000, "AWS's most: time ends the retries, not their number");
    let given_up_s = source["MaximumRecordAgeInSeconds"].as_u64().unwrap();
    let late_s = template.properties("EventsLateAlarm")["Threshold"].as_u64().unwrap() / 1_000;
    assert!(late_s < given_up_s && given_up_s < STREAM_S / 2, "a person must have time before it and after it");
    let kept = json!({"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": "UnpublishedQueue.Arn"}}});
    assert_eq!(source["DestinationConfig"], kept);
    assert!(source["FilterCriteria"].is_null(), "what is an event is the code's to say");
    assert_eq!(template.variables("event-publisher")["EVENT_BUS_NAME"], json!({"Ref": "EventBus"}));
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
