// Sends the requests of an .http file in their order, as editors do; each must succeed.
//   node journeys.mjs FILE.http BASE
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const [file, base] = process.argv.slice(2);
const variables = new Map();
const answers = new Map();

// "order.response.body.id" in what "order" was answered; "$guid"; a variable of the file.
function valueOf(word) {
  if (word === "$guid") return crypto.randomUUID();
  if (variables.has(word)) return fill(variables.get(word));
  const [name, , , ...path] = word.split(".");
  const value = path.reduce((found, step) => found?.[step], answers.get(name));
  assert.notEqual(value, undefined, `${word} is not known`);
  return value;
}
const fill = (text) => text.replace(/\{\{([^}]+)\}\}/g, (_, word) => valueOf(word));

function requestOf(text) {
  const lines = text.split("\n");
  const name = text.match(/^# @name (\w+)$/m)?.[1];
  const start = lines.findIndex((line) => /^(GET|POST|PUT|PATCH|DELETE) /.test(line));
  if (start < 0) return null;
  const blank = lines.findIndex((line, index) => index > start && line === "");
  const [method, ...target] = lines[start].split(" ");
  return {
    name,
    title: lines[0].trim(),
    method,
    target: target.join(" "),
    headers: lines.slice(start + 1, blank),
    body: lines
      .slice(blank + 1)
      .join("\n")
      .trim(),
  };
}

const [head, ...parts] = readFileSync(file, "utf8").split(/^###/m);
for (const [, name, value] of head.matchAll(/^@(\w+) = (.*)$/gm)) variables.set(name, value);
variables.set("base", base);

for (const request of parts.map(requestOf).filter(Boolean))
  test(request.title, async () => {
    const reply = await fetch(encodeURI(fill(request.target)), {
      method: request.method,
      headers: Object.fromEntries(
        request.headers.map((line) =>
          fill(line)
            .split(/: (.*)/)
            .slice(0, 2),
        ),
      ),
      body: request.body ? fill(request.body) : undefined,
    });
    const text = await reply.text();
    assert.ok(reply.ok, `${reply.status} ${text}`);
    if (request.name) answers.set(request.name, JSON.parse(text));
  });
