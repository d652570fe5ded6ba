// A customer and an operator use the console in a real browser.
//   node check.mjs http://127.0.0.1:8080 PICTURES     (started by tests/console/run)
// Every page is looked at by axe-core, nothing may reach the browser's console, and PICTURES gets a
// screenshot of each page. The catalogue is made over the API first.
import { existsSync } from "node:fs";
import { after, before } from "node:test";
import { closeBrowser, executablePath, openBrowser } from "./browser.mjs";
import { closeShop, openShop } from "./shop.mjs";

if (existsSync(executablePath)) {
  before(openShop);
  before(openBrowser);
  after(closeBrowser);
  after(closeShop);
  await import("./customer.mjs");
  await import("./operator.mjs");
} else console.log(`console: skipped, there is no Chromium at ${executablePath}`);
