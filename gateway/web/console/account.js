// Signing in and up, and the wallet.

import { get, post, signIn, signOut, user } from "./api.js";
import { button, empty, field, form, h, notice, table } from "./dom.js";
import { say, time, won } from "./words.js";

const AMOUNTS = [10000, 50000, 100000];

const email = () => field(say("email"), { name: "email", type: "email", autocomplete: "username" });
const password = (autocomplete) =>
  field(say("password"), { name: "password", type: "password", autocomplete, minlength: "8" });
const ownName = () =>
  field(say("name"), { name: "name", autocomplete: "name", minlength: "2", maxlength: "50" });

const doors = () => [
  h("h1", say("account")),
  h(
    "div.doors",
    h(
      "section.card",
      h("h2", say("signIn")),
      form(
        (values) => signIn("/auth/login", values),
        email(),
        password("current-password"),
        h("button.main", say("signIn")),
      ),
    ),
    h(
      "section.card",
      h("h2", say("signUp")),
      form(
        (values) => signIn("/auth/signup", values),
        email(),
        password("new-password"),
        h("p.quiet.hint", say("passwordRule")),
        ownName(),
        h("button", say("signUp")),
      ),
    ),
  ),
];

function chargeForm() {
  const amount = field(say("amount"), {
    name: "amount",
    type: "number",
    min: 1000,
    max: 100000,
    step: 10,
    value: "50000",
  });
  const fill = (sum) => () => {
    amount.querySelector("input").value = sum;
  };
  const charge = async (values) => {
    const reply = await post("/me/balance/charges", { amount: Number(values.amount) });
    notice(say("charged", won(reply.balance)), "good");
    window.dispatchEvent(new HashChangeEvent("hashchange")); // the page again, with the new row
  };
  return form(
    charge,
    amount,
    h("button.main", say("charge")),
    AMOUNTS.map((sum) => button(".small", won(sum), fill(sum))),
  );
}

const historyTable = (items) =>
  table(
    [
      [say("when"), (entry) => time(entry.created_at)],
      [say("kind"), (entry) => say(`wallet_${entry.type}`)],
      [
        say("change"),
        (entry) => h(entry.amount < 0 ? "span" : "span.good", won(entry.amount)),
        "number",
      ],
      [say("balance"), (entry) => won(entry.after), "number"],
      [say("note"), (entry) => entry.note ?? ""],
    ],
    items,
    say("history"),
  );

export async function accountPage() {
  if (!user()) return doors();
  const [{ balance }, { items }] = await Promise.all([
    get("/me/balance"),
    get("/me/balance/history?page_size=50"),
  ]);
  return [
    h("div.row.spread", h("h1", user().name), button("", say("signOut"), signOut)),
    h(
      "section.card.wallet",
      h("div", h("span.quiet", say("balance")), h("span.big", won(balance))),
      chargeForm(),
    ),
    h("h2", say("history")),
    items.length ? historyTable(items) : empty(say("noHistory")),
  ];
}
