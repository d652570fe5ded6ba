// A customer and an operator use the console in a real browser.
//   node check.mjs http://127.0.0.1:8080 PICTURES
// Every page is looked at by axe-core, nothing may reach the browser's console, and PICTURES gets a
// screenshot of each page. The catalogue is made over the API first.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { chromium } from "playwright-core";

const [base, pictures = ".local/pictures"] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
// Evaluated, not added as a script: the page's policy would refuse it, as it should.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const run = `${Date.now()}`;
const PATIENCE = 15000;
const PASSWORD = "Baro!2026";

if (!existsSync(executablePath)) {
  console.log(`console: skipped, there is no Chromium at ${executablePath}`);
  process.exit(0);
}
mkdirSync(pictures, { recursive: true });

async function api(method, path, body, token) {
  const reply = await fetch(`${base}/api/v1${path}`, {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(), ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const admin = { email: process.env.BARO_ADMIN_EMAIL ?? "admin@baro.local", password: process.env.BARO_ADMIN_PASSWORD ?? PASSWORD };
const shirt = `바로 티셔츠 ${run}`, fridge = `냉장고 ${run}`, campaign = `Rush ${run}`;
let browser, product, expensive;

before(async () => {
  const { access_token } = await api("POST", "/auth/login", admin);
  const made = (name, price) => api("POST", "/admin/products", { name, description: "Soft, and here right away", category: "clothes", options: [{ name: "빨강-L", price, stock: 50 }, { name: "none left", price, stock: 0 }], images: [] }, access_token);
  [product, expensive] = [await made(shirt, 19900), await made(fridge, 900000)];
  const hour = 3600000, at = (ms) => new Date(Date.now() + ms).toISOString();
  await api("POST", "/admin/coupons", { name: campaign, code: `RUSH-${run}`, type: "PERCENT", value: 10, max_discount_amount: 5000, min_order_amount: 1000, total_quantity: 100, starts_at: at(-hour), ends_at: at(hour), valid_days: 7 }, access_token);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
after(() => browser?.close());

// A page that fails its test when the browser complains. 402 and 409 answers are the shop's business.
async function open(t, options = {}) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1200, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (402|409)/.test(message.text())) complaints.push(message.text());
  });
  t.after(async () => {
    await page.screenshot({ path: `${pictures}/last-of-${t.name.split(" ", 3).join("-")}.png` });
    await context.close();
    assert.deepEqual(complaints, []);
  });
  await page.goto(`${base}/`);
  return page;
}

async function look(page, name) {
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], name);
}

async function signUp(page, name) {
  await page.goto(`${base}/#/account`);
  const form = page.locator("form").nth(1);
  await form.getByLabel("E-mail").fill(`${crypto.randomUUID()}@example.com`);
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

async function charge(page, amount) {
  await page.goto(`${base}/#/account`);
  await page.getByLabel("Amount").fill(String(amount));
  await page.getByRole("button", { name: "Charge" }).click();
  await page.locator(".big", { hasText: "₩" }).waitFor();
  await page.getByText(/Your balance is/).waitFor();
}

async function order(page, of) {
  await page.goto(`${base}/#/products/${of.id}`);
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await page.getByText("In the cart.").waitFor();
  await page.goto(`${base}/#/cart`);
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByText("Waiting for payment").first().waitFor();
}

test("a customer finds a shirt, claims a coupon, orders, pays, and has the money back", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.getByLabel("Search").fill(shirt);
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: shirt }).waitFor();
  await look(page, "shop");
  await signUp(page, "손님 Kim");
  await charge(page, 50000);
  await look(page, "account");

  await page.goto(`${base}/#/coupons`);
  const card = page.locator(".card", { hasText: campaign });
  await card.getByRole("button", { name: "Claim" }).click();
  await page.getByText("You are number 1!").waitFor();
  await look(page, "coupons");

  await page.goto(`${base}/#/products/${product.id}`);
  await page.getByText("Sold out").waitFor();
  await look(page, "product");
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await page.getByText("In the cart.").waitFor();
  await page.goto(`${base}/#/cart`);
  await page.getByLabel("Coupon").selectOption({ label: campaign });
  await look(page, "cart");
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page.locator(".steps li", { hasText: "Confirm the stock" }).waitFor();
  await page.locator(".steps li.done", { hasText: "Debit the wallet" }).waitFor();
  await page.locator(".big", { hasText: "Paid" }).waitFor();
  await look(page, "paid");

  await page.getByRole("button", { name: "Cancel and refund" }).click();
  await page.locator(".big", { hasText: "Refunded" }).waitFor();
  await page.getByRole("link", { name: "₩50,000" }).waitFor();
  await page.goto(`${base}/#/orders`);
  await page.getByRole("cell", { name: "Refunded" }).waitFor();
  await look(page, "orders");
});

test("a payment that fails shows what was given back, and the order can still be paid", async (t) => {
  const page = await open(t);
  await signUp(page, "Poor Kim");
  await charge(page, 1000);
  await order(page, expensive);
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page.locator(".steps li.refused", { hasText: "Debit the wallet" }).waitFor();
  await page.getByRole("button", { name: /^Pay/ }).waitFor();
  await look(page, "refused");
});

test("an operator sees the laws hold, what happens, and a saga with its steps", async (t) => {
  const page = await open(t);
  await page.goto(`${base}/#/account`);
  const form = page.locator("form").first();
  await form.getByLabel("E-mail").fill(admin.email);
  await form.getByLabel("Password").fill(admin.password);
  await form.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Operations" }).click();
  await page.locator(".laws li.good").nth(4).waitFor();
  assert.equal(await page.locator(".laws li.bad").count(), 0);
  await page.locator(".chart canvas").nth(1).waitFor();
  await look(page, "operations");
  await page.getByRole("link", { name: "Sagas" }).click();
  await page.locator("tbody a").first().click();
  await page.getByRole("cell", { name: "Debit the wallet" }).first().waitFor();
  await look(page, "saga");
});

test("the console speaks Korean, fits a phone, and follows the system into the dark", async (t) => {
  const page = await open(t, { locale: "ko-KR", colorScheme: "dark", viewport: { width: 360, height: 740 } });
  await page.getByRole("heading", { name: "상점" }).waitFor();
  await look(page, "phone");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { name: "Shop" }).waitFor();
});

test("a customer with a keyboard alone reaches the shop's search and its products", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const reached = new Set();
  for (let presses = 0; presses < 20; presses++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.getAttribute("name") ?? document.activeElement.getAttribute("href")));
  }
  assert.ok(reached.has("search"), [...reached].join(" "));
  assert.ok([...reached].some((target) => target?.startsWith("#/products/")), [...reached].join(" "));
});
