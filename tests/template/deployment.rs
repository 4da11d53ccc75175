//! How it is deployed: the processor, the way to new code and back, the fixed address, and what a person reads afterwards.

use std::collections::BTreeSet;

use serde_json::json;

use super::document::{Template, between, sources};

#[test]
fn new_code_goes_back_by_itself_when_an_alarm_goes_off() {
    let template = Template::read();
    let function = template.global();
    assert_eq!(function["AutoPublishAlias"], "live");
    assert_eq!(function["DeploymentPreference"]["Type"], json!({"Ref": "DeploymentType"}));
    let branches = &function["DeploymentPreference"]["Alarms"]["Fn::If"];
    assert_eq!((&branches[0], &branches[2]), (&json!("IsGradual"), &json!([{"Ref": "AWS::NoValue"}])));
    assert_eq!(branches[1], json!([{"Ref": "FunctionErrorsAlarm"}, {"Ref": "TryAgainAlarm"}]));
    let is_gradual = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "DeploymentType"}, "AllAtOnce"]}]});
    assert_eq!(template.section("Conditions")["IsGradual"], is_gradual);
    assert_eq!(template.section("Parameters")["DeploymentType"]["Default"], "AllAtOnce");
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    assert!(alarms.contains_key("FunctionErrorsAlarm") && alarms.contains_key("TryAgainAlarm"));
}

#[test]
fn functions_run_on_arm64_unless_otherwise_said() {
    let template = Template::read();
    assert_eq!(template.global()["Architectures"], json!([{"Ref": "Architecture"}]));
    let parameter = &template.section("Parameters")["Architecture"];
    assert_eq!((&parameter["Default"], &parameter["AllowedValues"]), (&json!("arm64"), &json!(["arm64", "x86_64"])));
    assert!(
        template.of_type("AWS::Serverless::Function").values().all(|it| it["Properties"]["Architectures"].is_null())
    );
}

#[test]
fn the_public_route_has_a_reservation_of_its_own() {
    let template = Template::read();
    let reserved =
        json!({"Fn::If": ["HasPostbackConcurrency", {"Ref": "PostbackConcurrency"}, {"Ref": "AWS::NoValue"}]});
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        let found = &function["Properties"]["ReservedConcurrentExecutions"];
        assert!(if name == "PostbackReceiver" { *found == reserved } else { found.is_null() }, "{name}");
    }
}

#[test]
fn the_fixed_address_is_there_only_if_wanted() {
    let template = Template::read();
    for (name, resource) in template.section("Resources") {
        let is_network = resource["Type"].as_str().unwrap().starts_with("AWS::EC2::");
        assert_eq!(is_network || name == "EgressPolicy", resource["Condition"] == "HasFixedEgress", "{name}");
    }
    let parameter = &template.section("Parameters")["FixedEgress"];
    assert_eq!(
        (&parameter["Default"], &parameter["AllowedValues"]),
        (&json!(null), &json!(["no", "yes"])),
        "the user chooses"
    );
    let nat = template.properties("Nat");
    assert_eq!(nat["AllocationId"], json!({"Fn::GetAtt": "EgressAddress.AllocationId"}));
    assert_eq!(nat["SubnetId"], json!({"Ref": "PublicSubnet"}));
    let out = template.properties("PrivateRoute");
    assert_eq!((&out["DestinationCidrBlock"], &out["NatGatewayId"]), (&json!("0.0.0.0/0"), &json!({"Ref": "Nat"})));
    assert!(template.properties("OutboundHttps")["SecurityGroupIngress"].is_null());
}

#[test]
fn a_stack_name_that_is_too_long_for_a_function_is_refused_before_anything_is_made() {
    let template = Template::read();
    let check = template.properties("StackNameOfAtMost43Characters");
    assert_eq!(check["Value"], json!({"Ref": "AWS::StackName"}));
    let most = template.functions().into_keys().map(|function| 64 - format!("-{function}").len()).min().unwrap();
    assert_eq!(check["AllowedPattern"], format!("^.{{1,{most}}}$"));
    let table = &template.section("Resources")["Table"];
    assert_eq!(table["DependsOn"], "StackNameOfAtMost43Characters", "a table is not left behind");
}

