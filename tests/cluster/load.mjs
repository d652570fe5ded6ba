// Customers at the shop's door: each places and pays orders and looks around, for ever. They come in as
// through an Ingress controller: over kept connections, to each ready gateway in turn, and a request
// that fails has failed. Run in the network namespace of the Ingress.
//   node load.mjs CUSTOMERS ADMIN-PASSWORD
// Standard input: a JSON line {"endpoints": ["10.77.0.9:8080", ..]} whenever they change.
// Standard output: {"open": true} when the customers are in, {"failed": ..} for each request that did not
// get the answer that it should, {"second": {answered, orders, slowest_ms}} every second. A customer whose
// request failed asks again with its key where the answer says that this is of use, and {"lost": ..} is
// said when he has not got his answer in half a minute, or not what he paid for.
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const [customers, adminPassword] = process.argv.slice(2);
const PACE_MS = 1050; // after an order is answered: the shop takes one a second from each customer
const PATIENCE_MS = 30000;
const PRICE = 100;
const CHARGE = 100000;
const ORDERS_PER_CHARGE = 900;
const ADMIN = { email: "admin@baro.local", password: adminPassword };

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let endpoints = new Map(); // "host:port" -> Agent
let turn = 0;
let second = { answered: 0, orders: 0, slowest_ms: 0 };

// What goes away gets no more requests; what is under way there ends as it will.
function setEndpoints(addresses) {
  const next = new Map(
    addresses.map((address) => [address, endpoints.get(address) ?? new Agent({ keepAlive: true })]),
  );
  for (const [address, agent] of endpoints)
    if (!next.has(address)) {
      agent.maxFreeSockets = 0;
      for (const socket of Object.values(agent.freeSockets).flat()) socket.destroy();
    }
  endpoints = next;
}

function send(method, path, headers, body) {
  const all = [...endpoints];
  const [address, agent] = all[turn++ % all.length];
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const sent = request(
      { host, port, agent, method, path: `/api/v1${path}`, headers, timeout: 10000 },
      (reply) => {
        const parts = [];
        reply.on("data", (part) => parts.push(part)).on("error", reject);
        reply.on("end", () =>
          resolve({
            address,
            status: reply.statusCode,
            body: Buffer.concat(parts).toString() || "{}",
          }),
        );
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("no answer in 10 s")));
    sent.on("error", (error) => reject(Object.assign(error, { address })));
    sent.end(body && JSON.stringify(body));
  });
}

function record(kind, begun, method, path, { address, status, body }) {
  say({
    [kind]: {
      at: new Date(begun).toISOString(),
      took_ms: Date.now() - begun,
      method,
      path,
      address,
      status,
      body: String(body).slice(0, 300),
    },
  });
}

async function ask(method, path, headers, body) {
  const begun = Date.now();
  const reply = await send(method, path, headers, body).catch((error) => ({
    address: error.address,
    status: 0,
    body: error,
  }));
  second.answered++;
  second.slowest_ms = Math.max(second.slowest_ms, Date.now() - begun);
  return reply;
}

const isWorthAsking = ({ status, body }) => status === 0 || JSON.parse(body).retryable;

// The answer's body, or null when there was none to be had.
async function call(token, expected, method, path, body) {
  const headers = {
    "content-type": "application/json",
    "idempotency-key": randomUUID(),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const begun = Date.now();
  for (;;) {
    const reply = await ask(method, path, headers, body);
    if (reply.status === expected) return JSON.parse(reply.body);
    record("failed", begun, method, path, reply);
    if (reply.status === 202) return JSON.parse(reply.body);
    if (!isWorthAsking(reply) || Date.now() - begun > PATIENCE_MS)
      return void record("lost", begun, method, path, reply);
    await sleep(PACE_MS);
  }
}

// An order that is under way yet (202) is looked at until it has ended.
async function paid(token, order) {
  const begun = Date.now();
  while (order && order.status !== "PAID" && Date.now() - begun < PATIENCE_MS) {
    await sleep(PACE_MS);
    order = await call(token, 200, "GET", `/orders/${order.id}`);
  }
  if (order?.status === "PAID") second.orders++;
  else if (order) record("lost", begun, "GET", `/orders/${order.id}`, { body: order.status });
}

async function checkOut(token, items) {
  await paid(token, await call(token, 200, "POST", "/checkout", { items }));
}

async function orderAndPay(token, items) {
  const order = await call(token, 201, "POST", "/orders", { items });
  if (order) await paid(token, await call(token, 200, "POST", `/orders/${order.id}/payment`, {}));
}

const LOOKS = [
  "/me/balance",
  "/me/coupons",
  "/me/cart",
  "/coupons",
  "/products",
  "/me/orders?page_size=5",
];

async function shop(token, options, number) {
  await sleep((number / customers) * PACE_MS);
  for (let round = 0; ; round++) {
    if (round % ORDERS_PER_CHARGE === 0)
      await call(token, 201, "POST", "/me/balance/charges", { amount: CHARGE });
    const items = [{ option_id: options[(number + round) % options.length], quantity: 1 }];
    await (round % 2 ? checkOut : orderAndPay)(token, items);
    const next = sleep(PACE_MS);
    for (const path of LOOKS) await call(token, 200, "GET", path);
    await next;
  }
}

async function open() {
  const { access_token: admin } = await call(null, 200, "POST", "/auth/login", ADMIN);
  const option = (name) => ({ name, price: PRICE, stock: 1000000 });
  const { options } = await call(admin, 201, "POST", "/admin/products", {
    name: "tea",
    description: "green",
    category: "food",
    options: ["small", "large"].map(option),
    images: [],
  });
  for (let number = 0; number < customers; number++) {
    const { access_token } = await call(null, 201, "POST", "/auth/signup", {
      email: `${randomUUID()}@example.com`,
      password: "Baro!2026",
      name: "손님",
    });
    shop(
      access_token,
      options.map(({ id }) => id),
      number,
    );
  }
  say({ open: true });
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const first = endpoints.size === 0;
    setEndpoints(JSON.parse(line).endpoints);
    if (first && endpoints.size > 0) open();
  })
  .on("close", () => process.exit(0));
setInterval(() => {
  say({ second });
  second = { answered: 0, orders: 0, slowest_ms: 0 };
}, 1000);
