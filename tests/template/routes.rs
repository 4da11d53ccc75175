//! The HTTP API: who may call what, how often, and which function answers.

use std::collections::{BTreeMap, BTreeSet};

use local::ROUTES;
use serde_json::{Value, json};

use super::document::Template;

fn function_called<'a>(template: &'a Template, permission: &str) -> &'a str {
    template.properties(permission)["FunctionName"]["Ref"].as_str().unwrap().strip_suffix(".Alias").unwrap()
}

/// Each route's key, with the name of its function's resource and the route's properties.
fn routes(template: &Template) -> BTreeMap<&str, (&str, &Value)> {
    let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter();
    let routes = routes.map(|(name, route)| {
        let target = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap();
        let function = target.strip_prefix("integrations/${").unwrap().strip_suffix("Integration}").unwrap();
        assert_eq!(function_called(template, &name.replace("Route", "Permission")), function);
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
    let functions = template.functions();
    let local: BTreeMap<_, _> =
        ROUTES.iter().map(|it| (format!("{} {}", it.method, it.path), functions[it.function])).collect();
    let deployed: BTreeMap<_, _> =
        routes(&template).into_iter().map(|(key, (name, _))| (key.to_owned(), name)).collect();
    assert_eq!(deployed, local);
}

#[test]
fn the_gateway_may_call_a_function_for_its_routes_and_for_nothing_else() {
    let template = Template::read();
    let mut permissions = template.of_type("AWS::Lambda::Permission");
    permissions.remove("TokenAuthorizerPermission").unwrap();
    let allowed = permissions.values().map(|it| {
        let source = it["Properties"]["SourceArn"]["Fn::Sub"].as_str().unwrap();
        source.split_once("${Api}/*/").unwrap().1.to_owned()
    });
    let routes = routes(&template).into_keys().map(|key| {
        let (method, path) = key.split_once(' ').unwrap();
        let path: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect();
        format!("{method}{}", path.join("/"))
    });
    assert_eq!(allowed.collect::<BTreeSet<_>>(), routes.collect());
}

#[test]
fn the_stage_waits_for_the_routes_that_it_throttles() {
    let template = Template::read();
    let awaited = template.section("Resources")["Stage"]["DependsOn"].as_array().unwrap();
    let awaited: BTreeSet<_> = awaited.iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(awaited, template.of_type("AWS::ApiGatewayV2::Route").into_keys().collect());
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
