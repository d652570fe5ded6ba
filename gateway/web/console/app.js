// The frame: which page the address names, who is signed in, which language.

import { get, isAdmin, onSession, Problem, user } from "./api.js";
import { empty, h, notice, replace } from "./dom.js";
import { takeWanted } from "./places.js";
import { otherLanguage, say, switchLanguage, won } from "./words.js";
import { accountPage } from "./account.js";
import { cartPage } from "./cart.js";
import { couponsPage, rushPage } from "./coupons.js";
import { operationsPage } from "./operations.js";
import { orderPage, ordersPage } from "./orders.js";
import { sagaPage, sagasPage } from "./sagas.js";
import { productPage, shopPage } from "./shop.js";

// A page is an async function of a signal that says when it is left, and of the address's parts; it
// gives the elements to show. `who` says whether the visitor may see it.
const pages = [
  { path: /^\/$/, show: shopPage, nav: "shop", link: "/" },
  { path: /^\/products\/(\d+)$/, show: productPage, nav: "shop" },
  { path: /^\/coupons$/, show: couponsPage, nav: "coupons", link: "/coupons" },
  { path: /^\/coupons\/(\d+)$/, show: rushPage, nav: "coupons" },
  { path: /^\/cart$/, show: cartPage, nav: "cart", link: "/cart", who: user },
  { path: /^\/orders$/, show: ordersPage, nav: "orders", link: "/orders", who: user },
  { path: /^\/orders\/(\d+)$/, show: orderPage, nav: "orders", who: user },
  { path: /^\/account$/, show: accountPage, nav: "account", link: "/account" },
  {
    path: /^\/operations$/,
    show: operationsPage,
    nav: "operations",
    link: "/operations",
    who: isAdmin,
  },
  { path: /^\/sagas$/, show: sagasPage, nav: "sagas", link: "/sagas", who: isAdmin },
  { path: /^\/sagas\/(\d+)$/, show: sagaPage, nav: "sagas", who: isAdmin },
];

const main = document.getElementById("main");
const inCart = h("span.count");
let left = new AbortController();

function tell(error) {
  if (error?.name === "AbortError") return;
  if (!(error instanceof Problem)) console.warn(error);
  const fields = error.errors?.map(({ field, message }) => `${field}: ${message}`) ?? [];
  const more = fields.filter((field) => field !== error.message);
  notice([error.message, ...more].join(" · "), "bad");
}

function navLink({ link, nav }, current) {
  const attributes = { href: `#${link}`, "aria-current": nav === current ? "page" : null };
  return h("a", attributes, say(nav), nav === "cart" && inCart);
}

function showFrame(current) {
  const links = pages.filter(({ link, who }) => link && (!who || who()));
  replace(
    document.getElementById("nav"),
    links.map((page) => navLink(page, current)),
  );
  document.getElementById("language").textContent = otherLanguage();
  document.querySelector(".skip").textContent = say("skip");
  document.title = `${say(current)} · Baro`;
}

async function showBalance() {
  const balance = document.getElementById("balance");
  if (!user()) return balance.replaceChildren();
  const reply = await get("/me/balance").catch(() => null);
  const link = reply && h("a", { href: "#/account", title: say("balance") }, won(reply.balance));
  return replace(balance, link);
}

async function showCart() {
  const cart = user() ? await get("/me/cart").catch(() => null) : null;
  inCart.textContent = cart?.items?.length || "";
}

async function content(page, signal, parts) {
  if (!page.who || page.who()) return page.show(signal, ...parts);
  return empty(say(user() ? "adminsOnly" : "needAccount"), ["/account", say("account")]);
}

async function show() {
  left.abort();
  left = new AbortController();
  const { signal } = left;
  const address = location.hash.slice(1) || "/";
  const page = pages.find(({ path }) => path.test(address)) ?? pages[0];
  showFrame(page.nav);
  showBalance();
  showCart();
  main.setAttribute("aria-busy", "true");
  try {
    const shown = await content(page, signal, address.match(page.path)?.slice(1) ?? []);
    if (!signal.aborted) replace(main, shown);
  } catch (error) {
    if (signal.aborted) return;
    replace(main, empty(error.message, ["/", say("toShop")]));
  }
  main.removeAttribute("aria-busy");
}

function sessionChanged() {
  const wanted = user() && takeWanted();
  if (wanted && location.hash !== `#${wanted}`) location.hash = wanted;
  else show();
}

document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  show();
});
window.addEventListener("hashchange", () => {
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  show();
});
window.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tell(event.reason);
});
window.addEventListener("baro:balance", showBalance);
window.addEventListener("baro:cart", showCart);
// Charts are drawn in the colours of the scheme.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
onSession(sessionChanged);
show();
