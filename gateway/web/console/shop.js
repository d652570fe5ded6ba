// The storefront: browse, search, cart, checkout.

import { change, get, post, user } from "./api.js";
import { field, form, h, notice, replace } from "./dom.js";
import { say, won } from "./words.js";

const sorts = ["latest", "popular", "price_asc", "price_desc"];
const go = (address) => {
  location.hash = address;
};

const productCard = (product) =>
  h(
    "li",
    { class: "card" },
    h("h2", {}, h("a", { href: `#/products/${product.id}` }, product.name)),
    h("p", { class: "quiet" }, product.description),
    h("strong", {}, say("from", won(product.price))),
  );

export async function shopPage() {
  const list = h("ul", { class: "grid" });
  const more = h("button", { type: "button", hidden: true }, say("more"));
  let query = {};

  async function load(next) {
    query = next;
    const page = await get(`/products?${new URLSearchParams({ page_size: 24, ...query })}`);
    if (!query.page_token) list.replaceChildren();
    list.append(...page.items.map(productCard));
    if (!list.children.length) list.append(h("li", { class: "quiet" }, say("nothing")));
    more.hidden = !page.next_page_token;
    more.onclick = () => load({ ...query, page_token: page.next_page_token });
  }

  const filters = form(
    ({ search, sort }) => load({ ...(search ? { search } : {}), sort }),
    field(say("search"), { name: "search", type: "search", required: false }),
    h(
      "label",
      {},
      say("sort"),
      h(
        "select",
        { name: "sort", onchange: (event) => event.target.form.requestSubmit() },
        sorts.map((sort) => h("option", { value: sort }, say(sort))),
      ),
    ),
    h("button", {}, say("search")),
  );
  await load({ sort: sorts[0] });
  return [h("h1", {}, say("shop")), filters, list, more];
}

const optionRow = (option) =>
  h(
    "li",
    { class: "card" },
    h("h3", {}, option.name),
    h(
      "div",
      { class: "row spread" },
      h("strong", {}, won(option.price)),
      h(
        "span",
        { class: option.available ? "quiet" : "bad" },
        option.available ? say("available", option.available) : say("soldOut"),
      ),
    ),
    form(
      (values) => addToCart(option, Number(values.quantity)),
      field(say("quantity"), { name: "quantity", type: "number", min: 1, max: 10, value: "1" }),
      h("button", { class: "main", disabled: !option.available }, say("addToCart")),
    ),
  );

async function addToCart(option, quantity) {
  if (!user()) return go("/account");
  await post("/me/cart", { option_id: option.id, quantity });
  return notice(say("added"));
}

export async function productPage(signal, id) {
  const product = await get(`/products/${id}`);
  return [
    h("h1", {}, product.name),
    h("p", {}, product.description),
    h("ul", { class: "grid" }, product.options.map(optionRow)),
  ];
}

const couponChoice = (coupons) =>
  h(
    "label",
    {},
    say("coupon"),
    h(
      "select",
      { name: "coupon" },
      h("option", { value: "" }, say("noCoupon")),
      coupons.map((coupon) => h("option", { value: coupon.id }, coupon.name)),
    ),
  );

export async function cartPage() {
  const content = h("div");

  async function show() {
    const [cart, coupons] = await Promise.all([
      get("/me/cart"),
      get("/me/coupons?status=AVAILABLE"),
    ]);
    const items = cart.items ?? [];
    if (!items.length) return replace(content, h("p", { class: "quiet" }, say("nothing")));
    return replace(
      content,
      h("ul", { class: "grid" }, items.map(cartLine)),
      h("p", { class: "big" }, say("total"), " ", won(cart.total_amount)),
      form(
        (values) => placeOrder(items, values.coupon),
        couponChoice(coupons.items),
        h("button", { class: "main" }, say("order")),
      ),
    );
  }

  const cartLine = (item) =>
    h(
      "li",
      { class: "card" },
      h("h2", {}, item.product_name),
      h("span", { class: "quiet" }, item.option_name),
      h(
        "div",
        { class: "row spread" },
        h("span", {}, won(item.price)),
        h("strong", {}, won(item.subtotal)),
      ),
      h(
        "div",
        { class: "row" },
        h(
          "label",
          {},
          say("quantity"),
          h("input", {
            type: "number",
            min: 1,
            max: 10,
            value: String(item.quantity),
            onchange: async (event) => {
              await change("PATCH", `/me/cart/${item.id}`, {
                quantity: Number(event.target.value),
              }).finally(show);
            },
          }),
        ),
        h(
          "button",
          {
            type: "button",
            onclick: async () => {
              await change("DELETE", `/me/cart/${item.id}`);
              await show();
            },
          },
          say("remove"),
        ),
      ),
    );

  await show();
  return [h("h1", {}, say("cart")), content];
}

async function placeOrder(items, coupon) {
  const order = await post("/orders", {
    cart_item_ids: items.map(({ id }) => id),
    ...(coupon ? { user_coupon_id: Number(coupon) } : {}),
  });
  go(`/orders/${order.id}`);
}
