// The shop that is looked at, over its API: a catalogue and campaigns of this run, a customer who buys,
// a webhook that takes what it is sent or refuses it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { Shop } from "../support/buyers.mjs";

export const [base] = process.argv.slice(2);
export const PATIENCE = 15000;
export const PASSWORD = "Baro!2026";
const HOUR = 3600000;

export const run = `${Date.now()}`;
export const shirt = `바로 티셔츠 ${run}`;
export const fridge = `냉장고 ${run}`;
export const campaign = `Rush ${run}`;
export const admin = {
  email: process.env.BARO_ADMIN_EMAIL ?? "admin@baro.local",
  password: process.env.BARO_ADMIN_PASSWORD ?? PASSWORD,
};
export const shop = new Shop(() => [base]);
export const made = {}; // token (the admin's), shirt, fridge
export const webhook = { answers: 200 };
const receiver = createServer((request, reply) =>
  request.resume().on("end", () => reply.writeHead(webhook.answers).end()),
);

const asAdmin = (method, path, body) => shop.call(method, path, { token: made.token, body });

const newProduct = (name, price) =>
  asAdmin("POST", "/admin/products", {
    name,
    description: "Soft, and here right away",
    category: "clothes",
    options: [
      { name: "빨강-L", price, stock: 50 },
      { name: "none left", price, stock: 0 },
    ],
    images: [],
  });

// `opens` is in milliseconds from now.
export function newCampaign(name, code, opens, total_quantity) {
  const at = (ms) => new Date(Date.now() + ms).toISOString();
  return asAdmin("POST", "/admin/coupons", {
    name,
    code: `${code}-${run}`,
    type: "PERCENT",
    value: 10,
    max_discount_amount: 5000,
    min_order_amount: 1000,
    total_quantity,
    starts_at: at(opens),
    ends_at: at(HOUR),
    valid_days: 7,
  });
}

export async function openShop() {
  await new Promise((resolve) =>
    receiver.listen(new URL(process.env.BARO_WEBHOOK_URL).port, "127.0.0.1", resolve),
  );
  made.token = await shop.signIn(admin.email, admin.password);
  made.shirt = await newProduct(shirt, 19900);
  made.fridge = await newProduct(fridge, 900000);
  await newCampaign(campaign, "RUSH", -HOUR, 100);
}
export const closeShop = () => receiver.close();

// As somebody who operates the machine: starts or stops one of the processes.
export const stack = (verb, name) =>
  execFileSync("deploy/local/stack", [verb, process.env.BARO_STACK_DIR, name, "0"], {
    stdio: "ignore",
  });

// What the shop says to an admin.
export const told = (path) => asAdmin("GET", path);

// What a customer with patience does about 503: the same again.
export async function patiently(action) {
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
export const until = (holds) => patiently(async () => assert.ok(await holds()));

// A customer who buys a shirt, whatever is broken meanwhile.
export async function buy() {
  const token = await patiently(() => shop.newCustomer(50000));
  const as = (method, path, body) =>
    patiently(() =>
      shop.call(method, path, { token, body }).catch((error) => {
        if (!/ORDER_ALREADY_PAID/.test(error.message)) throw error;
      }),
    );
  const items = [{ option_id: made.shirt.options[0].id, quantity: 1 }];
  const { id } = await as("POST", "/orders", { items });
  await as("POST", `/orders/${id}/payment`, {});
  await until(async () => (await as("GET", `/orders/${id}`)).status === "PAID");
  return { id, token };
}
