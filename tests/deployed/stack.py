"""A stack of the packaged bundle on an emulator of AWS: deployed by `sam deploy`, called through its API Gateway.

The emulator (ministack) deploys CloudFormation and runs the functions' zip files as processes. `emulated` names all that a template must do
without there.
"""
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEBUG = ROOT / "target/debug"
NAME = "paykassma"
TOKEN = "merchant_token_of_the_check"
POSTBACK_TOKEN = "postback_token_of_the_check_0123456789"
# What the provider and the stack share: the keys of the local stack's environment, and the template's parameters.
SECRETS = {
    "PLUGINAPI_SECRET": ("PluginApiSecret", "pluginapi_secret_of_the_check"),
    "WITHDRAWAL_PRIVATE_KEY": ("WithdrawalPrivateKey", "withdrawal_key_of_the_check"),
    "ACCESS_KEY": ("PostbackAccessKey", "access_key_of_the_check"),
    "POSTBACK_PRIVATE_KEY": ("PostbackPrivateKey", "postback_key_of_the_check"),
}

PARAMETERS = {
    "ProviderServer": "provider.example.com",
    "PostbackToken": POSTBACK_TOKEN,
    "MerchantTokenHash": hashlib.sha256(TOKEN.encode()).hexdigest(),
    "WithdrawalCeilingPerHour": "none",
    "WithdrawalCeilingPerDay": "100000",
    "FixedEgress": "no",
    **dict(SECRETS.values()),
}


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def request(method, url, body=None, headers=()):
    """The status and the JSON of an answer."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **dict(headers)}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    with contextlib.suppress(ValueError):
        return status, json.loads(text)
    return status, text.decode(errors="replace")


def wait_for(what, look, seconds=30):
    """What `look` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    sys.exit(f"never came: {what}")


def serve(handler):
    """The URL of a server in this process."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


@contextlib.contextmanager
def process(command, log, **environment):
    """A program in the background, and all that it has started, until the end."""
    with log.open("w") as output:
        child = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, start_new_session=True,
                                 env={**os.environ, **environment})
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextlib.contextmanager
def emulator(environment, work):
    """The emulator's URL. Every client of AWS in this process and its children uses it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    os.environ.update(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1",
                      AWS_DEFAULT_REGION="us-east-1", SAM_CLI_TELEMETRY="0")
    with process([environment / "bin/ministack"], work / "emulator.log", BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), AUTH="true"):
        wait_for("the emulator", lambda: is_up(f"{url}/_ministack/health"))
        yield url


def is_up(url):
    with contextlib.suppress(OSError):
        return request("GET", url)[0] == 200


