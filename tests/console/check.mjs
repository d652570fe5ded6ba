// A customer and an operator use the console in a real browser.
//   node check.mjs http://127.0.0.1:8080 PICTURES
// Every page is looked at by axe-core, nothing may reach the browser's console, and PICTURES gets a
// screenshot of each page. The catalogue is made over the API first.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
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
    headers: {
      "Content-Type": "application/json",
      "Idempotency-Key": crypto.randomUUID(),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const admin = {
  email: process.env.BARO_ADMIN_EMAIL ?? "admin@baro.local",
  password: process.env.BARO_ADMIN_PASSWORD ?? PASSWORD,
};
const shirt = `바로 티셔츠 ${run}`;
const fridge = `냉장고 ${run}`;
const campaign = `Rush ${run}`;
// The shop's webhook. It takes what it is sent, or refuses it for good.
let verdict = 200;
const receiver = createServer((request, reply) =>
  request.resume().on("end", () => reply.writeHead(verdict).end()),
);
let browser;
let product;
let expensive;
let token;
let soon;

before(async () => {
  await new Promise((resolve) =>
    receiver.listen(new URL(process.env.BARO_WEBHOOK_URL).port, "127.0.0.1", resolve),
  );
  ({ access_token: token } = await api("POST", "/auth/login", admin));
  const made = (name, price) =>
    api(
      "POST",
      "/admin/products",
      {
        name,
        description: "Soft, and here right away",
        category: "clothes",
        options: [
          { name: "빨강-L", price, stock: 50 },
          { name: "none left", price, stock: 0 },
        ],
        images: [],
      },
      token,
    );
  [product, expensive] = [await made(shirt, 19900), await made(fridge, 900000)];
  const hour = 3600000;
  const at = (ms) => new Date(Date.now() + ms).toISOString();
  const campaignOf = (name, code, starts_at, total_quantity) =>
    api(
      "POST",
      "/admin/coupons",
      {
        name,
        code,
        type: "PERCENT",
        value: 10,
        max_discount_amount: 5000,
        min_order_amount: 1000,
        total_quantity,
        starts_at,
        ends_at: at(hour),
        valid_days: 7,
      },
      token,
    );
  await campaignOf(campaign, `RUSH-${run}`, at(-hour), 100);
  soon = () => campaignOf(`Soon ${run}`, `SOON-${run}`, at(5000), 1);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
after(() => {
  receiver.close();
  return browser?.close();
});

// A page that fails its test when the browser complains. 402 and 409 answers are the shop's business.
async function open(t, options = {}) {
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
async function look(page, name) {
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

async function order(page, of, coupon) {
  await page.goto(`${base}/#/products/${of.id}`);
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await page.getByText("In the cart.").waitFor();
  await page.goto(`${base}/#/cart`);
  if (coupon) await page.getByLabel("Coupon").selectOption({ label: coupon });
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByText("Waiting for payment").first().waitFor();
}

test("a customer finds a shirt, claims a coupon, orders, pays, and has the money back", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.getByLabel("Search").fill("nothing of that kind");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Nothing was found.").waitFor();
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
  await card.getByText("You are number 1!").waitFor();
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
  await page.locator(".state", { hasText: "Paid" }).waitFor();
  await page.locator(".steps li", { hasText: "Paid" }).waitFor(); // the last line
  assert.equal(await page.locator(".track li.done").count(), 5);
  await look(page, "paid");

  await page.getByRole("button", { name: "Cancel and refund" }).click();
  await page.locator(".state", { hasText: "Refunded" }).waitFor();
  await page.locator(".track li.returned").nth(3).waitFor();
  await look(page, "refunded");
  await page.getByRole("link", { name: "₩50,000" }).waitFor();
  await page.goto(`${base}/#/orders`);
  await page.getByRole("cell", { name: "Refunded" }).waitFor();
  await look(page, "orders");
});

test("a payment that fails shows what was given back, and the order can still be paid", async (t) => {
  const page = await open(t);
  await signUp(page, "Poor Kim");
  await charge(page, 1000);
  await page.goto(`${base}/#/coupons`);
  await page.locator(".card", { hasText: campaign }).getByRole("button", { name: "Claim" }).click();
  await page.locator(".rank", { hasText: "You are number" }).waitFor();
  await order(page, expensive, campaign);
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page.locator(".steps li.done", { hasText: "Use the coupon" }).waitFor();
  await page.locator(".steps li.refused", { hasText: "Debit the wallet" }).waitFor();
  await page.locator(".steps li.returned", { hasText: "Coupon given back" }).waitFor();
  await page.locator(".steps li", { hasText: "The balance is too low" }).waitFor(); // the last line
  await page.getByRole("cell", { name: "The balance is too low" }).waitFor();
  await page.locator(".track li.returned", { hasText: "Coupon" }).waitFor();
  await page.locator(".track li.refused", { hasText: "Wallet" }).waitFor();
  await page.getByRole("button", { name: /^Pay/ }).waitFor();
  await look(page, "refused");
  await page.goto(`${base}/#/coupons`);
  await page.getByRole("cell", { name: "Available" }).waitFor();
  await page.getByRole("button", { name: "한국어" }).click();
  await page.getByRole("cell", { name: "사용 가능" }).waitFor();
});

test("a customer waits for a rush to open, is quick, and the next one is too late", async (t) => {
  const { id } = await soon();
  const [quick, late] = [await open(t), await open(t)];
  await signUp(quick, "Quick Kim");
  await signUp(late, "Late Kim");
  for (const page of [quick, late]) await page.goto(`${base}/#/coupons/${id}`);
  await quick.getByText(/Opens in|Closes in/).waitFor();
  await look(quick, "rush");
  await quick.getByRole("button", { name: "Claim" }).click();
  await quick.locator(".rank", { hasText: "You are number 1!" }).waitFor();
  await look(quick, "rush-won");
  await late.getByRole("button", { name: "Sold out" }).waitFor();
});

async function signInAsAdmin(page) {
  await page.goto(`${base}/#/account`);
  const form = page.locator("form").first();
  await form.getByLabel("E-mail").fill(admin.email);
  await form.getByLabel("Password").fill(admin.password);
  await form.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Operations" }).click();
}

// A customer over the API: what an order comes to while something is broken.
async function buy() {
  const { access_token } = await api("POST", "/auth/signup", {
    email: `${crypto.randomUUID()}@example.com`,
    password: PASSWORD,
    name: "Lee",
  });
  await patiently(() => api("POST", "/me/balance/charges", { amount: 50000 }, access_token));
  const { id } = await patiently(() =>
    api(
      "POST",
      "/orders",
      { items: [{ option_id: product.options[0].id, quantity: 1 }] },
      access_token,
    ),
  );
  await patiently(() =>
    api("POST", `/orders/${id}/payment`, {}, access_token).catch((error) => {
      if (!/ORDER_ALREADY_PAID/.test(error.message)) throw error;
    }),
  );
  await until(
    async () => (await api("GET", `/orders/${id}`, null, access_token)).status === "PAID",
  );
}

// What a customer with patience does about 503: the same again.
async function patiently(action) {
  for (
    const deadline = Date.now() + 2 * PATIENCE;
    ;
    await new Promise((resolve) => setTimeout(resolve, 200))
  ) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
const until = (holds) => patiently(async () => assert.ok(await holds()));

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
  verdict = 400;
  await buy();
  await until(
    async () => (await api("GET", "/admin/dead-letters?state=DEAD", null, token)).items.length > 0,
  );
  verdict = 200;
  await signInAsAdmin(page);
  const letter = page.getByRole("row", { name: /HTTP 400/ }).first();
  await letter.getByRole("button", { name: "Replay" }).click();
  await page.getByText("Done.").waitFor();
  await until(
    async () =>
      (await api("GET", "/admin/dead-letters?state=REPLAYED", null, token)).items.length > 0,
  );
  await page.reload();
  await page.getByRole("cell", { name: "Sent again" }).first().waitFor();
  await look(page, "dead-letters");
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
  await until(
    async () => (await api("GET", "/admin/operations", null, token)).replicas.length === 5,
  );
  await until(async () => (await api("GET", "/admin/invariants", null, token)).ok);
  await processes.getByText("5").waitFor();
  await page.locator(".laws li.good").nth(4).waitFor();
  assert.equal(await page.locator(".laws li.bad").count(), 0);
  await look(page, "faults");
});

const phone = {
  locale: "ko-KR",
  colorScheme: "dark",
  viewport: { width: 360, height: 740 },
  hasTouch: true,
};

test("a Korean with a phone in the dark signs in on the way, and shops to the receipt", async (t) => {
  const page = await open(t, phone);
  const press = (name) => page.getByRole("button", { name }).first().click();
  await page.getByRole("heading", { name: "상점" }).waitFor();
  await page.getByLabel("검색").fill(run);
  await press("검색");
  await page.getByRole("link", { name: fridge }).waitFor();
  await look(page, "phone-shop");
  await page.getByRole("link", { name: shirt }).click();
  await page
    .getByText("50개 남음")
    .or(page.getByText(/4\d개 남음/))
    .first()
    .waitFor();
  await look(page, "phone-product");
  await press("장바구니에 담기");
  await page.getByRole("heading", { name: "로그인" }).waitFor();
  await look(page, "phone-account");
  const form = page.locator("form").nth(1);
  await form.getByLabel("이메일").fill(`${crypto.randomUUID()}@example.com`);
  await form.getByLabel("비밀번호").fill(PASSWORD);
  await form.getByLabel("이름").fill("손님");
  await form.getByRole("button").click();
  await page.getByRole("heading", { name: shirt }).waitFor(); // where it was before
  await press("장바구니에 담기");
  await page.getByText("장바구니에 담았습니다.").waitFor();
  await page.getByRole("link", { name: "장바구니 1" }).click();
  await page.getByText("주문 요약").waitFor();
  await look(page, "phone-cart");
  await press("주문하기");
  await press(/결제$/);
  await page.locator(".track li.refused", { hasText: "지갑" }).waitFor();
  await page.locator(".steps li", { hasText: "잔액이 부족합니다" }).waitFor();
  await look(page, "phone-refused");
  const { href } = await page.evaluate(() => ({ href: location.href }));
  await page.goto(`${base}/#/account`);
  await press("충전");
  await page.getByText("잔액은 이제 50,000원입니다.").waitFor();
  await look(page, "phone-wallet");
  await page.goto(href);
  await press(/결제$/);
  await page.locator(".track li.done", { hasText: "결제 완료" }).waitFor();
  await look(page, "phone-paid");
  await page.goto(`${base}/#/coupons`);
  await page.getByText("아직 받은 쿠폰이 없습니다.").waitFor();
  await look(page, "phone-coupons");
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

test("a customer with a keyboard alone finds a product and puts it into the cart", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  // Presses Tab until what has the focus says these words, or shows them as its address or name.
  const reach = async (words) => {
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      const said = await page.evaluate(() => {
        const { textContent, name, attributes } = document.activeElement;
        return [textContent, name, attributes.href?.value].join(" ");
      });
      if (said.includes(words)) return;
    }
    assert.fail(`no "${words}" within 30 presses`);
  };
  await reach("search");
  await page.keyboard.type(shirt);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: fridge }).waitFor({ state: "detached" });
  await reach("#/products/");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: shirt }).waitFor();
  await reach("Add to cart");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});