#[test]
fn calls_are_traced_only_if_wanted_and_then_by_every_function() {
    let template = Template::read();
    assert_eq!(template.section("Parameters")["Tracing"]["Default"], "off");
    assert_eq!(template.global()["Tracing"], json!({"Fn::If": ["IsTraced", "Active", "PassThrough"]}));
    assert!(template.of_type("AWS::Serverless::Function").values().all(|it| it["Properties"]["Tracing"].is_null()));
}

#[test]
fn the_table_is_warmed_for_a_launch_only_if_wanted() {
    let template = Template::read();
    let parameter = &template.section("Parameters")["WarmThroughput"];
    assert_eq!(parameter["Default"], "");
    let allowed = jsonschema::validator_for(&json!({"pattern": parameter["AllowedPattern"]})).unwrap();
    for (value, is_good) in [
        ("", true),
        ("12000,4000", true),
        ("40000,20000", true),
        ("100000,400000", true),
        ("11999,4000", false),
        ("12000,3999", false),
        ("12000", false),
        ("12000,4000,1", false),
        ("off", false),
    ] {
        assert_eq!(allowed.is_valid(&json!(value)), is_good, "{value}");
    }
    let table = template.properties("Table");
    let warm = &table["WarmThroughput"]["Fn::If"];
    assert_eq!((&warm[0], &warm[2]), (&json!("HasWarmThroughput"), &json!({"Ref": "AWS::NoValue"})));
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["WarmThroughput"], table["WarmThroughput"],
        "the index is written too"
    );
}

#[test]
fn what_takes_messages_and_changes_has_its_concurrency_as_a_parameter() {
    let template = Template::read();
    let parameters = template.section("Parameters");
    let of = |function: &str, event: &str| template.properties(function)["Events"][event]["Properties"].clone();
    let submissions = &of("WithdrawalSubmitter", "Queue")["ScalingConfig"]["MaximumConcurrency"];
    assert_eq!(*submissions, json!({"Ref": "SubmissionConcurrency"}));
    assert!(parameters["SubmissionConcurrency"]["MinValue"].as_u64() >= Some(2), "AWS's least");
    assert_eq!(of("EventPublisher", "Stream")["ParallelizationFactor"], json!({"Ref": "PublisherConcurrency"}));
    let publisher = &parameters["PublisherConcurrency"];
    assert_eq!((&publisher["Default"], &publisher["MaxValue"]), (&json!(1), &json!(10)));
}

#[test]
fn a_person_reads_what_is_needed_next() {
    let template = Template::read();
    let outputs = template.section("Outputs");
    assert_eq!(outputs["ApiUrl"]["Value"], json!({"Fn::GetAtt": "Api.ApiEndpoint"}));
    assert_eq!(
        outputs["PostbackUrl"]["Value"],
        json!({"Fn::Sub": "${PostbackApi.ApiEndpoint}/postbacks/{PostbackToken}"})
    );
    let address = &outputs["EgressIp"];
    assert_eq!(
        (&address["Condition"], &address["Value"]),
        (&json!("HasFixedEgress"), &json!({"Ref": "EgressAddress"}))
    );
    for (name, output) in outputs {
        assert!(output["Description"].is_string(), "{name}");
    }
}

#[test]
fn the_operators_tool_is_given_all_addresses() {
    let template = Template::read();
    let given = template.section("Outputs")["OperatorEnvironment"]["Value"]["Fn::Sub"][0].as_str().unwrap().to_owned();
    let given: BTreeSet<_> = given.lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect();
    let source = sources("operator/src");
    let asked = ["required(\"", "setting(\"", "made_from_json(\""].iter().flat_map(|call| between(&source, call, "\""));
    let asked: BTreeSet<_> = asked.map(str::to_owned).chain(["AWS_REGION".to_owned()]).collect();
    assert_eq!(given, asked);
}
