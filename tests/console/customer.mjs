// What customers do in the storefront.
import assert from "node:assert/strict";
import test from "node:test";
import { charge, look, open, order, phone, signUp } from "./browser.mjs";
import { PASSWORD, base, campaign, fridge, made, newCampaign, run, shirt } from "./shop.mjs";

test("a customer finds a shirt, claims a coupon, orders, pays, and has the money back", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.getByLabel("Search").fill("nothing of that kind");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Nothing was found.").waitFor();
  await page.getByLabel("Search").fill(shirt);
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: shirt }).waitFor();
  await look(page, "shop");
  await signUp(page, "손님 Kim");
  await charge(page, 50000);
  await look(page, "account");

  await page.goto(`${base}/#/coupons`);
  const card = page.locator(".card", { hasText: campaign });
  await card.getByRole("button", { name: "Claim" }).click();
  await card.getByText("You are number 1!").waitFor();
  await look(page, "coupons");

  await page.goto(`${base}/#/products/${made.shirt.id}`);
  await page.getByText("Sold out").waitFor();
  await look(page, "product");
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await page.getByText("In the cart.").waitFor();
  await page.goto(`${base}/#/cart`);
  await page.getByLabel("Coupon").selectOption({ label: campaign });
  await look(page, "cart");
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page.locator(".steps li", { hasText: "Confirm the stock" }).waitFor();
  await page.locator(".steps li.done", { hasText: "Debit the wallet" }).waitFor();
  await page.locator(".state", { hasText: "Paid" }).waitFor();
  await page.locator(".steps li", { hasText: "Paid" }).waitFor(); // the last line
  assert.equal(await page.locator(".track li.done").count(), 5);
  await look(page, "paid");

  await page.getByRole("button", { name: "Cancel and refund" }).click();
  await page.locator(".state", { hasText: "Refunded" }).waitFor();
  await page.locator(".track li.returned").nth(3).waitFor();
  await look(page, "refunded");
  await page.getByRole("link", { name: "₩50,000" }).waitFor();
  await page.goto(`${base}/#/orders`);
  await page.getByRole("cell", { name: "Refunded" }).waitFor();
  await look(page, "orders");
});

test("a payment that fails shows what was given back, and the order can still be paid", async (t) => {
  const page = await open(t);
  await signUp(page, "Poor Kim");
  await charge(page, 1000);
  await page.goto(`${base}/#/coupons`);
  await page.locator(".card", { hasText: campaign }).getByRole("button", { name: "Claim" }).click();
  await page.locator(".rank", { hasText: "You are number" }).waitFor();
  await order(page, made.fridge, campaign);
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page.locator(".steps li.done", { hasText: "Use the coupon" }).waitFor();
  await page.locator(".steps li.refused", { hasText: "Debit the wallet" }).waitFor();
  await page.locator(".steps li.returned", { hasText: "Coupon given back" }).waitFor();
  await page.locator(".steps li", { hasText: "The balance is too low" }).waitFor(); // the last line
  await page.getByRole("cell", { name: "The balance is too low" }).waitFor();
  await page.locator(".track li.returned", { hasText: "Coupon" }).waitFor();
  await page.locator(".track li.refused", { hasText: "Wallet" }).waitFor();
  await page.getByRole("button", { name: /^Pay/ }).waitFor();
  await look(page, "refused");
  await page.goto(`${base}/#/coupons`);
  await page.getByRole("cell", { name: "Available" }).waitFor();
  await page.getByRole("button", { name: "한국어" }).click();
  await page.getByRole("cell", { name: "사용 가능" }).waitFor();
});

test("a customer waits for a rush to open, is quick, and the next one is too late", async (t) => {
  const { id } = await newCampaign(`Soon ${run}`, "SOON", 5000, 1);
  const [quick, late] = [await open(t), await open(t)];
  await signUp(quick, "Quick Kim");
  await signUp(late, "Late Kim");
  for (const page of [quick, late]) await page.goto(`${base}/#/coupons/${id}`);
  await quick.getByText(/Opens in|Closes in/).waitFor();
  await look(quick, "rush");
  await quick.getByRole("button", { name: "Claim" }).click();
  await quick.locator(".rank", { hasText: "You are number 1!" }).waitFor();
  await look(quick, "rush-won");
  await late.getByRole("button", { name: "Sold out" }).waitFor();
});

