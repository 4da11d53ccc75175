// The stack behind the pages: its queues, and a console whose table answers scans when it is told to.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { after } from "node:test";

/** Where the stack is. */
const STACK = Object.fromEntries(readFileSync(process.env.STACK_FILE, "utf8").split("\n").filter(Boolean).map((line) => line.split(/=(.*)/)));

/** Calls SQS, as the AWS SDKs do. */
async function sqs(operation, content) {
  const headers = { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": `AmazonSQS.${operation}` };
  const response = await fetch(STACK.AWS_ENDPOINT_URL_SQS, { method: "POST", headers, body: JSON.stringify(content) });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text && JSON.parse(text);
}

/** Puts a message among the dead letters. */
export const addDeadLetter = (MessageBody) => sqs("SendMessage", { QueueUrl: STACK.DEAD_LETTER_QUEUE_URL, MessageBody });

/** At most ten dead letters that anybody may receive now. */
const receive = async (VisibilityTimeout) =>
  (await sqs("ReceiveMessage", { QueueUrl: STACK.DEAD_LETTER_QUEUE_URL, MaxNumberOfMessages: 10, VisibilityTimeout })).Messages ?? [];

/** How many that are. */
export const deadLetters = async () => (await receive(0)).length;

/** Removes them. */
export async function removeDeadLetters() {
  for (const { ReceiptHandle } of await receive(10)) await sqs("DeleteMessage", { QueueUrl: STACK.DEAD_LETTER_QUEUE_URL, ReceiptHandle });
}

/** A console of its own, whose table answers scans only while it is open, and has an unreadable row. */
export async function consoleWithHeldTable() {
  const table = new URL(STACK.AWS_ENDPOINT_URL_DYNAMODB);
  let [opened, open] = [undefined, undefined];
  const hold = () => (opened = new Promise((resolve) => (open = resolve)));
  hold();
  const proxy = createServer(async (incoming, outgoing) => {
    const body = await incoming.toArray();
    const isScan = incoming.headers["x-amz-target"].endsWith(".Scan");
    if (isScan) await opened;
    const { hostname, port } = table;
    const passed = request({ hostname, port, method: "POST", headers: { ...incoming.headers, host: table.host } });
    passed.end(Buffer.concat(body));
    const [answer] = await once(passed, "response");
    const content = JSON.parse(Buffer.concat(await answer.toArray()));
    if (isScan && JSON.parse(Buffer.concat(body)).Segment === 0) content.Items.push({ transaction_id: { S: "withdrawal#broken" } });
    outgoing.writeHead(answer.statusCode, { "Content-Type": "application/x-amz-json-1.0" }).end(JSON.stringify(content));
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const env = { ...process.env, ...STACK, AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${proxy.address().port}` };
  const console = spawn("target/debug/operator", ["serve", "--port", "0"], { env, stdio: ["ignore", "pipe", "ignore"] });
  after(() => {
    console.kill("SIGINT");
    open();
    proxy.close();
    proxy.closeAllConnections();
  });
  const [said] = await once(console.stdout, "data");
  return { url: String(said).trim(), hold, open: () => open() };
}
