// Checks the API's description, and what the end-to-end tests saw against it.
//   node check.mjs http://127.0.0.1:8080 TRANSCRIPT
// The transcript has a JSON line for each exchange: method, path, status, type, request, response
// (tests/support/http.c). An answer must have a status that its operation names, that status's media
// type, and a body that fits the schema; a body that was accepted must fit the request's schema.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const SHOWN = 20;
const [base, transcript] = process.argv.slice(2);
const description = await (await fetch(`${base}/openapi.json`)).json();
const wrong = [];

const verdict = await new Validator().validate(structuredClone(description));
if (!verdict.valid)
  wrong.push(`the description is no OpenAPI 3.1: ${JSON.stringify(verdict.errors)}`);

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addFormat("int32", true);
ajv.addFormat("int64", true);
ajv.addSchema(description, "api");

const compiled = new Map();
function validator(pointer) {
  if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: `api#${pointer}` }));
  return compiled.get(pointer);
}

const escape = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");
const pointerTo = (...parts) =>
  parts.map((part) => `/${encodeURIComponent(escape(part))}`).join("");

// Templates with fewer parameters first: a literal segment wins.
const templates = Object.keys(description.paths)
  .sort((a, b) => a.split("{").length - b.split("{").length)
  .map((path) => ({
    path,
    matches: new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{[^}]+\}/g, "[^/]+")}$`),
  }));

// The response object and where it stands, behind a reference if there is one.
function responseOf(path, method, status) {
  const { responses } = description.paths[path][method];
  const key = status in responses ? String(status) : "default";
  const ref = responses[key]?.$ref;
  if (!ref)
    return {
      key,
      pointer: pointerTo("paths", path, method, "responses", key),
      response: responses[key],
    };
  const name = ref.split("/").pop();
  return { key, pointer: ref.slice(1), response: description.components.responses[name] };
}

function expectFit(pointer, value, what) {
  const fits = validator(pointer);
  if (!fits(value))
    wrong.push(`${what}: ${ajv.errorsText(fits.errors)}: ${JSON.stringify(value).slice(0, 300)}`);
}

const used = new Set();
function checkExchange({ method, path, status, type, request, response }) {
  const plain = path.split("?")[0];
  const template = templates.find(
    ({ path: known, matches }) => matches.test(plain) && description.paths[known][method],
  );
  const what = `${method.toUpperCase()} ${plain} -> ${status}`;
  if (!template) {
    if (status !== 404 && status !== 405) wrong.push(`${what}: this operation is not described`);
    return;
  }
  const operation = description.paths[template.path][method];
  used.add(`${method} ${template.path}`);
  const { key, pointer, response: described } = responseOf(template.path, method, status);
  if (operation.tags.includes("Operations")) return; // the gateway's own answers have no schema
  if (key === "default")
    wrong.push(`${what}: the operation does not name this status (${response?.code ?? ""})`);
  const media = type.split(";")[0];
  if (!described.content) {
    if (response !== null) wrong.push(`${what}: has a body, the description has none`);
  } else if (!(media in described.content)) {
    wrong.push(`${what}: is ${media}, described is ${Object.keys(described.content)}`);
  } else {
    expectFit(`${pointer}${pointerTo("content", media, "schema")}`, response, what);
  }
  if (status < 300 && request !== null && operation.requestBody)
    expectFit(
      pointerTo(
        "paths",
        template.path,
        method,
        "requestBody",
        "content",
        "application/json",
        "schema",
      ),
      request,
      `${what}, its request`,
    );
}

const exchanges = readFileSync(transcript, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));
for (const exchange of exchanges)
  checkExchange({ ...exchange, method: exchange.method.toLowerCase() });

for (const line of [...new Set(wrong)].slice(0, SHOWN)) console.error(`openapi: ${line}`);
console.log(
  `openapi: ${exchanges.length} answers of ${used.size} operations checked, ${wrong.length} wrong`,
);
process.exit(wrong.length > 0 ? 1 : 0);
