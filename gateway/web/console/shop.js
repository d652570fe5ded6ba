// The storefront: browse, search, a product and its options.

import { get, post, user } from "./api.js";
import { art } from "./art.js";
import { button, choice, empty, field, form, h, notice } from "./dom.js";
import { go, goAfterSigningIn } from "./places.js";
import { say, won } from "./words.js";

const SORTS = ["latest", "popular", "price_asc", "price_desc"];
const PAGE = 24;

const isSoldOut = ({ options }) => options.every(({ available }) => !available);
const priceOf = ({ price, options }) =>
  options.some((option) => option.price !== price) ? say("from", won(price)) : won(price);

const productCard = (product) =>
  h(
    "li.card.product",
    art(product),
    h("h2", h("a", { href: `#/products/${product.id}` }, product.name)),
    h("p.quiet", product.description),
    h(
      "p.row.spread",
      h("strong", priceOf(product)),
      isSoldOut(product) && h("span.badge.bad", say("soldOut")),
    ),
  );

export async function shopPage() {
  const list = h("ul.grid");
  const more = button(".more", say("more"));
  let query = {};

  async function load(next) {
    query = next;
    const page = await get(`/products?${new URLSearchParams({ page_size: PAGE, ...query })}`);
    if (!query.page_token) list.replaceChildren();
    list.append(...page.items.map(productCard));
    if (!list.children.length)
      list.append(h("li", empty(say(query.search ? "notFound" : "noProducts"))));
    more.hidden = !page.next_page_token;
    more.onclick = () => load({ ...query, page_token: page.next_page_token });
  }

  const submit = (event) => event.target.form.requestSubmit();
  const filters = form(
    ({ search, sort }) => load({ ...(search ? { search } : {}), sort }),
    field(say("search"), { name: "search", type: "search", required: false }),
    choice(
      say("sort"),
      { name: "sort", onchange: submit },
      SORTS.map((sort) => [sort, say(sort)]),
    ),
    h("button.main", say("search")),
  );
  filters.classList.add("filters");
  await load({ sort: SORTS[0] });
  return [h("h1", say("shop")), h("p.quiet.lead", say("shopWhat")), filters, list, more];
}

async function addToCart(product, option, quantity) {
  if (!user()) return goAfterSigningIn(`/products/${product.id}`);
  await post("/me/cart", { option_id: option.id, quantity });
  window.dispatchEvent(new Event("baro:cart"));
  return notice(say("added"), "good");
}

const quantityField = () =>
  field(say("quantity"), { name: "quantity", type: "number", min: 1, max: 10, value: "1" });

function optionLine(product, option) {
  const left = option.available ? say("available", option.available) : say("soldOut");
  return h(
    "li.card.option",
    h(
      "div",
      h("h2", option.name),
      h("strong", won(option.price)),
      h(option.available ? "span.quiet" : "span.badge.bad", left),
    ),
    form(
      (values) => addToCart(product, option, Number(values.quantity)),
      quantityField(),
      h("button.main", { disabled: !option.available }, say("addToCart")),
    ),
  );
}

export async function productPage(signal, id) {
  const product = await get(`/products/${id}`);
  return [
    h(
      "p",
      button(".plain", say("backToShop"), () => go("/")),
    ),
    h(
      "article.beside",
      h("div.frame", art(product)),
      h(
        "div",
        product.category && h("span.badge", product.category),
        h("h1", product.name),
        h("p.lead", product.description),
        h(
          "ul.list",
          product.options.map((option) => optionLine(product, option)),
        ),
      ),
    ),
  ];
}
