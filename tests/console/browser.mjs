// The browser: pages that are watched, pictures of them, and what everybody does there.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { PASSWORD, PATIENCE, admin, base } from "./shop.mjs";

const [, pictures = ".local/pictures"] = process.argv.slice(2);
export const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
// Evaluated, not added as a script: the page's policy would refuse it, as it should.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

export async function openBrowser() {
  mkdirSync(pictures, { recursive: true });
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
export const closeBrowser = () => browser?.close();

export const phone = {
  locale: "ko-KR",
  colorScheme: "dark",
  viewport: { width: 360, height: 740 },
  hasTouch: true,
};

// A page that fails its test when the browser complains. 402 and 409 answers are the shop's business.
export async function open(t, options = {}) {
  const context = await browser.newContext({
    locale: "en-GB",
    viewport: { width: 1200, height: 800 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (402|409)/.test(message.text()))
      complaints.push(message.text());
  });
  t.after(async () => {
    await page.screenshot({ path: `${pictures}/last-of-${t.name.split(" ", 3).join("-")}.png` });
    await context.close();
    assert.deepEqual(complaints, []);
  });
  await page.goto(`${base}/`);
  return page;
}

// A picture of the page, which must fit its window and have nothing that axe-core objects to; notices,
// which would hide what is below, are taken away first.
export async function look(page, name) {
  await page.evaluate(() => {
    document.getElementById("notices").replaceChildren();
    window.scrollTo(0, 0);
  });
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
  );
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  const beyond = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(beyond <= 0, `${name} is ${beyond} px wider than its window`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }),
  );
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
    [],
    name,
  );
}

export async function signUp(page, name) {
  await page.goto(`${base}/#/account`);
  const form = page.locator("form").nth(1);
  await form.getByLabel("E-mail").fill(`${crypto.randomUUID()}@example.com`);
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

export async function charge(page, amount) {
  await page.goto(`${base}/#/account`);
  await page.getByLabel("Amount").fill(String(amount));
  await page.getByRole("button", { name: "Charge" }).click();
  await page.locator(".big", { hasText: "₩" }).waitFor();
  await page.getByText(/Your balance is/).waitFor();
}

export async function order(page, of, coupon) {
  await page.goto(`${base}/#/products/${of.id}`);
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await page.getByText("In the cart.").waitFor();
  await page.goto(`${base}/#/cart`);
  if (coupon) await page.getByLabel("Coupon").selectOption({ label: coupon });
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByText("Waiting for payment").first().waitFor();
}

export async function signInAsAdmin(page) {
  await page.goto(`${base}/#/account`);
  const form = page.locator("form").first();
  await form.getByLabel("E-mail").fill(admin.email);
  await form.getByLabel("Password").fill(admin.password);
  await form.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Operations" }).click();
}