test("a Korean with a phone in the dark signs in on the way, and shops to the receipt", async (t) => {
  const page = await open(t, phone);
  const press = (name) => page.getByRole("button", { name }).first().click();
  await page.getByRole("heading", { name: "상점" }).waitFor();
  await page.getByLabel("검색").fill(run);
  await press("검색");
  await page.getByRole("link", { name: fridge }).waitFor();
  await look(page, "phone-shop");
  await page.getByRole("link", { name: shirt }).click();
  await page
    .getByText("50개 남음")
    .or(page.getByText(/4\d개 남음/))
    .first()
    .waitFor();
  await look(page, "phone-product");
  await press("장바구니에 담기");
  await page.getByRole("heading", { name: "로그인" }).waitFor();
  await look(page, "phone-account");
  const form = page.locator("form").nth(1);
  await form.getByLabel("이메일").fill(`${crypto.randomUUID()}@example.com`);
  await form.getByLabel("비밀번호").fill(PASSWORD);
  await form.getByLabel("이름").fill("손님");
  await form.getByRole("button").click();
  await page.getByRole("heading", { name: shirt }).waitFor(); // where it was before
  await press("장바구니에 담기");
  await page.getByText("장바구니에 담았습니다.").waitFor();
  await page.getByRole("link", { name: "장바구니 1" }).click();
  await page.getByText("주문 요약").waitFor();
  await look(page, "phone-cart");
  await press("주문하기");
  await press(/결제$/);
  await page.locator(".track li.refused", { hasText: "지갑" }).waitFor();
  await page.locator(".steps li", { hasText: "잔액이 부족합니다" }).waitFor();
  await look(page, "phone-refused");
  const { href } = await page.evaluate(() => ({ href: location.href }));
  await page.goto(`${base}/#/account`);
  await press("충전");
  await page.getByText("잔액은 이제 50,000원입니다.").waitFor();
  await look(page, "phone-wallet");
  await page.goto(href);
  await press(/결제$/);
  await page.locator(".track li.done", { hasText: "결제 완료" }).waitFor();
  await look(page, "phone-paid");
  await page.goto(`${base}/#/coupons`);
  await page.getByText("아직 받은 쿠폰이 없습니다.").waitFor();
  await look(page, "phone-coupons");
});

test("a customer thinks again: sorts, counts, throws out, cancels, and leaves", async (t) => {
  const page = await open(t);
  await signUp(page, "Fickle Kim");
  await page.goto(`${base}/#/`);
  await page.getByLabel("Search").fill(run);
  await page.getByRole("button", { name: "Search" }).click();
  const first = page.locator(".product").first();
  await page.getByLabel("Sort by").selectOption("price_desc");
  await first.getByText(fridge).waitFor();
  await page.getByLabel("Sort by").selectOption("price_asc");
  await first.getByText(shirt).waitFor();

  for (const { id } of [made.shirt, made.fridge]) {
    await page.goto(`${base}/#/products/${id}`);
    await page.getByRole("button", { name: "Add to cart" }).first().click();
    await page.getByText("In the cart.").last().waitFor();
  }
  await page.getByRole("link", { name: "Cart 2" }).click();
  const line = (name) => page.locator(".card.line", { hasText: name });
  await line(fridge).getByRole("button", { name: "Remove" }).click();
  await line(fridge).waitFor({ state: "detached" });
  await line(shirt).getByLabel("Quantity").fill("3");
  await line(shirt).getByLabel("Quantity").press("Enter");
  await page.locator(".summary").getByText("₩59,700").waitFor();
  await line(shirt).getByLabel("Quantity").fill("50");
  await line(shirt).getByLabel("Quantity").press("Enter");
  await page.locator("#notices .bad").waitFor();
  await page.locator(".summary").getByText("₩59,700").waitFor();

  await page.getByRole("button", { name: "Place the order" }).click();
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await page.locator(".state", { hasText: "Cancelled" }).waitFor();
  await page.goto(`${base}/#/account`);
  await page.getByRole("button", { name: "₩10,000" }).click();
  await page.getByRole("button", { name: "Charge" }).click();
  await page.getByText("Your balance is ₩10,000 now.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Orders" }).count(), 0);
});

test("a customer with a keyboard alone finds a product and puts it into the cart", async (t) => {
  const page = await open(t);
  await page.getByRole("heading", { name: "Shop" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  // Presses Tab until what has the focus says these words, or shows them as its address or name.
  const reach = async (words) => {
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      const said = await page.evaluate(() => {
        const { textContent, name, attributes } = document.activeElement;
        return [textContent, name, attributes.href?.value].join(" ");
      });
      if (said.includes(words)) return;
    }
    assert.fail(`no "${words}" within 30 presses`);
  };
  await reach("search");
  await page.keyboard.type(shirt);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: fridge }).waitFor({ state: "detached" });
  await reach("#/products/");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: shirt, level: 1 }).waitFor(); // in the shop it is one of many
  await reach("Add to cart");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});
