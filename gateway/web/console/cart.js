// The cart, and the order that is made of it.

import { change, get, post } from "./api.js";
import { art } from "./art.js";
import { button, choice, empty, field, form, h, replace } from "./dom.js";
import { go } from "./places.js";
import { say, won } from "./words.js";

function cartLine(item, show) {
  const path = `/me/cart/${item.id}`;
  const setQuantity = (event) =>
    change("PATCH", path, { quantity: Number(event.target.value) }).finally(show);
  const remove = () => change("DELETE", path).then(show);
  return h(
    "li.card.line",
    art({ name: item.product_name }),
    h(
      "div",
      h("h2", h("a", { href: `#/products/${item.product_id}` }, item.product_name)),
      h("span.quiet", `${item.option_name} · ${won(item.price)}`),
    ),
    h(
      "div.row",
      field(say("quantity"), {
        type: "number",
        min: 1,
        max: 10,
        value: String(item.quantity),
        onchange: setQuantity,
      }),
      button(".plain", say("remove"), remove),
    ),
    h("strong.number", won(item.subtotal)),
  );
}

async function placeOrder(items, coupon) {
  const order = await post("/orders", {
    cart_item_ids: items.map(({ id }) => id),
    ...(coupon ? { user_coupon_id: Number(coupon) } : {}),
  });
  go(`/orders/${order.id}`);
}

const summary = (items, total, coupons) =>
  h(
    "section.card.summary",
    h("h2", say("summary")),
    h("p.row.spread", h("span", say("total")), h("span.big", won(total))),
    form(
      (values) => placeOrder(items, values.coupon),
      choice(say("coupon"), { name: "coupon" }, [
        ["", coupons.length ? say("noCoupon") : say("noCoupons")],
        ...coupons.map((coupon) => [coupon.id, coupon.name]),
      ]),
      h("button.main", say("order")),
    ),
    h("p.quiet.hint", say("orderHint")),
  );

export async function cartPage() {
  const content = h("div");

  async function show() {
    const [cart, coupons] = await Promise.all([
      get("/me/cart"),
      get("/me/coupons?status=AVAILABLE"),
    ]);
    const items = cart.items ?? [];
    window.dispatchEvent(new Event("baro:cart"));
    if (!items.length) return replace(content, empty(say("cartEmpty"), ["/", say("toShop")]));
    const lines = h(
      "ul.list",
      items.map((item) => cartLine(item, show)),
    );
    const beside = h("div.beside.wide", lines, summary(items, cart.total_amount, coupons.items));
    return replace(content, beside);
  }

  await show();
  return [h("h1", say("cart")), content];
}
