// What an operator does on the pages for admins.
import assert from "node:assert/strict";
import test from "node:test";
import { look, open, phone, signInAsAdmin } from "./browser.mjs";
import { buy, shop, stack, told, until, webhook } from "./shop.mjs";

test("an operator sees the laws hold, what happens, and a saga with its steps", async (t) => {
  const page = await open(t);
  await buy();
  await signInAsAdmin(page);
  await page.locator(".laws li.good").nth(4).waitFor();
  assert.equal(await page.locator(".laws li.bad").count(), 0);
  await buy();
  await page.locator(".chart canvas").nth(3).waitFor();
  await page
    .locator(".tiles li", { hasText: "Processes" })
    .getByText("5", { exact: true })
    .waitFor();
  await page.getByRole("cell", { name: "빨강-L" }).first().waitFor();
  await look(page, "operations");
  await page.getByRole("link", { name: "Sagas" }).click();
  await page.getByLabel("State").selectOption("PARKED");
  await page.getByText("There is no such saga.").waitFor();
  await page.getByLabel("State").selectOption("COMPLETED");
  await look(page, "sagas");
  await page.locator("tbody a").first().click();
  await page.locator(".timeline li.done", { hasText: "Debit the wallet" }).waitFor();
  await look(page, "saga");
});

test("an operator sends again what a webhook had refused", async (t) => {
  const page = await open(t);
  webhook.answers = 400;
  await buy();
  await until(async () => (await told("/admin/dead-letters?state=DEAD")).items.length > 0);
  webhook.answers = 200;
  await signInAsAdmin(page);
  const letter = page.getByRole("row", { name: /HTTP 400/ }).first();
  await letter.getByRole("button", { name: "Replay" }).click();
  await page.getByText("Done.").waitFor();
  await until(async () => (await told("/admin/dead-letters?state=REPLAYED")).items.length > 0);
  await page.reload();
  await page.getByRole("cell", { name: "Sent again" }).first().waitFor();
  await look(page, "dead-letters");
});

test("an operator finds a refund parked, and drives it on", async (t) => {
  const page = await open(t);
  const { id, token } = await buy();
  await signInAsAdmin(page);
  await page.getByRole("link", { name: "Sagas" }).click();
  await page.getByLabel("State").selectOption("PARKED");
  await page.getByText("There is no such saga.").waitFor();
  stack("stop", "product");
  t.after(() => stack("start", "product"));
  await shop.call("POST", `/orders/${id}/cancel`, { token, body: {} });
  await until(async () => (await told("/admin/sagas?parked=true")).items.length > 0);

  await page.getByRole("button", { name: "Look again" }).click();
  const row = page.getByRole("row", { name: new RegExp(id) });
  await row.getByRole("button", { name: "Retry" }).waitFor();
  await look(page, "sagas-parked");
  await row.getByRole("link").click();
  await page.locator(".timeline li.done", { hasText: "Give the money back" }).waitFor();
  await page.getByRole("cell", { name: "not answered yet" }).waitFor();
  await look(page, "saga-parked");
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("Done.").waitFor();
  stack("start", "product"); // an ask waits some seconds for it
  await until(
    async () => (await shop.call("GET", `/orders/${id}`, { token })).status === "REFUNDED",
  );
  await page.reload();
  await page.locator(".badge", { hasText: "Completed" }).waitFor();
  await until(async () => (await told("/admin/operations")).replicas.length === 5);
});

test("an operator breaks things and watches the shop recover with the laws green", async (t) => {
  const page = await open(t);
  await signInAsAdmin(page);
  const panel = page.getByRole("region", { name: "Break something" });
  const processes = page.locator(".tiles li", { hasText: "Processes" }).locator("strong");
  await processes.getByText("5").waitFor();
  await panel.getByLabel("Seconds").fill("4");
  const cause = async (fault, service) => {
    if (service) await panel.getByLabel("Service").selectOption(service);
    await panel.getByRole("button", { name: fault }).click();
    await panel.locator(".caused li", { hasText: fault }).first().waitFor();
    await buy();
  };
  await cause("Empty Redis");
  await cause("Drop pub/sub");
  await panel.getByLabel("Delay").fill("200");
  await cause("Delay the service", "user");
  await cause("Kill the service", "product");
  await until(async () => (await told("/admin/operations")).replicas.length === 5);
  await until(async () => (await told("/admin/invariants")).ok);
  await processes.getByText("5").waitFor();
  await page.locator(".laws li.good").nth(4).waitFor();
  assert.equal(await page.locator(".laws li.bad").count(), 0);
  await look(page, "faults");
});

test("an operator looks at the shop with a phone, and switches the language", async (t) => {
  const page = await open(t, { ...phone, locale: "en-GB" });
  await signInAsAdmin(page);
  await page.locator(".chart canvas").nth(3).waitFor();
  await page.getByRole("button", { name: "한국어" }).click();
  await page.locator(".laws li.good", { hasText: "지갑" }).waitFor();
  await page.locator(".chart canvas").nth(3).waitFor();
  await look(page, "phone-operations");
  await page.getByRole("link", { name: "사가" }).click();
  await page.locator("tbody a").first().click();
  await page.locator(".timeline li").first().waitFor();
  await look(page, "phone-saga");
});
