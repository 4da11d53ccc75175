//! Functions, their settings, their routes and their time limits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::document::{Template, between, file, functions, sources};

/// The settings that some code reads, and the endpoints of its clients.
fn settings_read(source: &str) -> BTreeSet<String> {
    let source: String = source.split_whitespace().collect();
    let reads = ["required", "optional", "parsed", "json", "number", "switch"];
    let named = reads.iter().flat_map(|read| between(&source, &format!("environment.{read}(\""), "\""));
    let endpoints = between(&source, "client!(self,environment,", "\")").into_iter();
    named.chain(endpoints.map(|client| client.split_once('"').unwrap().1)).map(str::to_owned).collect()
}

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

#[test]
fn a_function_gets_the_settings_that_it_reads_and_no_others() {
    let template = Template::read();
    for function in functions() {
        let read = settings_read(&sources(&format!("functions/{function}/src")));
        assert_eq!(template.variables(&function).keys().cloned().collect::<BTreeSet<_>>(), read, "{function}");
    }
    let of_lambda = ["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let mut read = settings_read(&(file("shared/edge/src/aws.rs") + &file("shared/edge/src/log.rs")));
    read.retain(|name| !of_lambda.contains(&name.as_str()));
    let given = template.global()["Environment"]["Variables"].as_object().unwrap();
    assert_eq!(given.keys().cloned().collect::<BTreeSet<_>>(), read);
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
fn the_time_limits_are_one_ladder() {
    let template = Template::read();
    let connect_s: u64 =
        between(&file("shared/paykassma/src/client.rs"), "Duration::from_secs(", ")")[0].parse().unwrap();
    let delay_s = template.number("create-withdrawal", "SUBMISSION_DELAY_SECONDS");
    let sender_ms = template.number("withdrawal-submitter", "SENDER_LIFETIME_MS");
    let queue = template.properties("SubmissionQueue");
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
        let function = functions.iter().find(|(_, resource)| name == format!("{resource}Integration")).unwrap().0;
        assert!(template.time_limit(function) * 1_000 < gateway_ms && gateway_ms < 30_000, "{name}");
    }
    assert!(template.time_limit("authorizer") < 10, "the gateway waits no longer for an authorizer");
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
    let alarm_s = template.properties("QueueAgeAlarm")["Threshold"].as_u64().unwrap();
    assert!(longest_s <= alarm_s && alarm_s < retention_s);
    let source = &template.properties("WithdrawalSubmitter")["Events"]["Queue"]["Properties"];
    assert_eq!(source["Queue"], json!({"Fn::GetAtt": "SubmissionQueue.Arn"}));
    assert_eq!(source["BatchSize"], 1);
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert!(source["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap() >= 2, "AWS's least");
}

/// Each route's key, with the name of its function's resource and the route's properties.
fn routes(template: &Template) -> BTreeMap<&str, (&str, &Value)> {
    let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter();
    let routes = routes.map(|(name, route)| {
        let function = name.strip_suffix("Route").unwrap();
        assert_eq!(route["Properties"]["Target"]["Fn::Sub"], format!("integrations/${{{function}Integration}}"));
        let integration = template.properties(&format!("{function}Integration"));
        assert_eq!(integration["IntegrationUri"]["Ref"], format!("{function}.Alias"));
        assert_eq!(integration["PayloadFormatVersion"], "2.0");
        (route["Properties"]["RouteKey"].as_str().unwrap(), (function, &route["Properties"]))
    });
    routes.collect()
}

#[test]
fn only_the_postbacks_route_is_public() {
    let template = Template::read();
    for (key, (_, route)) in routes(&template) {
        if key == "POST /postbacks/{token}" {
            assert_eq!(route["AuthorizationType"], "NONE");
        } else {
            assert_eq!(route["AuthorizationType"], json!({"Fn::If": ["UsesTokens", "CUSTOM", "AWS_IAM"]}), "{key}");
            let authorizer = json!({"Fn::If": ["UsesTokens", {"Ref": "TokenAuthorizer"}, {"Ref": "AWS::NoValue"}]});
            assert_eq!(route["AuthorizerId"], authorizer, "{key}");
        }
    }
    let authorizer = template.properties("TokenAuthorizer");
    assert_eq!(authorizer["IdentitySource"], json!(["$request.header.Authorization"]));
    assert_eq!(
        (&authorizer["AuthorizerPayloadFormatVersion"], &authorizer["EnableSimpleResponses"]),
        (&json!("2.0"), &json!(true))
    );
    assert_eq!(authorizer["AuthorizerResultTtlInSeconds"], 300);
}

#[test]
fn the_routes_are_those_of_the_local_stack() {
    let template = Template::read();
    let local = file("local/src/functions.rs");
    let deployed = template.functions();
    let local: BTreeMap<_, _> = between(&local, "Route { method: ", " }")
        .into_iter()
        .map(|route| {
            let quoted: Vec<_> = route.split('"').skip(1).step_by(2).collect();
            (format!("{} {}", quoted[0], quoted[1]), deployed[quoted[2]])
        })
        .collect();
    let deployed: BTreeMap<_, _> =
        routes(&template).into_iter().map(|(key, (name, _))| (key.to_owned(), name)).collect();
    assert_eq!(deployed, local);
}

#[test]
fn every_route_is_throttled() {
    let template = Template::read();
    let throttled = template.properties("Stage")["RouteSettings"].as_object().unwrap();
    assert_eq!(
        throttled.keys().map(String::as_str).collect::<Vec<_>>(),
        routes(&template).into_keys().collect::<Vec<_>>()
    );
    for (key, settings) in
        throttled.iter().chain([(&"default".to_owned(), &template.properties("Stage")["DefaultRouteSettings"])])
    {
        assert!(settings["ThrottlingRateLimit"].as_u64() > Some(0), "{key}");
        assert!(settings["ThrottlingBurstLimit"].as_u64() > Some(0), "{key}");
    }
}
