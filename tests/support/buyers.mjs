// Customers for checks that are written for node: each orders and pays, over and over, until told to
// stop. What was acknowledged is remembered, and so is every answer that no customer should see.

export class Shop {
  // `bases` gives the addresses ("http://127.0.0.1:8080") that a load balancer would choose from now.
  constructor(bases) {
    this.bases = bases;
    this.turn = 0;
  }

  async call(method, path, { token, body, key } = {}) {
    const bases = this.bases();
    const reply = await fetch(`${bases[this.turn++ % bases.length]}/api/v1${path}`, {
      method,
      headers: {
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...(method === "POST" ? { "Idempotency-Key": key ?? crypto.randomUUID() } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: body && JSON.stringify(body),
    });
    const json = await reply.json();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(json)}`);
    return json;
  }

  async signIn(email, password) {
    return (await this.call("POST", "/auth/login", { body: { email, password } })).access_token;
  }

  async newCustomer(balance) {
    const body = {
      email: `${crypto.randomUUID()}@example.com`,
      password: "Secret!2026",
      name: "손님",
    };
    const token = (await this.call("POST", "/auth/signup", { body })).access_token;
    for (let left = balance; left > 0; left -= 100000)
      await this.call("POST", "/me/balance/charges", {
        token,
        body: { amount: Math.min(left, 100000) },
      });
    return token;
  }

  async newOption(price, stock) {
    const token = await this.signIn("admin@baro.local", "Baro!2026");
    const body = {
      name: "pen",
      description: "",
      category: "test",
      options: [{ name: "blue", price, stock }],
      images: [],
    };
    return (await this.call("POST", "/admin/products", { token, body })).options[0].id;
  }
}

export class Buyers {
  constructor(shop) {
    this.shop = shop;
    this.paid = []; // { id, token, at } of each order that was acknowledged as PAID
    this.failures = [];
    this.running = [];
    this.stopping = false;
  }

  async start(count, option) {
    const tokens = await Promise.all(
      Array.from({ length: count }, () => this.shop.newCustomer(1000000)),
    );
    this.running = tokens.map((token) => this.buy(token, option));
  }

  async buy(token, option) {
    while (!this.stopping) {
      try {
        const body = { items: [{ option_id: option, quantity: 1 }] };
        const { id } = await this.shop.call("POST", "/orders", { token, body });
        const { status } = await this.shop.call("POST", `/orders/${id}/payment`, {
          token,
          body: {},
        });
        if (status !== "PAID") throw new Error(`order ${id} is ${status}`);
        this.paid.push({ id, token, at: Date.now() });
      } catch (error) {
        this.failures.push(`${error.message} ${error.cause?.code ?? ""}`);
      }
    }
  }

  async stop() {
    this.stopping = true;
    await Promise.all(this.running);
  }
}

export async function until(what, condition, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ;) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
