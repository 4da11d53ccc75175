// The client of the API, and the check of events. It knows nothing of this shop.
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";

const { API_URL, MERCHANT_TOKEN, EVENTS_SECRET } = process.env;
const events = new Webhook(EVENTS_SECRET);

async function callOnce(method, path, content) {
  try {
    const response = await fetch(API_URL + path, {
      method,
      headers: { Authorization: `Bearer ${MERCHANT_TOKEN}`, "Content-Type": "application/json" },
      body: content && JSON.stringify(content),
      redirect: "manual",
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.includes("json");
    return { status: response.status, retryAfter: response.headers.get("Retry-After"), answer: isJson ? JSON.parse(text) : {} };
  } catch {
    return { status: 0, answer: { message: "no answer" } };
  }
}

/**
 * Calls the API and gives `{ status, answer }`; the status is 0 if no answer came.
 *
 * The same request is sent up to three times while it is not known what became of it. That is safe: the ids are ours.
 */
export async function call(method, path, content) {
  for (let attempt = 1; ; attempt += 1) {
    const { status, retryAfter, answer } = await callOnce(method, path, content);
    const isUnclear = (status === 0 || status === 429 || status >= 500) && (answer.code ?? "try_again") === "try_again";
    const wait = Number(retryAfter ?? attempt);
    if (!isUnclear || attempt === 3 || !(wait <= 10)) return { status, answer };
    await sleep(wait * 1000);
  }
}

/** Whether these bytes were signed with our key, at most 5 minutes ago. Ask before you parse them. */
export function isGenuine(body, headers) {
  try {
    events.verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
}