def statements(resources):
    """All statements of the roles' policies, each once."""
    roles = (it["Properties"] for it in resources.values() if it["Type"] == "AWS::IAM::Role")
    found = (one for role in roles for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"])
    return {id(one): one for one in found if "Resource" in one}.values()


def emulated(text, aws, provider, shop):
    """The template as the emulator can deploy it. Only what is named here is left out or changed."""
    template = yaml_parse(text)
    resources, function = template["Resources"], template["Globals"]["Function"]
    # A template that is not packaged says how a function is built: scripts/check-upgrade has built it.
    function.pop("CodeUri", None)
    for it in resources.values():
        if built := it.pop("Metadata", {}).get("BuildProperties"):
            it["Properties"]["CodeUri"] = f"functions/{built['Binary']}"
    # CodeDeploy, alarms on metric math, saved queries and archives do not exist there.
    del function["DeploymentPreference"]
    left_out = [name for name, it in resources.items()
                if it["Type"] in ("AWS::Logs::QueryDefinition", "AWS::Events::Archive") or "Metrics" in it.get("Properties", {})]
    for name in left_out:
        del resources[name]
    outputs = template["Outputs"]
    for name in [name for name, it in outputs.items() if any(f"{gone}." in str(it) for gone in left_out)]:
        del outputs[name]
    # It does not read a number from a parameter where a mapping needs one.
    numbers = {name: it["Default"] for name, it in template["Parameters"].items() if it["Type"] == "Number"}
    for source in (event for it in resources.values() for event in it.get("Properties", {}).get("Events", {}).values()):
        for settings in (source["Properties"], source["Properties"].get("ScalingConfig", {})):
            for name, value in settings.items():
                if isinstance(value, dict) and value.get("Ref") in numbers:
                    settings[name] = numbers[value["Ref"]]
        # It looks for a leaf that does not exist only in an object that does.
        for pattern in source["Properties"].get("FilterCriteria", {}).get("Filters", []):
            pattern["Pattern"] = pattern["Pattern"].replace('{"BOOL":[{"exists":false}]}', '[{"exists":false}]')
    # A reference to a secret is its name there, and policies need the ARN.
    secrets = {name for name, it in resources.items() if it["Type"] == "AWS::SecretsManager::Secret"}
    for statement in statements(resources):
        if isinstance(statement["Resource"], dict) and statement["Resource"].get("Ref") in secrets:
            statement["Resource"] = {"Fn::Sub": f"arn:aws:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:${{{statement['Resource']['Ref']}}}*"}
    # AWS, the provider and the merchant's server are on this machine.
    everywhere = [function, *(it["Properties"] for it in resources.values() if it["Type"] == "AWS::Serverless::Function")]
    for variables in (it.get("Environment", {}).get("Variables", {}) for it in everywhere):
        for name in variables:
            if name.startswith("AWS_ENDPOINT_URL"):
                variables[name] = aws
            elif re.fullmatch("PROVIDER_.*URL", name):
                variables[name] = provider
            elif name == "EVENTS_URL":
                variables[name] = shop
    return yaml_dump(template)


class Stack:
    """A deployed stack with a simulated provider. `shop` is the URL of the merchant's server."""

    def __init__(self, aws, shop, work):
        self.aws, self.shop, self.work = aws, shop, work
        self.provider = f"http://127.0.0.1:{free_port()}"
        self.outputs = {}

    def deploy(self, bundle, **parameters):
        """`sam deploy` in the folder of a bundle, as docs/deploy.md says. Later deployments keep their parameters."""
        template = bundle / "emulated.yaml"
        template.write_text(emulated((bundle / "template.yaml").read_text(), self.aws, self.provider, self.shop))
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        sam = pathlib.Path(sys.executable).with_name("sam")
        command = [sam, "deploy", "--template-file", template, "--no-confirm-changeset", "--stack-name", NAME, "--capabilities",
                   "CAPABILITY_IAM", *(["--parameter-overrides", *overrides] if overrides else [])]
        log = self.work / "deploy.log"
        with log.open("a") as output:
            if subprocess.run([str(part) for part in command], cwd=bundle, stdout=output, stderr=output).returncode != 0:
                lines = [line for line in log.read_text().splitlines() if "Uploading to" not in line]
                sys.exit("\n".join(["sam deploy failed:", *lines[-60:]]))
        described = boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]["Outputs"]
        # *.localhost has no address everywhere, so the hosts of the APIs become paths, which the emulator takes too.
        self.outputs = {it["OutputKey"]: re.sub(r"http://(\w+)\.execute-api\.localhost:\d+", rf"{self.aws}/_aws/execute-api/\1", it["OutputValue"])
                        for it in described}

    def call(self, method, path, body=None):
        """The status and the JSON of a call of the merchant's API."""
        return request(method, self.outputs["ApiUrl"] + path, body, [("Authorization", f"Bearer {TOKEN}")])

    def control(self, path, body):
        """A call of the simulated provider's control API."""
        status, answer = request("POST", f"{self.provider}/_control/{path}", body)
        if status != 200:
            sys.exit(f"{path}: {status} {answer}")
        return answer

    def row(self, key):
        item = boto3.resource("dynamodb").Table(self.outputs["TableName"]).get_item(Key={"transaction_id": key}, ConsistentRead=True)
        return item.get("Item", {})

    def state(self, withdrawal):
        return self.row(f"withdrawal#{withdrawal}").get("state")

    def queue(self, resource):
        """The URL of one of the stack's queues."""
        found = boto3.client("cloudformation").describe_stack_resource(StackName=NAME, LogicalResourceId=resource)
        name = found["StackResourceDetail"]["PhysicalResourceId"].rsplit("/", 1)[-1]
        return boto3.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]

    def messages(self, resource):
        """How many messages a queue has, in any state."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = boto3.client("sqs").get_queue_attributes(QueueUrl=self.queue(resource), AttributeNames=names)["Attributes"]
        return sum(int(found.get(name, 0)) for name in names)

    def operator(self, *arguments):
        """The status and the output of the operator's tool."""
        settings = self.work / "operator.env"
        settings.write_text(self.outputs["OperatorEnvironment"])
        done = subprocess.run([DEBUG / "operator", "--env-file", settings, *arguments], capture_output=True, text=True,
                              env={**os.environ, "USER": "alice"})
        return done.returncode, done.stdout + done.stderr

    @contextlib.contextmanager
    def simulated_provider(self):
        """The provider, which sends its postbacks to the stack's postback URL of the moment."""
        stack = self

        class Relay(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                url = stack.outputs["PostbackUrl"].replace("{PostbackToken}", POSTBACK_TOKEN)
                status, answer = request("POST", url, body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        settings = self.work / "provider.env"
        values = {"POSTBACK_URL": serve(Relay), **{name: value for name, (_, value) in SECRETS.items()}}
        settings.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        port = self.provider.rsplit(":", 1)[1]
        with process([DEBUG / "simulator", "serve", "--env-file", settings, "--port", port], self.work / "provider.log"):
            wait_for("the provider", lambda: is_up(f"{self.provider}/_control/log"))
            yield
