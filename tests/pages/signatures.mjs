// The signature calculator.
import assert from "node:assert/strict";
import { OFFICE, claim, order, withdraw } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

const AGREES = "This is the signature in the body.";
const DIFFERS = "The body has another signature: ";

claim("the signature calculator agrees with a postback, and says where one differs", {}, async (page) => {
  const { link } = await order({ amount: 500 });
  await page.goto(link);
  const number = await pay(page);
  await page.goto(`${OFFICE}/postbacks`);
  await page.getByRole("row", { name: `payment ${number}` }).getByRole("link").click();
  const body = await page.getByRole("region", { name: "Body" }).innerText();
  await page.getByRole("link", { name: "Check its signature step by step" }).click();
  const text = page.getByLabel("The whole body, or its additional_data");
  assert.equal(await text.inputValue(), body);
  await page.getByText(AGREES).first().waitFor();
  await text.fill(body.replace('"amount":"500"', '"amount":"501"'));
  await page.getByRole("button", { name: "Show the steps" }).first().click();
  await page.getByText(DIFFERS).first().waitFor();
  assert.equal(await page.getByText(AGREES).count(), 0);
  await text.fill(body);
  await page.getByRole("textbox", { name: "Access key" }).fill("0");
  await page.getByRole("button", { name: "Show the steps" }).first().click();
  await page.getByText(DIFFERS).first().waitFor();
});

claim("the signature calculator agrees with a withdrawal request, and says where one differs", {}, async (page) => {
  const { id } = await withdraw(300);
  await page.goto(`${OFFICE}/calls`);
  const row = page.getByRole("row", { name: id });
  const request = await row.locator("code").nth(1).innerText();
  await row.getByRole("link", { name: "Check its signature" }).click();
  const text = page.getByLabel("The request's body");
  assert.equal(await text.inputValue(), request);
  await page.getByText(AGREES).waitFor();
  await text.fill(request.replace('"amount":300', '"amount":301'));
  await page.getByRole("button", { name: "Show the steps" }).last().click();
  await page.getByText(DIFFERS).waitFor();
  await text.fill("no JSON");
  await page.getByRole("button", { name: "Show the steps" }).last().click();
  await page.getByRole("alert").getByText("This is not a JSON object").waitFor();
});
