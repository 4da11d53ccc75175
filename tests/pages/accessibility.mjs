// Every page and state by axe; the window in Hindi is in hindi.mjs.
import { isAccessible } from "./support/axe.mjs";
import { OFFICE, claim, control, until, withdraw, withdrawalState } from "./support/browser.mjs";
import { WINDOW, inEveryState } from "./support/window.mjs";

const PAGES = ["", "/payments", "/withdrawals", "/postbacks", "/calls", "/faults", "/settings", "/signatures"];

/** Checks all pages of the back office. */
async function office(page, state) {
  for (const path of PAGES) {
    await page.goto(OFFICE + path);
    await isAccessible(page, `office${path}, ${state}`);
  }
}

claim("the back office is accessible while it is empty", {}, async (page) => {
  await page.goto(`${OFFICE}/payments`);
  await page.getByText("Nobody has paid yet.").waitFor();
  await office(page, "empty");
});

claim("the payment window is accessible in every state", { ...WINDOW, statuses: [400] }, async (page) => {
  await inEveryState(page, "en", (_, state) => isAccessible(page, `window, ${state}`));
});

claim("the back office is accessible while it is full", { statuses: [400, 404] }, async (page) => {
  const [{ id }, paid] = await Promise.all([300, 311, 312, 316].map(withdraw));
  await control("faults", { on: "create", fault: "status", code: 500, ms: 5 });
  await until(() => withdrawalState(paid.id), (state) => state === "paid");
  await office(page, "full");
  await page.goto(`${OFFICE}/withdrawals`);
  await page.getByRole("row", { name: id }).getByText("Other ends").click();
  await isAccessible(page, "office withdrawals, other ends");
  await page.goto(`${OFFICE}/postbacks`);
  await page.getByRole("link", { name: /Postback/ }).last().click();
  await isAccessible(page, "office one postback");
  await page.getByRole("link", { name: "Check its signature" }).click();
  await isAccessible(page, "office signature of a postback");
  await page.goto(`${OFFICE}/calls`);
  await page.getByRole("link", { name: "Check its signature" }).first().click();
  await isAccessible(page, "office signature of a withdrawal");
  await page.goto(`${OFFICE}/postbacks/1000000`);
  await isAccessible(page, "office problem");
  await page.goto(`${OFFICE}/faults`);
  await page.getByRole("button", { name: "Remove all faults" }).click();
});
