// Customers who write down what they were told: each charges, orders and pays, again and again, and
// repeats every request with its key until it has a definite answer. What was acknowledged must be
// there at the end, and the wallet must hold just what the notes add up to.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { now } from "./cluster.mjs";

const CHARGE = 10000;
const PRICE = 1000;
const SETTLED = ["PAID", "CANCELLED"];
const AGAIN_MS = 100;
const PATIENCE_MS = 90000;

export class Shop {
  constructor(gateways, admin) {
    Object.assign(this, {
      gateways,
      admin,
      customers: [],
      answers: {},
      acknowledged: { charges: 0, orders: 0, payments: 0 },
    });
    this.stall = { since: now(), longest: 0 };
  }

  async ask(method, path, { token, key, body } = {}) {
    const gateway = this.gateways[Math.floor(Math.random() * this.gateways.length)];
    const headers = {
      "Content-Type": "application/json",
      Prefer: "wait=5",
      ...(key && { "Idempotency-Key": key }),
      ...(token && { Authorization: `Bearer ${token}` }),
    };
    try {
      const reply = await fetch(`${gateway}/api/v1${path}`, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(30000),
      });
      return { status: reply.status, json: await reply.json().catch(() => null) };
    } catch {
      return { status: 0, json: null };
    }
  }

  // Nobody knows yet: nothing came back, the server says so, or an earlier try still runs.
  static isOpen({ status, json }) {
    return (
      status === 0 || status >= 500 || ["REQUEST_IN_PROGRESS", "CONFLICT"].includes(json?.code)
    );
  }

  async insist(method, path, what = {}) {
    const key = method === "POST" ? randomUUID() : undefined;
    for (const limit = now() + PATIENCE_MS; ; await pause(AGAIN_MS * (0.5 + Math.random()))) {
      const reply = await this.ask(method, path, { ...what, key });
      this.answers[reply.status] = (this.answers[reply.status] ?? 0) + 1;
      if (!Shop.isOpen(reply)) return reply;
      if (now() > limit)
        throw new Error(
          `${method} ${path}: no definite answer, the last is ${reply.status} ${JSON.stringify(reply.json)}`,
        );
    }
  }

  // Something was written and acknowledged.
  note(kind) {
    this.acknowledged[kind]++;
    this.stall.longest = Math.max(this.stall.longest, now() - this.stall.since);
    this.stall.since = now();
  }

  async open(count) {
    const signedIn = await this.insist("POST", "/auth/login", { body: this.admin });
    const product = await this.insist("POST", "/admin/products", {
      token: signedIn.json.access_token,
      body: {
        name: "failover",
        description: "",
        category: "test",
        options: [{ name: "one", price: PRICE, stock: 100000000 }],
        images: [],
      },
    });
    this.option = product.json.options[0].id;
    this.customers = await Promise.all(Array.from({ length: count }, () => this.signUp()));
  }

  async signUp() {
    const reply = await this.insist("POST", "/auth/signup", {
      body: { email: `${randomUUID()}@example.com`, password: "Secret!2026", name: "손님" },
    });
    return { token: reply.json.access_token, charges: [], orders: [], vanished: 0 };
  }

  begin() {
    this.closing = false;
    this.shopping = this.customers.map((customer) => this.shop(customer));
  }

  async end() {
    this.closing = true;
    await Promise.all(this.shopping);
  }

  async shop(customer) {
    while (!this.closing) {
      await this.charge(customer);
      const order = await this.order(customer);
      if (order && !this.closing) await this.pay(customer, order);
    }
  }

  async charge(customer) {
    const { status, json } = await this.insist("POST", "/me/balance/charges", {
      token: customer.token,
      body: { amount: CHARGE },
    });
    if (status !== 201) throw new Error(`a charge was answered ${status} ${JSON.stringify(json)}`);
    customer.charges.push({ entry: json.entry.id, amount: CHARGE });
    this.note("charges");
  }

  async order(customer) {
    const { status, json } = await this.insist("POST", "/orders", {
      token: customer.token,
      body: { items: [{ option_id: this.option, quantity: 1 + Math.floor(Math.random() * 5) }] },
    });
    if (status !== 201) throw new Error(`an order was answered ${status} ${JSON.stringify(json)}`);
    const order = { id: json.id, amount: json.final_amount, status: "PENDING" };
    customer.orders.push(order);
    this.note("orders");
    return order;
  }

  // A payment that is not decided yet is followed until it is.
  async pay(customer, order) {
    let { status, json } = await this.insist("POST", `/orders/${order.id}/payment`, {
      token: customer.token,
      body: {},
    });
    while (status !== 404 && !SETTLED.includes(json.status)) {
      if (status >= 300)
        throw new Error(`a payment was answered ${status} ${JSON.stringify(json)}`);
      await pause(AGAIN_MS);
      ({ status, json } = await this.insist("GET", `/orders/${order.id}`, {
        token: customer.token,
      }));
    }
    order.status = json.status; // of a vanished order: none
    if (order.status === "PAID") this.note("payments");
  }

  // Compares notes with the shop: {checked, lost, wrong}, where wrong are balances.
  async compare() {
    const found = { checked: 0, lost: 0, wrong: 0 };
    await Promise.all(this.customers.map((customer) => this.compareOne(customer, found)));
    return found;
  }

  async compareOne(customer, found) {
    for (const order of customer.orders) {
      const { status, json } = await this.insist("GET", `/orders/${order.id}`, customer);
      found.checked++;
      if (
        status === 404 ||
        (SETTLED.includes(order.status) && json.status !== order.status) ||
        !order.status
      )
        found.lost++;
    }
    const entries = await this.history(customer);
    found.checked += customer.charges.length;
    found.lost += customer.charges.filter(({ entry }) => !entries.has(entry)).length;
    const { json } = await this.insist("GET", "/me/balance", customer);
    const sum = (items) => items.reduce((total, { amount }) => total + amount, 0);
    const expected =
      sum(customer.charges) - sum(customer.orders.filter(({ status }) => status === "PAID"));
    if (json.balance !== expected) found.wrong++;
  }

  async history(customer) {
    const ids = new Set();
    for (
      let token = "", page;
      token !== undefined;
      token = page.json.next_page_token || undefined
    ) {
      page = await this.insist(
        "GET",
        `/me/balance/history?type=CHARGE&page_size=100${token && `&page_token=${encodeURIComponent(token)}`}`,
        customer,
      );
      for (const { id } of page.json.items) ids.add(id);
    }
    return ids;
  }
}
