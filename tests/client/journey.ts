// The journey of a customer, through types that were made of the API's description: what does not fit it
// does not compile.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./baro.js";

const baro = createClient<paths>({ baseUrl: process.argv[2]! });
const key = () => ({ "Idempotency-Key": crypto.randomUUID() });
function well<T>({ data, error }: { data?: T; error?: { detail: string } }): T {
  assert.ok(data !== undefined, error?.detail);
  return data;
}

const admin = well(
  await baro.POST("/api/v1/auth/login", {
    body: { email: "admin@baro.local", password: "Baro!2026" },
  }),
);
const shirt = well(
  await baro.POST("/api/v1/admin/products", {
    headers: { Authorization: `Bearer ${admin.access_token}` },
    body: {
      name: "바로 티셔츠",
      description: "soft",
      category: "clothes",
      options: [{ name: "빨강-L", price: 19900, stock: 5 }],
      images: [],
    },
  }),
);

const me = well(
  await baro.POST("/api/v1/auth/signup", {
    body: { email: `${crypto.randomUUID()}@example.com`, password: "Secret!2026", name: "You" },
  }),
);
baro.use({
  onRequest: ({ request }) => {
    request.headers.set("Authorization", `Bearer ${me.access_token}`);
  },
});
well(
  await baro.POST("/api/v1/me/balance/charges", {
    params: { header: key() },
    body: { amount: 30000 },
  }),
);
const order = well(
  await baro.POST("/api/v1/orders", {
    params: { header: key() },
    body: { items: [{ option_id: shirt.options[0]!.id, quantity: 1 }] },
  }),
);
const pay = { params: { path: { order_id: order.id }, header: { ...key(), Prefer: "wait=10" } } };
assert.equal(well(await baro.POST("/api/v1/orders/{order_id}/payment", pay)).status, "PAID");
assert.equal(well(await baro.POST("/api/v1/orders/{order_id}/payment", pay)).status, "PAID");
assert.equal(well(await baro.GET("/api/v1/me/balance")).balance, 10100);

const second = await baro.POST("/api/v1/checkout", {
  params: { header: key() },
  body: { items: [{ option_id: shirt.options[0]!.id, quantity: 1 }] },
});
assert.equal(second.error?.code, "INSUFFICIENT_BALANCE");
console.log(`a client out of the description: order ${order.id} is paid`);
