//! Every server of a stack takes requests of this machine only, and none of other sites' pages.

#![cfg(test)]

mod fakes;

use local::{HostName, Stack, StackOptions};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use fakes::{fakes, options};

/// Sends a request with these lines in its head, in which `HOST` stands for the address. Gives the status.
async fn send(address: &str, request: &str, head: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = head.replace("HOST", address);
    let request = format!("{request} HTTP/1.1\r\n{head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The addresses of all servers of a stack, with one of Lambda's Runtime API.
async fn servers(stack: &Stack) -> Vec<(&'static str, String)> {
    let look = stack.invoke("activate", &json!({"do": "look"})).await.unwrap();
    let runtime_api = look["environment"]["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap();
    let servers = [
        ("merchant's API", stack.api_url()),
        ("postbacks' API", stack.postback_api_url()),
        ("operator's API", stack.operator_api_url()),
        ("provider", stack.provider_url()),
        ("DynamoDB", stack.dynamodb_url()),
        ("SQS", stack.sqs_url()),
        ("Secrets Manager", stack.secrets_url()),
        ("EventBridge", stack.event_bus_url()),
        ("Runtime API", runtime_api),
    ];
    servers.map(|(name, url)| (name, url.trim_start_matches("http://").to_owned())).into()
}

#[tokio::test]
async fn no_server_of_a_stack_answers_other_sites() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    for (name, address) in servers(&stack).await {
        for (head, refused) in [
            ("Host: HOST", None),
            ("Host: HOST\r\nOrigin: http://HOST", None),
            ("Host: evil.example", Some(421)),
            ("Host: HOST.evil.example", Some(421)),
            ("Host: 127.0.0.1", Some(421)),
            ("Accept: */*", Some(421)),
            ("Host: HOST\r\nOrigin: http://evil.example\r\nContent-Type: text/plain", Some(403)),
            ("Host: HOST\r\nOrigin: null", Some(403)),
            ("Host: HOST\r\nSec-Fetch-Site: cross-site", Some(403)),
            ("Host: HOST\r\nOrigin: http://localhost:8080\r\nSec-Fetch-Site: same-site", Some(403)),
        ] {
            // No server has this path, and some have any; the operator's API answers 404 before it looks for a signature.
            let status = send(&address, "POST /elsewhere", head).await;
            match refused {
                Some(refused) => assert_eq!(status, refused, "{name}: {head}"),
                None => assert!(![403, 421].contains(&status), "{name}: {head}: {status}"),
            }
        }
    }
}

#[tokio::test]
async fn a_page_cannot_take_an_event_from_a_function() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let (_, address) = servers(&stack).await.pop().unwrap();
    for method in ["GET", "HEAD"] {
        let request = format!("{method} /2018-06-01/runtime/invocation/next");
        for head in ["Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", "Sec-Fetch-Site: none"] {
            assert_eq!(send(&address, &request, &format!("Host: HOST\r\n{head}")).await, 403, "{method} {head}");
        }
    }
}

#[tokio::test]
async fn another_name_stands_for_this_machine_at_each_server_that_people_call() {
    let fakes = fakes();
    let host = Some(HostName::parse("sandbox.example").unwrap());
    let stack = Stack::start(StackOptions { host, ..options(&fakes) }).await.unwrap();
    for (name, address) in servers(&stack).await {
        let status = send(&address, "POST /elsewhere", "Host: sandbox.example:8443").await;
        assert_eq!(status == 421, name == "Runtime API", "{name}");
        assert_eq!(send(&address, "POST /elsewhere", "Host: other.example:8443").await, 421, "{name}");
    }
}
