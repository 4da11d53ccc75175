//! The HTTP API: who may call what, how often, and which function answers.

use std::collections::{BTreeMap, BTreeSet};

use local::{Api, ROUTES};
use serde_json::{Value, json};

use super::document::Template;

fn function_called<'a>(template: &'a Template, permission: &str) -> &'a str {
    template.properties(permission)["FunctionName"]["Ref"].as_str().unwrap().strip_suffix(".Alias").unwrap()
}

/// The APIs with the names of their stages.
const APIS: [(Api, &str); 3] =
    [(Api::Merchant, "Stage"), (Api::Postbacks, "PostbackStage"), (Api::Operator, "OperatorStage")];

/// Each route's key of an API, with the name of its function's resource and the route's properties.
fn routes(template: &Template, api: Api) -> BTreeMap<&str, (&str, &Value)> {
    let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter();
    let routes = routes.filter(|(_, route)| route["Properties"]["ApiId"]["Ref"] == api.id());
    let routes = routes.map(|(name, route)| {
        let target = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap();
        let integration = target.strip_prefix("integrations/${").unwrap().strip_suffix("Integration}").unwrap();
        let function = function_called(template, &name.replace("Route", "Permission"));
        let integration = template.properties(&format!("{integration}Integration"));
        assert_eq!(integration["IntegrationUri"]["Ref"], format!("{function}.Alias"));
        assert_eq!(integration["PayloadFormatVersion"], "2.0");
        assert_eq!(integration["ApiId"], route["Properties"]["ApiId"]);
        (route["Properties"]["RouteKey"].as_str().unwrap(), (function, &route["Properties"]))
    });
    routes.collect()
}

#[test]
fn only_the_postbacks_route_is_public_and_it_is_alone_on_its_api() {
    let template = Template::read();
    let postbacks = routes(&template, Api::Postbacks);
    assert_eq!(postbacks.keys().copied().collect::<Vec<_>>(), ["POST /postbacks/{token}"]);
    assert!(postbacks.values().all(|(_, route)| route["AuthorizationType"] == "NONE"));
    for (key, (_, route)) in routes(&template, Api::Merchant) {
        assert_eq!(route["AuthorizationType"], json!({"Fn::If": ["UsesTokens", "CUSTOM", "AWS_IAM"]}), "{key}");
        let authorizer = json!({"Fn::If": ["UsesTokens", {"Ref": "TokenAuthorizer"}, {"Ref": "AWS::NoValue"}]});
        assert_eq!(route["AuthorizerId"], authorizer, "{key}");
    }
    for (key, (_, route)) in routes(&template, Api::Operator) {
        assert_eq!(route["AuthorizationType"], "AWS_IAM", "{key}");
    }
    let all = template.of_type("AWS::ApiGatewayV2::Route").len();
    assert_eq!(all, APIS.map(|(api, _)| routes(&template, api).len()).iter().sum::<usize>());
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
    let functions = template.functions();
    for (api, _) in APIS {
        let local = ROUTES.iter().filter(|it| it.api == api);
        let local = local.map(|it| (format!("{} {}", it.method, it.path), functions[it.function]));
        let deployed = routes(&template, api).into_iter().map(|(key, (name, _))| (key.to_owned(), name));
        assert_eq!(deployed.collect::<BTreeMap<_, _>>(), local.collect());
    }
}

#[test]
fn the_gateway_may_call_a_function_for_its_routes_and_for_nothing_else() {
    let template = Template::read();
    let mut permissions = template.of_type("AWS::Lambda::Permission");
    permissions.remove("TokenAuthorizerPermission").unwrap();
    let allowed = permissions.values().map(|it| {
        let source = it["Properties"]["SourceArn"]["Fn::Sub"].as_str().unwrap();
        source.rsplit_once(':').unwrap().1.to_owned()
    });
    let keys = APIS.into_iter().flat_map(|(api, _)| routes(&template, api).into_keys().map(move |key| (api, key)));
    let routes = keys.map(|(api, key)| {
        let (method, path) = key.split_once(' ').unwrap();
        let path: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect();
        format!("${{{}}}/*/{method}{}", api.id(), path.join("/"))
    });
    assert_eq!(allowed.collect::<BTreeSet<_>>(), routes.collect());
}

#[test]
fn a_stage_waits_for_the_routes_that_it_throttles() {
    let template = Template::read();
    for (api, stage) in APIS {
        let awaited = template.section("Resources")[stage]["DependsOn"].as_array().unwrap();
        let awaited: BTreeSet<_> = awaited.iter().map(|it| it.as_str().unwrap()).collect();
        let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter();
        let routes = routes.filter(|(_, route)| route["Properties"]["ApiId"]["Ref"] == api.id());
        assert_eq!(awaited, routes.map(|(name, _)| name).collect());
    }
}

/// A limit: a number, or a parameter's default. No smaller parameter is allowed than `least`.
fn limit(template: &Template, limit: &Value, least: u64) -> u64 {
    let Some(name) = limit["Ref"].as_str() else { return limit.as_u64().unwrap() };
    let parameter = &template.section("Parameters")[name];
    assert!(parameter["MinValue"].as_u64() >= Some(least), "{name}");
    parameter["Default"].as_u64().unwrap()
}

#[test]
fn every_route_is_throttled_and_a_flood_of_one_api_does_not_reach_the_other() {
    let template = Template::read();
    for (api, stage) in APIS {
        let stage = template.properties(stage);
        assert_eq!(stage["ApiId"]["Ref"], api.id());
        let throttled = stage["RouteSettings"].as_object().unwrap();
        let keys: BTreeSet<_> = throttled.keys().map(String::as_str).collect();
        assert_eq!(keys, routes(&template, api).into_keys().collect());
        for (key, settings) in throttled {
            let least = if api == Api::Postbacks { 1_000 } else { 1 };
            let rate = limit(&template, &settings["ThrottlingRateLimit"], least);
            let burst = limit(&template, &settings["ThrottlingBurstLimit"], least);
            assert_eq!(burst, 2 * rate, "{key}");
            let expected = match (api, key.as_str()) {
                (Api::Postbacks, _) => 1_000,
                (Api::Merchant, "GET /transactions") => 20,
                (Api::Merchant, _) => 500,
                (Api::Operator, _) => 50,
            };
            assert_eq!(rate, expected, "{key}");
        }
        let others = &stage["DefaultRouteSettings"];
        assert_eq!((&others["ThrottlingRateLimit"], &others["ThrottlingBurstLimit"]), (&json!(10), &json!(10)));
    }
}
