// The frame: which page the address names, who is signed in, which language.

import { get, isAdmin, onSession, Problem, user } from "./api.js";
import { h, notice, replace } from "./dom.js";
import { otherLanguage, say, switchLanguage, won } from "./words.js";
import { accountPage } from "./account.js";
import { couponsPage, rushPage } from "./coupons.js";
import { operationsPage } from "./operations.js";
import { orderPage, ordersPage } from "./orders.js";
import { sagaPage, sagasPage } from "./sagas.js";
import { cartPage, productPage, shopPage } from "./shop.js";

// A page is an async function of the address's parts and a signal that says when it is left; it gives
// the elements to show.
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
let left = new AbortController();

export function tell(error) {
  if (error?.name === "AbortError") return;
  if (!(error instanceof Problem)) console.warn(error);
  const fields = error.errors?.map(({ field, message }) => `${field}: ${message}`) ?? [];
  notice([error.message, ...fields].join(" · "), "bad");
}

function showFrame(current) {
  replace(
    document.getElementById("nav"),
    pages
      .filter(({ link, who }) => link && (!who || who()))
      .map(({ link, nav }) =>
        h("a", { href: `#${link}`, "aria-current": nav === current ? "page" : null }, say(nav)),
      ),
  );
  document.getElementById("language").textContent = otherLanguage();
  document.querySelector(".skip").textContent = say("skip");
  document.title = current ? `${say(current)} · Baro` : "Baro";
}

async function showBalance() {
  const balance = document.getElementById("balance");
  if (!user()) return balance.replaceChildren();
  const reply = await get("/me/balance").catch(() => null);
  return replace(balance, reply && h("a", { href: "#/account" }, won(reply.balance)));
}

async function show() {
  left.abort();
  left = new AbortController();
  const { signal } = left;
  const address = location.hash.slice(1) || "/";
  const page = pages.find(({ path }) => path.test(address)) ?? pages[0];
  showFrame(page.nav);
  showBalance();
  if (page.who && !page.who()) {
    replace(
      main,
      h(
        "p",
        {},
        say(user() ? "adminsOnly" : "needAccount"),
        " ",
        h("a", { href: "#/account" }, say("account")),
      ),
    );
    return;
  }
  try {
    const content = await page.show(signal, ...(address.match(page.path)?.slice(1) ?? []));
    if (!signal.aborted) replace(main, content);
  } catch (error) {
    if (signal.aborted) return;
    tell(error);
    replace(main, h("p", { class: "bad" }, error.message));
  }
}

document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  show();
});
window.addEventListener("hashchange", () => {
  main.focus({ preventScroll: true });
  show();
});
window.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tell(event.reason);
});
window.addEventListener("baro:balance", showBalance);
onSession(show);
show();
