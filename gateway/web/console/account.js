// Signing in and up, and the wallet.

import { get, post, signIn, signOut, user } from "./api.js";
import { field, form, h, notice, table } from "./dom.js";
import { say, time, won } from "./words.js";

const email = () => field(say("email"), { name: "email", type: "email", autocomplete: "username" });
const password = (autocomplete) =>
  field(say("password"), { name: "password", type: "password", autocomplete, minlength: "8" });

function visitor() {
  return [
    h("h1", {}, say("signIn")),
    form(
      (values) => signIn("/auth/login", values),
      email(),
      password("current-password"),
      h("button", { class: "main" }, say("signIn")),
    ),
    h("h2", {}, say("signUp")),
    form(
      (values) => signIn("/auth/signup", values),
      email(),
      password("new-password"),
      field(say("name"), { name: "name", autocomplete: "name", minlength: "2", maxlength: "50" }),
      h("button", {}, say("signUp")),
    ),
    h("p", { class: "quiet" }, say("passwordRule")),
  ];
}

export async function accountPage() {
  if (!user()) return visitor();
  const [{ balance }, { items }] = await Promise.all([
    get("/me/balance"),
    get("/me/balance/history?page_size=50"),
  ]);
  const charge = form(
    async ({ amount }) => {
      const reply = await post("/me/balance/charges", { amount: Number(amount) });
      notice(say("charged", won(reply.balance)));
      window.dispatchEvent(new HashChangeEvent("hashchange")); // the page again, with the new row
    },
    field(say("amount"), {
      name: "amount",
      type: "number",
      min: 1000,
      max: 100000,
      step: 10,
      value: "50000",
    }),
    h("button", { class: "main" }, say("charge")),
  );
  return [
    h(
      "div",
      { class: "row spread" },
      h("h1", {}, user().name),
      h("button", { type: "button", onclick: signOut }, say("signOut")),
    ),
    h("p", {}, say("balance"), " ", h("span", { class: "big" }, won(balance))),
    charge,
    h("h2", {}, say("history")),
    items.length
      ? table(
          [
            [say("when"), (entry) => time(entry.created_at)],
            [say("kind"), (entry) => entry.type],
            [say("amount"), (entry) => won(entry.amount), "number"],
            [say("balance"), (entry) => won(entry.after), "number"],
            [say("note"), (entry) => entry.note ?? ""],
          ],
          items,
          say("history"),
        )
      : h("p", { class: "quiet" }, say("nothing")),
  ];
}
